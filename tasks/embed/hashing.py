"""Words hashed into a vector: no model, no meaning, but real vectors; for trials, tests and throughput."""

import zlib
from collections.abc import Generator, Sequence
from itertools import chain

import numpy as np

from config import schema
from tasks.embed.tokenizers import WORD, WordTokenizer
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

BATCH = 1024
MAX_TOKENS = 8192
MOST_WORDS = 100_000


class _Codes(dict[str, int]):
    """Most words of a collection are few."""

    def __missing__(self, word: str) -> int:
        if len(self) >= MOST_WORDS:
            self.clear()
        code = self[word] = zlib.crc32(word.encode())
        return code


class HashingEmbedder:
    """Texts that share words are near each other."""

    usd_per_million_tokens = 0.0
    runtime = ""

    def __init__(self, config: schema.HashingEmbedder) -> None:
        """The dimension is the only setting."""
        self.space = VectorSpace("hashing", "words", "1", config.dimensions, MAX_TOKENS)
        self.tokenizer = WordTokenizer(MAX_TOKENS)
        self._codes = _Codes()

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
        words = [WORD.findall(text.lower()) or [""] for text in texts]
        counts = [len(one) for one in words]
        codes = np.fromiter(map(self._codes.__getitem__, chain.from_iterable(words)), np.uint32, sum(counts))
        cells = np.repeat(np.arange(len(texts)) * size, counts) + codes % size
        signs = np.where(codes & 0x80000000, -1.0, 1.0)
        summed = np.bincount(cells, signs, minlength=len(texts) * size)
        vectors = summed.reshape(len(texts), size).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[norms[:, 0] == 0, 0] = 1.0  # words that cancel each other out
        norms[norms == 0] = 1.0
        unit: Vectors = vectors / norms
        return unit
