"""A collection in this process's memory: for trials and tests."""

from collections.abc import Iterator, Sequence

from tasks.errors import CollectionError, ServiceError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.upsert.base import Place
from tasks.upsert.filters import of_pipeline, passes
from tasks.upsert.page import refuse_words
from tasks.upsert.vectors import check_vectors, cosine


class MemoryStore:
    """Gone when the process ends; the next run then finds its store lost and writes it again from the cache.

    Payloads and vectors are kept as they are given, not copied.
    """

    def __init__(self) -> None:
        self._points: dict[PointId, tuple[Vector, Payload]] = {}
        self._sentinels: dict[str, Sentinel] = {}
        self._dimension: int | None = None

    def ensure(self, dimension: int, /) -> None:
        """The first call fixes the dimension; CollectionError for another one later."""
        if self._dimension not in (None, dimension):
            raise CollectionError(
                f"the collection in memory holds vectors of {self._dimension} dimensions, the model makes {dimension};"
                " start a new process"
            )
        self._dimension = dimension

    def expect(self, points: int, /) -> None:
        """Nothing to open."""

    def upsert(self, points: Points, /) -> None:
        """All or nothing."""
        if self._dimension is None:
            raise ServiceError("there is no collection in memory yet; it is made by `ensure`")
        check_vectors(points, self._dimension)
        self._points.update(zip(points.ids, zip(points.vectors, points.payloads, strict=True), strict=True))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        for point in ids:
            self._points.pop(point, None)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that are held."""
        return {point for point in ids if point in self._points}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """The records of the moment; later writes do not show."""
        for point, (_, payload) in list(self._points.items()):
            yield point, payload

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as they were written, whatever their length."""
        return {point: self._points[point][0] for point in ids if point in self._points}

    def search(self, query: Query, /) -> list[Hit]:
        """Exact, over every record that passes the conditions."""
        refuse_words(query, "memory")
        hits = [
            Hit(point, cosine(query.vector, held), payload)
            for point, (held, payload) in list(self._points.items())
            if passes(payload.get("metadata", {}), query.conditions)
        ]
        ranked = sorted(hits, key=lambda hit: (-hit.score, hit.id))
        return ranked[query.offset : query.offset + query.limit]

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark."""
        return self._sentinels.get(pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark."""
        self._sentinels[pipeline] = sentinel

    def count(self, pipeline: str = "", /) -> int:
        """Records held."""
        mine = of_pipeline(pipeline)
        return sum(passes(payload.get("metadata", {}), mine) for _, payload in list(self._points.values()))

    def publish(self, name: str, /) -> None:
        """Nobody else can read what is in this process."""

    def place(self, name: str, /) -> Place:
        """Names this process, to which no name leads."""
        return Place("memory", "memory")

    def drop(self) -> None:
        """Forget everything."""
        self._points, self._sentinels, self._dimension = {}, {}, None

    def close(self) -> None:
        """The records stay as long as the object does."""
