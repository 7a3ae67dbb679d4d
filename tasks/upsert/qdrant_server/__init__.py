"""Qdrant's server as the vector store."""
