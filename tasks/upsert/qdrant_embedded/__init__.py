"""Qdrant's engine in this process or in one of its own: a folder on disk, one writer."""
