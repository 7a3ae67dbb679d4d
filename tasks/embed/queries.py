"""Many queries at once, where a model takes them so."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tasks.embed.base import Embedder
from tasks.records import Vector


@runtime_checkable
class QueriesEmbedder(Protocol):
    """An embedder that takes several queries together: fewer requests, or fuller batches."""

    def embed_queries(self, texts: Sequence[str], /) -> Sequence[Vector]:
        """The vectors of `embed_query`, in order."""
        ...


def embed_queries(embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector]:
    """The vectors of `embed_query`, in order; ServiceError where one has none."""
    if isinstance(embedder, QueriesEmbedder):
        return embedder.embed_queries(texts)
    return [embedder.embed_query(text) for text in texts]
