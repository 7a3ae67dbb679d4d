"""What the pipeline needs of a vector database."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tasks.records import Hit, Payload, Point, PointId, Sentinel, Vector


class VectorStore(Protocol):
    """One collection of one vector database, cosine similarity. Calls from several threads are serialised by the store."""

    def ensure(self, dimension: int, /) -> None:
        """Create the collection where it is missing; CollectionError when it holds vectors of another dimension."""
        ...

    def upsert(self, points: Sequence[Point], /) -> None:
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

    def search(self, vector: Vector, limit: int, filters: Mapping[str, str], /) -> list[Hit]:
        """Best first; `filters` are equalities on fields of `metadata`, all of which must hold."""
        ...

    def sentinel(self) -> Sentinel | None:
        """None where no run has marked the collection."""
        ...

    def mark(self, sentinel: Sentinel, /) -> None:
        """Replace the sentinel durably."""
        ...

    def count(self) -> int:
        """Records without the sentinel."""
        ...

    def close(self) -> None:
        """Flush and release the store's lock."""
        ...
