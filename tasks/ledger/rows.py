"""What the ledger knows of a document, a point and a record."""

from dataclasses import dataclass
from typing import NamedTuple

from tasks.records import Bookkeeping, DocumentId, EmbeddingKey, PointId

Owned = tuple[DocumentId, PointId]  # a point and the document it belongs to


class KnownDocument(NamedTuple):
    """A tuple, for every run makes one of each; `version` None: dirty, it may have too few or too many points."""

    version: str | None
    hint: str
    source: str
    chunks: int
    tokens: int
    remark: str | None = None


class KnownPoint(NamedTuple):
    """`state` is one of PENDING, LIVE, DOOMED and GONE."""

    id: PointId
    key: str
    state: str
    embedding: EmbeddingKey = EmbeddingKey(b"")


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents, and points by what the ledger knows of them."""

    documents: int
    live: int = 0
    pending: int = 0
    doomed: int = 0
    gone: int = 0


class Stray(NamedTuple):
    """A record in the store that says it is ours, though the ledger does not know it."""

    id: PointId
    book: Bookkeeping


@dataclass(frozen=True, slots=True)
class Row:
    """A point as the ledger knows it."""

    document: DocumentId
    state: str
    key: str
    embedding: EmbeddingKey
