"""The embedding cache: what was paid for, by vector space and exact text; shared by all pipelines that name it."""

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.database.connection import Connection
from tasks.database.database import Database
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables
from tasks.errors import ServiceError
from tasks.records import EmbeddingKey, KeyedVectors, Vectors

# The vector is float32, little endian.
_EMBEDDING = Table(
    "embedding", {"key": "BLOB NOT NULL", "vector": "BLOB NOT NULL", "tokens": "INTEGER NOT NULL"}, ("key",)
)


def m001_tables(connection: Connection) -> None:
    """Makes the table, or completes the one that was made before versions were kept."""
    complete_tables(connection, (_EMBEDDING,))


CACHE = Layout("embedding cache", (m001_tables,))

_PUT = "INSERT INTO embedding (key, vector, tokens) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


class EmbeddingCache:
    """It may be deleted at no cost but money: the ledger and the store do not depend on it."""

    def __init__(self, url: str) -> None:
        """`url` is a SQLAlchemy URL of a SQLite or PostgreSQL database."""
        self._database = Database(url, CACHE, "headrace_cache")

    def missing(self, keys: Iterable[EmbeddingKey]) -> set[EmbeddingKey]:
        """Those of `keys` that would have to be paid for."""
        wanted = list(dict.fromkeys(keys))
        with self._database.read() as transaction:
            rows = transaction.select_in("SELECT key FROM embedding WHERE key IN ({})", wanted)
            return set(wanted) - {EmbeddingKey(row[0]) for row in rows}

    def get(self, keys: Iterable[EmbeddingKey]) -> KeyedVectors:
        """Vectors by key, without keys that are not there; ServiceError where the vectors are not of one dimension."""
        wanted = list(dict.fromkeys(keys))
        with self._database.read() as transaction:
            rows = list(transaction.select_in("SELECT key, vector FROM embedding WHERE key IN ({})", wanted))
        sizes = sorted({len(row[1]) for row in rows})
        if len(sizes) > 1:
            raise ServiceError(
                f"the embedding cache {self._database.name} holds vectors of {sizes} bytes for one model, expected one"
                " size; it is damaged: restore it from a backup, or move it away and pay for its texts again"
            )
        vectors = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4")
        return KeyedVectors([EmbeddingKey(row[0]) for row in rows], vectors.reshape(len(rows), -1 if rows else 0))

    def put(self, keys: Sequence[EmbeddingKey], vectors: Vectors, tokens: Sequence[int]) -> None:
        """Keep the vectors, durably when it returns; a key that is there already keeps its own."""
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        values = [(key, row.tobytes(), count) for key, row, count in zip(keys, rows, tokens, strict=True)]
        with self._database.write() as transaction:
            transaction.many(_PUT, values)

    def close(self) -> None:
        """Release the file."""
        self._database.close()
