"""Qdrant's engine, embedded in this process: one shard on disk, write-ahead log on, exact search."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import CollectionError, HeadraceError, LeaseHeldError, ServiceError
from tasks.records import Hit, Payload, Point, PointId, Sentinel, Vector
from tasks.upsert.generation import FIRST, Generations
from tasks.upsert.vectors import as_vector, checked_rows

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard, Filter

PAGE = 1000
INDEXED_FIELDS = ("headrace.document", "metadata.source", "metadata.document")

# What the engine says, and what it means to the user; all its errors are of one class.
_MEANINGS: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("WouldBlock", LeaseHeldError, "it is open in another process; wait for that to end"),
    ("Vector dimension error", CollectionError, "the collection has vectors of another length"),
    ("No space left", ServiceError, "the disk is full; free some space and run again"),
    ("Permission denied", ServiceError, "this user may not write there; check the folder's owner and mode"),
    ("", ServiceError, "restore the folder from a backup, or move it away and run sync: it is written again"),
)


class QdrantStore:
    """Opened by the first call that needs the shard; one process at a time may have it open."""

    def __init__(self, path: str, collection: str) -> None:
        """`path` is the database's folder, `collection` a folder below it."""
        self._generations = Generations(Path(path) / collection)
        self._shard: EdgeShard | None = None
        self._dimension: int | None = None
        self._lock = threading.RLock()

    def ensure(self, dimension: int, /) -> None:
        """Create the collection where it is missing; CollectionError when it holds vectors of another dimension."""
        with self._translated():
            if self._generations.live() is None:
                self._create(dimension)
            held = self._held_dimension()
            if held not in (None, dimension):
                raise CollectionError(
                    f"{self._generations.folder} holds vectors of {held} dimensions, the model makes {dimension};"
                    " name a new `collection` under `store`"
                )
            self._dimension = dimension

    def upsert(self, points: Sequence[Point], /) -> None:
        """Acknowledged means logged: a killed process loses nothing of it."""
        import qdrant_edge

        rows = checked_rows(points, self._dimension)
        with self._translated():
            for start in range(0, len(points), PAGE):
                part = [
                    qdrant_edge.Point(point.id, row, point.payload)
                    for point, row in zip(points[start : start + PAGE], rows[start : start + PAGE], strict=True)
                ]
                self._opened().update(qdrant_edge.UpdateOperation.upsert_points(part))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        import qdrant_edge

        with self._translated():
            if ids and self._exists():
                self._opened().update(qdrant_edge.UpdateOperation.delete_points(list(ids)))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the collection holds."""
        with self._translated():
            if not self._exists():
                return set()
            return {PointId(str(record.id)) for record in self._opened().retrieve(list(ids), False, False)}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Every record, a thousand at a time."""
        import qdrant_edge

        offset: Any = None
        while self._exists():
            request = qdrant_edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=True, with_vector=False)
            with self._translated():
                records, offset = self._opened().scroll(request)
            for record in records:
                yield PointId(str(record.id)), record.payload or {}
            if offset is None:
                return

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """As the engine keeps them: of unit length."""
        with self._translated():
            if not self._exists():
                return {}
            records = self._opened().retrieve(list(ids), False, True)
            return {PointId(str(record.id)): as_vector(record.vector) for record in records}

    def search(self, vector: Vector, limit: int, filters: Mapping[str, str], /) -> list[Hit]:
        """Exact cosine similarity over every record that passes the filters."""
        import qdrant_edge

        with self._translated():
            if not self._exists():
                return []
            request = qdrant_edge.SearchRequest(
                qdrant_edge.Query.Nearest(vector.tolist()), limit, filter=_filter(filters), with_payload=True
            )
            found = self._opened().search(request)
            return [Hit(PointId(str(hit.id)), float(hit.score), hit.payload or {}) for hit in found]

    def sentinel(self) -> Sentinel | None:
        """Read without opening the shard."""
        return self._generations.sentinel()

    def mark(self, sentinel: Sentinel, /) -> None:
        """Replace the mark durably."""
        self._generations.mark(sentinel)

    def count(self) -> int:
        """Records in the collection."""
        import qdrant_edge

        with self._translated():
            return self._opened().count(qdrant_edge.CountRequest()) if self._exists() else 0

    def close(self) -> None:
        """Flush and release the lock; safe to call twice."""
        with self._translated():
            shard, self._shard = self._shard, None
            if shard is not None:
                shard.close()

    def _exists(self) -> bool:
        return self._generations.live() is not None

    def _opened(self) -> "EdgeShard":
        if self._shard is None:
            from qdrant_edge import EdgeShard

            live = self._generations.live()
            self._shard = EdgeShard.load(str(live / "shard" if live else self._generations.folder))
        return self._shard

    def _create(self, dimension: int) -> None:
        """A crash before the pointer leaves an empty shard, which the next run takes up."""
        import qdrant_edge as engine

        shard = self._generations.folder / FIRST / "shard"
        if shard.exists():
            self._shard = engine.EdgeShard.load(str(shard))
        else:
            shard.mkdir(parents=True, mode=0o700)
            vectors = engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine)
            self._shard = engine.EdgeShard.create(str(shard), engine.EdgeConfig(vectors=vectors))
        for field in INDEXED_FIELDS:
            self._shard.update(engine.UpdateOperation.create_field_index(field, engine.PayloadSchemaType.Keyword))
        self._shard.flush()
        self._generations.switch(FIRST)

    def _held_dimension(self) -> int | None:
        """Read from a record, since the engine does not tell; None for an empty collection."""
        import qdrant_edge

        records, _ = self._opened().scroll(qdrant_edge.ScrollRequest(limit=1, with_payload=False, with_vector=True))
        return len(as_vector(records[0].vector)) if records else None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """One call at a time; the engine's errors become ours."""
        with self._lock:
            try:
                yield
            except HeadraceError:
                raise
            except Exception as error:
                raise translate(error, self._generations.folder) from error


def translate(error: Exception, folder: Path) -> HeadraceError:
    """Every exception of the engine and of the file system has a meaning here."""
    text = str(error)
    _, kind, remedy = next(meaning for meaning in _MEANINGS if meaning[0] in text)
    return kind(f"the collection in {folder}: {text}; {remedy}")


def _filter(filters: Mapping[str, str]) -> "Filter | None":
    import qdrant_edge as engine

    if not filters:
        return None
    must: list[Any] = []
    for key, text in filters.items():
        values: list[str | int | bool] = [text]
        if text.lstrip("-").isdigit():
            values.append(int(text))
        if text in ("true", "false"):
            values.append(text == "true")
        conditions: list[Any] = [
            engine.FieldCondition(f"metadata.{key}", match=engine.MatchValue(value)) for value in values
        ]
        must.append(engine.Filter(should=conditions))
    return engine.Filter(must=must)
