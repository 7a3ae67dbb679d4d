"""Words hashed into a vector: no model, no meaning, but real vectors; for trials, tests and throughput."""

import zlib
from collections.abc import Generator, Sequence

import numpy as np

from config import schema
from tasks.embed.tokenizers import WORD, WordTokenizer
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

BATCH = 1024
MAX_TOKENS = 8192


class HashingEmbedder:
    """Texts that share words are near each other."""

    usd_per_million_tokens = 0.0
    runtime = ""

    def __init__(self, config: schema.HashingEmbedder) -> None:
        """The dimension is the only setting."""
        self.space = VectorSpace("hashing", "words", "1", config.dimensions, MAX_TOKENS)
        self.tokenizer = WordTokenizer(MAX_TOKENS)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """A thousand texts at a time."""
        for start in range(0, len(texts), BATCH):
            rows = tuple(range(start, min(start + BATCH, len(texts))))
            yield EmbeddedBatch(rows, self._vectors([texts[row] for row in rows]))

    def embed_query(self, text: str, /) -> Vector:
        """Queries and documents are the same to it."""
        vector: Vector = self._vectors([text])[0]
        return vector

    def close(self) -> None:
        """Nothing is open."""

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        size = self.space.dimension
        vectors = np.zeros((len(texts), size), dtype=np.float32)
        for row, text in enumerate(texts):
            words = WORD.findall(text.lower()) or [""]
            codes = np.fromiter((zlib.crc32(word.encode()) for word in words), dtype=np.uint32, count=len(words))
            signs = np.where(codes & 0x80000000, -1.0, 1.0)
            vectors[row] = np.bincount(codes % size, signs, minlength=size)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[norms[:, 0] == 0, 0] = 1.0  # words that cancel each other out
        norms[norms == 0] = 1.0
        unit: Vectors = vectors / norms
        return unit
