"""Vectors to a collection of a vector database."""
