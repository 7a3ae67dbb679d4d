"""One pipeline's part of a collection that several share on purpose.

Each record names its pipeline in a metadata field of its own, which every store and every other reader can filter by.
Ids need no care: the pipeline's name is in what they are made from. The collection's own mark says that it is shared,
and which vector space all of them have to agree on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tasks.errors import CollectionError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.slices import slices
from tasks.upsert.base import Place, RanksWords, VectorStore
from tasks.upsert.filters import PIPELINE, of_pipeline, passes
from tasks.upsert.marks import SHARED

DELETED_AT_ONCE = 1000
_OWN_FIELD = "metadata_pipeline"  # of the bookkeeping: what a document itself has under that name


class SharedStore:
    """Shows the records of one pipeline alone, as they were before they got the field."""

    def __init__(self, store: VectorStore, pipeline: str) -> None:
        """`store` is closed with this one."""
        self._store = store
        self._pipeline = pipeline
        self._mine = of_pipeline(pipeline)

    def ensure(self, dimension: int, /) -> None:
        """All pipelines have one dimension."""
        self._store.ensure(dimension)

    def ranks_words(self) -> bool:
        """What the store under it says."""
        return isinstance(self._store, RanksWords) and self._store.ranks_words()

    def expect(self, points: int, /) -> None:
        """Passed on."""
        self._store.expect(points)

    def upsert(self, points: Points, /) -> None:
        """Each record gets the field."""
        payloads = [_named(payload, self._pipeline) for payload in points.payloads]
        self._store.upsert(Points(points.ids, points.vectors, payloads))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Other pipelines have other ids."""
        self._store.delete(ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Other pipelines have other ids."""
        return self._store.present(ids)

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """The whole collection is read for it."""
        for point, payload in self._store.scan():
            if passes(payload.get("metadata") or {}, self._mine):
                yield point, _unnamed(payload)

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Other pipelines have other ids."""
        return self._store.vectors(ids)

    def search(self, query: Query, /) -> list[Hit]:
        """Ask for this pipeline's records alone."""
        hits = self._store.search(replace(query, conditions=[*self._mine, *query.conditions]))
        return [Hit(hit.id, hit.score, _unnamed(hit.payload)) for hit in hits]

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The pipeline's own mark; before its first the collection's, which may be of one that does not share it."""
        return self._store.sentinel(pipeline or self._pipeline) or self._store.sentinel()

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """CollectionError where another pipeline was quicker to mark the collection, for another vector space."""
        whole = self._store.sentinel()
        if whole is None or whole.lineage != SHARED:
            self._store.mark(whole := Sentinel(SHARED, 0, sentinel.space))
        if whole.space != sentinel.space:
            raise CollectionError(
                f"the shared collection holds vectors of another vector space ({whole.space}) than those of"
                f" {self._pipeline!r} ({sentinel.space}); name another `collection` under `store`, or the others' model"
            )
        self._store.mark(sentinel, pipeline or self._pipeline)

    def count(self, pipeline: str = "", /) -> int:
        """Records of this pipeline."""
        return self._store.count(pipeline or self._pipeline)

    def publish(self, name: str, /) -> None:
        """Passed on: the name leads to all pipelines' records."""
        self._store.publish(name)

    def place(self, name: str, /) -> Place:
        """Passed on."""
        return self._store.place(name)

    def drop(self) -> None:
        """Remove this pipeline's records; the collection is not its own."""
        for part in slices([point for point, _ in self.scan()], DELETED_AT_ONCE):
            self._store.delete(part)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _named(payload: Payload, pipeline: str) -> Payload:
    metadata: dict[str, Any] = payload.get("metadata") or {}
    named = {**payload, "metadata": {**metadata, PIPELINE: pipeline}}
    if PIPELINE in metadata:
        named["headrace"] = {**payload.get("headrace", {}), _OWN_FIELD: metadata[PIPELINE]}
    return named


def _unnamed(payload: Payload) -> Payload:
    metadata = {name: value for name, value in payload["metadata"].items() if name != PIPELINE}
    book = dict(payload.get("headrace") or {})
    if _OWN_FIELD in book:
        metadata[PIPELINE] = book.pop(_OWN_FIELD)
        return {**payload, "metadata": metadata, "headrace": book}
    return {**payload, "metadata": metadata}
