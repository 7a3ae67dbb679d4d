"""The vectors of a pipeline's live generation, for whoever reads its collection with other tools."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from config.pipeline import Pipeline
from tasks.embed.open import open_embedder
from tasks.errors import ServiceError
from tasks.generations import as_live
from tasks.records import Vector, Vectors
from tasks.session import open_ledger


class LiveEmbedder:
    """Embeds with what the live generation was built with, whatever the configuration says now."""

    def __init__(self, pipeline: Pipeline) -> None:
        """The ledger is asked once, for its generations."""
        with closing(open_ledger(pipeline, read_only=True)) as first:
            live = as_live(pipeline, first).pipeline
        self._embedder = open_embedder(live.embedder, live.state)
        self.model = self._embedder.model

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Their vectors, shape (n, dimension); ServiceError for a text that has none."""
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
        """Its vector by the query side."""
        return self._embedder.embed_query(text)
