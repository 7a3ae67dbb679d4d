"""Chunks to only what is new: what changes for each document, and the embedding cache."""
