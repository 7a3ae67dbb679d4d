"""What the pipeline needs of a vector database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tasks.keyed_vectors import KeyedVectors
from tasks.records import EmbeddingKey, Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.windows import DocumentChange, Quarantined


@dataclass(frozen=True, slots=True)
class Place:
    """Where other readers find a collection.

    `address` is a folder, or a server without user and password; `collection` is what it is called there. `published`
    is the collection to which the name leads that was asked about. `size_bytes` is None where the store does not tell.
    """

    address: str
    collection: str
    published: str | None = None
    size_bytes: int | None = None


@runtime_checkable
class RanksWords(Protocol):
    """A store whose server may be too old to look for words; all others either can or cannot."""

    def ranks_words(self) -> bool:
        """Whether it has an index of words, asked of the server; true where there is no collection yet."""
        ...


class VectorStore(Protocol):
    """One collection of one vector database, cosine similarity; the store serialises calls from several threads."""

    def ensure(self, dimension: int, /) -> None:
        """Create the collection where it is missing; CollectionError when it holds vectors of another dimension."""
        ...

    def expect(self, points: int, /) -> None:
        """So many will be written soon: a store that takes long to open begins with it. Not needed before a write."""
        ...

    def upsert(self, points: Points, /) -> None:
        """Idempotent by id; returns when the store has acknowledged all of them.

        Raises DocumentError for a vector that is not finite, zero or of the wrong dimension, before anything is sent.
        """
        ...

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error; returns when acknowledged."""
        ...

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the store holds, read from the store itself."""
        ...

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Every record but the sentinel, in batches from the store."""
        ...

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Stored vectors by id; absent ids are left out."""
        ...

    def search(self, query: Query, /) -> list[Hit]:
        """Best first; equally near records in the order of their ids, so that pages fit together."""
        ...

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The mark of the last run; None where no run has marked the collection.

        In a collection that is shared each `pipeline` has a mark of its own, beside the collection's without a name.
        """
        ...

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the sentinel durably, and leave those of other pipelines."""
        ...

    def count(self, pipeline: str = "", /) -> int:
        """Records without the sentinels; of one pipeline alone where its name is in the records: `filters.PIPELINE`."""
        ...

    def publish(self, name: str, /) -> None:
        """Let `name` lead to this collection, for readers that ask the store itself; atomic where the store can."""
        ...

    def place(self, name: str, /) -> Place:
        """Where the collection is, and to which one `name` leads now."""
        ...

    def drop(self) -> None:
        """Remove the collection with all it holds; a missing one is no error."""
        ...

    def close(self) -> None:
        """Flush and release the store's lock."""
        ...


class WriteAheadLedger(Protocol):
    """What is recorded round a write to the store."""

    def intend(self, changes: Sequence[DocumentChange], /) -> None:
        """Note, before, what may be in the store from now on."""
        ...

    def flip(self, changes: Sequence[DocumentChange], /) -> None:
        """Note, after the acknowledgement, what is in the store."""
        ...

    def quarantine(self, failures: Sequence[Quarantined], /) -> None:
        """Documents that could not be used."""
        ...


class VectorLookup(Protocol):
    """Where the vectors of new points come from."""

    def get(self, keys: Iterable[EmbeddingKey], /) -> KeyedVectors:
        """Keys that are not held are left out."""
        ...
