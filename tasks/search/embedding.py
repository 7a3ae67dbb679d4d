"""The vectors of queries, and those of a live generation for whoever reads its collection with other tools."""

import time
from collections.abc import Sequence
from contextlib import closing

import numpy as np

from config.pipeline import Pipeline
from tasks.durations import parse_duration
from tasks.embed.base import Embedder, ImageEmbedder
from tasks.embed.open import open_embedder
from tasks.errors import ConfigError, ServiceError
from tasks.freshness import require_fresh
from tasks.generations import as_live
from tasks.image import Image
from tasks.records import Vector, Vectors
from tasks.session import open_ledger
from tasks.upsert.open import open_store


def query_vector(embedder: Embedder, query: str | Image) -> Vector:
    """The vector of words, or of a picture; ConfigError where the model takes no pictures."""
    if isinstance(query, str):
        return embedder.embed_query(query)
    if not isinstance(embedder, ImageEmbedder):
        raise ConfigError(f"the model {embedder.model!r} takes no pictures; look for words, or see `clip` in README")
    (batch,) = embedder.embed_images([query])
    if batch.rejected:
        raise ConfigError(f"nothing can be looked for by this picture: {batch.rejected[0]}")
    vector: Vector = batch.vectors[0]
    return vector


class LiveEmbedder:
    """Embeds with what the live generation was built with, whatever the configuration says now."""

    def __init__(self, pipeline: Pipeline, max_age: str | None = None) -> None:
        """The ledger is asked once, for its generations.

        `max_age`, such as "1h": refuse queries while the last complete sync is longer ago.
        """
        self._max_age_seconds = None if max_age is None else parse_duration(max_age)
        with closing(open_ledger(pipeline, read_only=True)) as first:
            live = as_live(pipeline, first).pipeline
        self._live = live
        self._embedder = open_embedder(live.embedder, live.state)
        self.model = self._embedder.model

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Their vectors, shape (n, dimension); ServiceError for a text that has none.

        ConfigError where the collection's chunks were embedded inside their documents, which nobody knows here.
        """
        if self._live.chunking.late:
            raise ConfigError(
                f"the collection of {self._live.name!r} was built with chunking.late, where a chunk's vector depends on"
                " its document: a text alone has another one; add documents with `headrace sync`"
            )
        counts = self._embedder.tokenizer.count(texts) if texts else []
        vectors: Vectors = np.empty((len(texts), self._embedder.space.dimension), np.float32)
        for batch in self._embedder.embed(texts, counts):
            if batch.rejected:
                row, why = next(iter(batch.rejected.items()))
                raise ServiceError(f"text {row} has no vector: {why}")
            if batch.rows:
                vectors[list(batch.rows)] = batch.vectors
        return vectors

    def query(self, text: str) -> Vector:
        """Its vector by the query side; CollectionError where the collection is too old."""
        if self._max_age_seconds is not None:
            with closing(open_store(self._live.store, self._live.name)) as store:
                require_fresh(self._live.name, store.sentinel(), time.time(), self._max_age_seconds)
        return self._embedder.embed_query(text)
