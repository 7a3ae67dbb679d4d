"""The one place that knows the kinds of stores."""

from typing import assert_never

from config import schema
from tasks.upsert.base import VectorStore


def open_store(config: schema.Store, pipeline: str) -> VectorStore:
    """The collection is named after the pipeline, unless the configuration names it; nothing is created or read yet."""
    collection = config.collection or pipeline
    match config:
        case schema.QdrantStore():
            from tasks.upsert.qdrant import QdrantStore

            return QdrantStore(config.path, collection)
        case schema.MemoryStore():
            from tasks.upsert.memory import MemoryStore

            return MemoryStore()
    assert_never(config)
