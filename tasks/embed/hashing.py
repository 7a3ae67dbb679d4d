"""Words hashed into a vector: no model, no meaning, but real vectors; for trials, tests and throughput.

A word's hash is a polynomial of its bytes, so those of all words come of one running sum over all texts.
"""

from collections.abc import Generator, Iterator, Sequence
from functools import cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from config import embedders
from tasks.embed.tokens.tokenizers import KINDS, WORD, WordTokenizer
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

TEXTS_AT_ONCE = 1024
BLOCK_CHARACTERS = 1 << 16  # at a time: what is made of them stays in the processor's cache
KEPT_POWERS = 2 * BLOCK_CHARACTERS
MAX_TOKENS = 8192
BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(BASE, -1, 1 << 64)
_W, _MARK = b"w."
_KINDS = KINDS + bytes([_W]) * 128
_LOWER = bytes(range(128)).lower() + bytes(range(128, 256))


class HashingEmbedder:
    """Texts that share words are near each other."""

    model = "words"
    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    server = other_model = assumed = ""
    late = None
    runtime = ""
    query_prefix = ""

    def __init__(self, config: embedders.HashingEmbedder) -> None:
        """The dimension is the only setting."""
        self.space = VectorSpace("hashing", self.model, "2", config.dimensions, MAX_TOKENS)
        self.tokenizer = WordTokenizer(MAX_TOKENS)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """A thousand texts at a time."""
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            part = texts[start : start + TEXTS_AT_ONCE]
            vectors = np.concatenate([self._vectors(block) for block in _blocks(part)])
            yield EmbeddedBatch(tuple(range(start, start + len(part))), vectors)

    def embed_query(self, text: str, /) -> Vector:
        """Queries and documents are the same to it."""
        vector: Vector = self._vectors([text])[0]
        return vector

    def check(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        """Nothing is open."""

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        size = self.space.dimension
        split = [_apart(text) for text in texts]
        ends = np.fromiter(accumulate(len(one) + 1 for one in split), np.int64, len(split))
        places, hashes = _hashes(b" ".join(split))
        cells = np.searchsorted(ends, places, "right") * size + (hashes % np.uint64(size)).astype(np.int64)
        signs = np.where(hashes >> np.uint64(63), -1.0, 1.0)
        summed = np.bincount(cells, signs, minlength=len(texts) * size)
        vectors = summed.reshape(len(texts), size).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[norms[:, 0] == 0, 0] = 1.0  # no words, or words that cancel each other out
        norms[norms == 0] = 1.0
        unit: Vectors = vectors / norms
        return unit


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in blocks, in order; a long text is a block of its own."""
    first = size = 0
    for row, text in enumerate(texts):
        if size and size + len(text) > BLOCK_CHARACTERS:
            yield texts[first:row]
            first, size = row, 0
        size += len(text)
    yield texts[first:]


def _apart(text: str) -> bytes:
    """The text in lower case; where not all is ASCII, with a space between the words and marks of the pattern."""
    return text.encode().translate(_LOWER) if text.isascii() else " ".join(WORD.findall(text.lower())).encode()


def _hashes(raw: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Where words and marks begin, and their hashes; first those of all words."""
    kinds = np.frombuffer(raw.translate(_KINDS), np.uint8)
    is_word = np.zeros(len(raw) + 2, np.int8)
    is_word[1:-1] = kinds == _W
    steps = np.diff(is_word)
    starts, ends = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    values = np.frombuffer(raw, np.uint8) + np.uint64(1)
    sums = np.zeros(len(raw) + 1, np.uint64)
    np.cumsum(values * _powers(BASE, len(raw)), out=sums[1:])
    words = (sums[ends] - sums[starts]) * _powers(_INVERSE, len(raw))[starts]
    marks = np.flatnonzero(kinds == _MARK)
    return np.concatenate([starts, marks]), _mixed(np.concatenate([words, values[marks]]))


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """The powers, from that of 0 on, modulo 2 to the 64."""
    return _kept_powers(base)[:count] if count <= KEPT_POWERS else _new_powers(base, count)


@cache
def _kept_powers(base: int) -> NDArray[np.uint64]:
    return _new_powers(base, KEPT_POWERS)


def _new_powers(base: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the result depends on all bits: as SplitMix64 ends."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = hashes ^ (hashes >> np.uint64(31))
    return mixed
