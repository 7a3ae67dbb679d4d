"""A collection in this process's memory: for trials and tests."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tasks.errors import CollectionError
from tasks.records import Hit, Payload, Point, PointId, Sentinel, Vector
from tasks.upsert.vectors import checked_rows


class MemoryStore:
    """Gone when the process ends; the next run then finds its store lost and writes it again from the cache."""

    def __init__(self) -> None:
        self._points: dict[PointId, tuple[Vector, Payload]] = {}
        self._sentinel: Sentinel | None = None
        self._dimension: int | None = None

    def ensure(self, dimension: int, /) -> None:
        """Fix the dimension."""
        if self._dimension not in (None, dimension):
            raise CollectionError(f"the collection holds vectors of {self._dimension} dimensions, not {dimension}")
        self._dimension = dimension

    def upsert(self, points: Sequence[Point], /) -> None:
        """All or nothing."""
        checked_rows(points, self._dimension)
        self._points.update((point.id, (point.vector, point.payload)) for point in points)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        for point in ids:
            self._points.pop(point, None)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that are held."""
        return {point for point in ids if point in self._points}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Every record."""
        for point, (_, payload) in list(self._points.items()):
            yield point, payload

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Stored vectors by id."""
        return {point: self._points[point][0] for point in ids if point in self._points}

    def search(self, vector: Vector, limit: int, filters: Mapping[str, str], /) -> list[Hit]:
        """Exact, over all records."""
        hits = [
            Hit(point, _cosine(vector, held), payload)
            for point, (held, payload) in self._points.items()
            if all(str(payload["metadata"].get(key)) == value for key, value in filters.items())
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def sentinel(self) -> Sentinel | None:
        """The newest mark."""
        return self._sentinel

    def mark(self, sentinel: Sentinel, /) -> None:
        """Replace the mark."""
        self._sentinel = sentinel

    def count(self) -> int:
        """Records held."""
        return len(self._points)

    def close(self) -> None:
        """The records stay as long as the object does."""


def _cosine(one: Vector, other: Vector) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
