"""The embedding cache: what was paid for, by vector space and exact text; shared by all pipelines that name it.

No row is believed unseen. A damaged one, in whatever way, counts as missing: its text is paid for again, and the new
vector takes its place.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.database.connection import Connection
from tasks.database.database import Database
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables
from tasks.keyed_vectors import KeyedVectors
from tasks.records import EmbeddingKey, Vectors
from tasks.slices import slices

KEYS_AT_A_TIME = 1000
MOST_OFF = 0.01  # no rounding takes a vector so far from unit length
_SUM_WORDS = 2  # of 32 bits
_BASE = 0x9E3779B97F4A7C15

Words = NDArray[np.uint32]

# The vector is float32, little endian; its check sum follows, 64 bits, in rows written since version 2.
_EMBEDDING = Table(
    "embedding", {"key": "BLOB NOT NULL", "vector": "BLOB NOT NULL", "tokens": "INTEGER NOT NULL"}, ("key",)
)


def m001_tables(connection: Connection) -> None:
    """Makes the table, or completes the one that was made before versions were kept."""
    complete_tables(connection, (_EMBEDDING,))


def m002_checksums(_connection: Connection) -> None:
    """Changes no row: from here on new ones end in a check sum, which earlier programs would take for numbers."""


CACHE = Layout("embedding cache", (m001_tables, m002_checksums))

# Cast, for damage may have changed the type of what stands there as well.
_GET = "SELECT key, CAST(COALESCE(vector, '') AS BINARY) FROM embedding WHERE key IN ({})"
_PUT = "INSERT INTO embedding (key, vector, tokens) VALUES (?, ?, ?) ON CONFLICT"
_KEEP = f"{_PUT} DO NOTHING"
_REPLACE = f"{_PUT} (key) DO UPDATE SET vector = excluded.vector, tokens = excluded.tokens"


class Held(NamedTuple):
    """What the cache has for some keys: `proven` by their check sums, `unproven` by a version that kept none."""

    proven: KeyedVectors
    unproven: KeyedVectors
    damaged: set[EmbeddingKey]


class EmbeddingCache:
    """It may be deleted at no cost but money: the ledger and the store do not depend on it."""

    def __init__(self, url: str, dimension: int, *, read_only: bool = False) -> None:
        """`url` is a SQLAlchemy URL of a SQLite or PostgreSQL database; vectors of another `dimension` are damaged.

        `read_only`: also one that we may not write.
        """
        self._database = Database(url, CACHE, "headrace_cache", read_only=read_only)
        self._dimension = dimension
        self.damaged: set[EmbeddingKey] = set()  # all that were met so far

    def missing(self, keys: Iterable[EmbeddingKey]) -> set[EmbeddingKey]:
        """Those of `keys` that would have to be paid for."""
        wanted = list(dict.fromkeys(keys))
        return {key for part in slices(wanted, KEYS_AT_A_TIME) for key in {*part}.difference(self.get(part))}

    def get(self, keys: Iterable[EmbeddingKey]) -> KeyedVectors:
        """Vectors by key, without keys that are not there, or damaged."""
        held = self.held(keys)
        return KeyedVectors.joined([held.proven, held.unproven])

    def held(self, keys: Iterable[EmbeddingKey]) -> Held:
        """The vectors, by how far they can be believed."""
        with self._database.read() as transaction:
            sql = _GET.replace("BINARY", transaction.connection.binary)
            rows = list(transaction.select_in(sql, list(dict.fromkeys(keys))))
        proven = _proven([row for row in rows if len(row[1]) == 4 * (self._dimension + _SUM_WORDS)])
        unproven = _plausible([row for row in rows if len(row[1]) == 4 * self._dimension])
        damaged: set[EmbeddingKey] = set()
        if len(proven) + len(unproven) < len(rows):
            damaged = {EmbeddingKey(row[0]) for row in rows} - proven.keys() - unproven.keys()
            self.damaged |= damaged
        return Held(proven, unproven, damaged)

    def put(self, keys: Sequence[EmbeddingKey], vectors: Vectors, tokens: Sequence[int]) -> None:
        """Keep the vectors, durably when it returns; a key that is there keeps its own, unless it is damaged."""
        rows = _rows(keys, vectors, tokens)
        with self._database.write() as transaction:
            transaction.many(_KEEP, [row for row in rows if row[0] not in self.damaged])
            transaction.many(_REPLACE, [row for row in rows if row[0] in self.damaged])

    def replace(self, keys: Sequence[EmbeddingKey], vectors: Vectors, tokens: Sequence[int]) -> None:
        """Keep these vectors, whatever is there."""
        with self._database.write() as transaction:
            transaction.many(_REPLACE, _rows(keys, vectors, tokens))

    def close(self) -> None:
        """Release the file."""
        self._database.close()


def _rows(keys: Sequence[EmbeddingKey], vectors: Vectors, tokens: Sequence[int]) -> list[tuple[bytes | int, ...]]:
    words = np.ascontiguousarray(vectors, dtype="<f4").view("<u4")
    rows = np.hstack([words, _checksums(keys, words)])
    # In order: two processes that put the same texts wait for each other's rows on a server, and never in a circle.
    return sorted((key, row.tobytes(), count) for key, row, count in zip(keys, rows, tokens, strict=True))


def _proven(rows: Sequence[Any]) -> KeyedVectors:
    """Those whose check sum is right."""
    if not rows:
        return KeyedVectors.joined([])
    keys = [EmbeddingKey(row[0]) for row in rows]
    words = np.frombuffer(b"".join([row[1] for row in rows]), dtype="<u4").reshape(len(rows), -1)
    vectors = words[:, :-_SUM_WORDS]
    sound = (_checksums(keys, vectors) == words[:, -_SUM_WORDS:]).all(axis=1)
    return _only(sound, keys, vectors.view("<f4"))


def _plausible(rows: Sequence[Any]) -> KeyedVectors:
    """Those of unit length, as far as a row without a check sum can be checked."""
    if not rows:
        return KeyedVectors.joined([])
    vectors = np.frombuffer(b"".join([row[1] for row in rows]), dtype="<f4").reshape(len(rows), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        sound = np.abs(np.linalg.norm(vectors, axis=1) - 1) < MOST_OFF  # false where one is not finite
    return _only(sound, [EmbeddingKey(row[0]) for row in rows], vectors)


def _only(sound: NDArray[np.bool_], keys: Sequence[EmbeddingKey], vectors: Vectors) -> KeyedVectors:
    if sound.all():
        return KeyedVectors(keys, vectors)
    return KeyedVectors([key for key, is_sound in zip(keys, sound, strict=True) if is_sound], vectors[sound])


def _checksums(keys: Sequence[EmbeddingKey], words: Words) -> Words:
    """The sum of all words of 64 bits in key and vector, each times an odd number of its own; shape (n, 2).

    Never 0 for zeros. Damage within 64 bits always changes it, other damage but once in 2 to the 60 or so. CRC-32 takes
    five times as long.
    """
    if words.shape[1] % 2:
        words = np.pad(words, ((0, 0), (0, 1)))
    heads = np.frombuffer(b"".join(keys), dtype="<u8").reshape(len(keys), 2)
    factors = np.cumprod(np.full(2 + words.shape[1] // 2, _BASE, dtype="<u8"))
    sums = np.einsum("ij,j->i", heads, factors[:2]) + np.einsum("ij,j->i", words.view("<u8"), factors[2:])
    checksums: Words = (sums + factors[-1]).astype("<u8").view("<u4").reshape(len(keys), 2)
    return checksums
