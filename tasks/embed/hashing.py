"""Words hashed into a vector: no model, no meaning, but real vectors; for trials, tests and throughput."""

import zlib
from collections.abc import Generator, Sequence
from itertools import chain

import numpy as np

from config import schema
from tasks.embed.tokenizers import KINDS, WORD, WordTokenizer
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

BATCH = 1024
MAX_TOKENS = 8192
MOST_WORDS = 100_000
# ASCII: everything but the words becomes white space, or everything but the marks is deleted.
_WORDS = bytes(chr(n).lower().encode()[0] if kind == b"w"[0] else b" "[0] for n, kind in enumerate(KINDS)) + bytes(128)
_NO_MARKS = bytes(n for n, kind in enumerate(KINDS) if kind != b"."[0])
_MARK_CODES = np.array([zlib.crc32(bytes([n])) for n in range(128)], np.uint32)


class _Codes(dict[bytes, int]):
    """Most words of a collection are few."""

    def __missing__(self, word: bytes) -> int:
        if len(self) >= MOST_WORDS:
            self.clear()
        code = self[word] = zlib.crc32(word)
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
        split = [_split(text) for text in texts]
        words, marks = [len(one) for one, _ in split], [len(one) for _, one in split]
        of_words = map(self._codes.__getitem__, chain.from_iterable(one for one, _ in split))
        of_marks = _MARK_CODES[np.frombuffer(b"".join(one for _, one in split), np.uint8)]
        codes = np.concatenate([np.fromiter(of_words, np.uint32, sum(words)), of_marks])
        starts = np.arange(len(texts)) * size
        cells = np.concatenate([np.repeat(starts, words), np.repeat(starts, marks)]) + codes % size
        signs = np.where(codes & 0x80000000, -1.0, 1.0)
        summed = np.bincount(cells, signs, minlength=len(texts) * size)
        vectors = summed.reshape(len(texts), size).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[norms[:, 0] == 0, 0] = 1.0  # words that cancel each other out
        norms[norms == 0] = 1.0
        unit: Vectors = vectors / norms
        return unit


def _split(text: str) -> tuple[list[bytes], bytes]:
    """The words and the marks of a text, as the pattern finds them in its lower case, but in no order."""
    if not text.isascii():
        return [word.encode() for word in WORD.findall(text.lower())] or [b""], b""
    raw = text.encode()
    words, marks = raw.translate(_WORDS).split(), raw.translate(None, _NO_MARKS)
    return (words, marks) if words or marks else ([b""], b"")
