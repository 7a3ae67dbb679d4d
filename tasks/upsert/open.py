"""The one place that knows the kinds of stores."""

from typing import assert_never

from config import stores
from tasks.upsert.base import VectorStore


def open_store(config: stores.Store, pipeline: str) -> VectorStore:
    """The collection is named after the pipeline, unless the configuration names it; nothing is created or read yet."""
    collection = config.collection or pipeline
    match config:
        case stores.QdrantStore():
            from tasks.upsert.qdrant_embedded.store import QdrantStore

            return QdrantStore(config.path, collection)
        case stores.MemoryStore():
            from tasks.upsert.memory import MemoryStore

            return MemoryStore()
    assert_never(config)
