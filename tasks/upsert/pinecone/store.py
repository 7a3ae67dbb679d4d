"""A namespace of a serverless index for each collection; readers and writers may be many.

The sentinel is a record of the namespace, under an id of its own: it makes the namespace, and goes where that goes.
Writes show some seconds after they are acknowledged, so reads wait until they do.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import partial
from heapq import nlargest
from itertools import islice
from typing import Any

from pinecone import Vector as Record
from pinecone.models.vectors.vector import ScoredVector

from config.stores import PineconeStore as Settings
from tasks.errors import NoCollectionError
from tasks.records import Condition, Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.slices import slices
from tasks.upsert.base import Place
from tasks.upsert.filters import of_pipeline, passes
from tasks.upsert.marks import read_mark
from tasks.upsert.page import page, refuse_words
from tasks.upsert.pinecone.filter import Words, as_filter
from tasks.upsert.pinecone.index import PAGE, Namespace, anywhere
from tasks.upsert.pinecone.records import BOOK, as_payload, as_records, book_of
from tasks.upsert.pinecone.texts import Texts
from tasks.upsert.vectors import as_vector, check_vectors, cosine

POINTER = "headrace-live"
SENTINEL = "headrace-sentinel"  # no UUID, so no point's id
_MARK, _SHARING = "sentinel", "pipelines"  # the collection's mark, and those of the pipelines that share it
_LARGE = "texts"  # beside them: some record's text is in several parts
MOST_HITS = 10_000  # of a search

_log = logging.getLogger("headrace")

Marks = dict[str, Any]  # what the record of the sentinel holds


class PineconeStore:
    """Reading creates nothing."""

    def __init__(self, settings: Settings, collection: str) -> None:
        """`collection` is the namespace."""
        self._settings = settings
        self._index = Namespace(settings, collection)
        self._namespace = collection
        self._texts = Texts(settings, collection)
        self._marks: Marks | None = None  # None: not seen yet

    def ensure(self, dimension: int, /) -> None:
        """Make what is missing: index and namespace. CollectionError for another dimension or metric."""
        self._index.make(dimension)
        if self._known() is None:
            self._write_marks({_MARK: None})

    def expect(self, points: int, /) -> None:
        """Nothing to open."""

    def upsert(self, points: Points, /) -> None:
        """Large texts come first. Where a request fails, others may have been written."""
        if points:
            is_new = not self._required().get(_LARGE)
            check_vectors(points, self._index.dimension)
            records, rests = as_records(points)
            if rests and is_new:
                self._write_marks({**(self._looked_up() or {}), _LARGE: True})
            if rests:
                self._texts.write(rests)
            self._index.write(records)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        self._index.erase(ids)
        if ids and (self._known() or {}).get(_LARGE):
            self._index.wait()  # until nobody finds the records
            self._texts.erase(ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the namespace holds."""
        return {PointId(record.id) for record in self._index.fetched(ids)}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Page by page, in the order of the ids."""
        for records in self._pages():
            stored = [(record.id, record.metadata or {}) for record in records]
            yield from zip((PointId(point) for point, _ in stored), self._texts.payloads(stored), strict=True)

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as they were written, whatever their length."""
        return {PointId(record.id): as_vector(record.values) for record in self._index.fetched(ids)}

    def search(self, query: Query, /) -> list[Hit]:
        """The best of the 10,000 nearest that pass what Pinecone can compare; where those are too few, of all."""
        refuse_words(query, "Pinecone")
        hits = page(query, partial(self._best, query.vector, query.conditions))
        payloads = self._texts.payloads([(hit.id, hit.payload) for hit in hits])
        return [Hit(hit.id, hit.score, payload) for hit, payload in zip(hits, payloads, strict=True)]

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark."""
        marks = self._looked_up() or {}
        with suppress(KeyError, TypeError, ValueError):
            return read_mark(marks[_SHARING][pipeline] if pipeline else marks[_MARK])
        return None

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark; returns when everybody sees it.

        Pipelines that share the collection and mark it in the same seconds may undo one another's mark, which costs the
        other a reading of its records in its next run.
        """
        marks = (self._looked_up() if pipeline else self._required()) or {}
        one = asdict(sentinel)
        changed = {_SHARING: {**marks.get(_SHARING, {}), pipeline: one}} if pipeline else {_MARK: one}
        self._write_marks({**marks, **changed})
        self._index.wait()

    def count(self, pipeline: str = "", /) -> int:
        """Counted by the service, which counts all records; one pipeline's are found, and beyond 10,000 read."""
        if pipeline:
            mine = of_pipeline(pipeline)
            nearest = len(self._nearest(None, MOST_HITS, as_filter(mine)))
            if nearest < MOST_HITS:
                return nearest
            return sum(passes(payload.get("metadata", {}), mine) for _, payload in self.scan())
        with suppress(NoCollectionError), self._index.reading() as index:
            spaces = index.describe_index_stats().namespaces
            if self._namespace in spaces:
                return spaces[self._namespace].vector_count - (self._known() is not None)
        return 0

    def publish(self, name: str, /) -> None:
        """Pinecone has no alias: a record in the namespace `name` of the first index says which one is live."""
        self._required()
        book = json.dumps({"index": self._settings.index, "collection": self._namespace})
        with closing(Namespace(self._settings.first, name)) as pointer, pointer.opened() as index:
            record = Record(POINTER, anywhere(pointer.dimension), metadata={BOOK: book})
            index.upsert(vectors=[record], namespace=name)
            pointer.wrote(POINTER, record)

    def place(self, name: str, /) -> Place:
        """The address is the index, the collection a namespace."""
        published = None
        with suppress(NoCollectionError), closing(Namespace(self._settings.first, name)) as pointer:
            with pointer.opened() as index:
                record = index.fetch(ids=[POINTER], namespace=name).vectors.get(POINTER)
            published = book_of(record.metadata or {}).get("collection") if record else None
        return Place(self._settings.index, self._namespace, published)

    def drop(self) -> None:
        """Other namespaces of the index stay; a later generation's own index goes, once nobody has a record in it."""
        self._index.erase_all(SENTINEL)
        self._texts.drop()
        if self._settings.first is not self._settings:
            with suppress(NoCollectionError):
                self._index.remove()
        self._marks = None

    def close(self) -> None:
        """Returns when everybody sees what was written; further calls but this one fail."""
        self._texts.close()
        self._index.close()

    def _required(self) -> Marks:
        marks = self._known()
        if marks is None:
            raise NoCollectionError(f"{self._index.name}: there is no collection yet; it is made by a sync")
        return marks

    def _known(self) -> Marks | None:
        return self._looked_up() if self._marks is None else self._marks

    def _looked_up(self) -> Marks | None:
        marker = next(iter(self._index.fetched([SENTINEL])), None)
        self._marks = None if marker is None else book_of(marker.metadata or {})
        return self._marks

    def _write_marks(self, marks: Marks) -> None:
        metadata = {BOOK: json.dumps(marks)}
        self._index.write([Record(SENTINEL, anywhere(self._index.dimension), metadata=metadata)])
        self._marks = marks

    def _page(self, token: str) -> tuple[list[str], str | None]:
        """Ids, and what asks for the next page; None at the end."""
        with suppress(NoCollectionError), self._index.reading() as index:
            listed = index.list_paginated(limit=PAGE, pagination_token=token or None, namespace=self._namespace)
            ids = [item.id for item in listed.vectors if item.id and item.id != SENTINEL]
            return ids, listed.pagination.next if listed.pagination else None
        return [], None

    def _pages(self) -> Iterator[list[Record]]:
        token: str | None = ""
        while token is not None:
            ids, token = self._page(token)
            yield self._index.fetched(ids)

    def _best(self, vector: Vector, conditions: Sequence[Condition], limit: int) -> list[Hit]:
        most = limit + 1  # one may be the sentinel
        hits: list[Hit] = []
        nearest: list[ScoredVector] = []
        is_all = False
        while len(hits) < limit and not is_all:
            most = min(most, MOST_HITS)
            nearest = self._nearest(vector, most, as_filter(conditions))
            hits = list(islice(self._passing(nearest, conditions, has_payloads=most <= PAGE), limit))
            is_all = len(nearest) < most or most == MOST_HITS
            most *= 4
        if len(hits) < limit and len(nearest) == MOST_HITS:
            _log.warning("%s: every record is read, as Pinecone cannot compare what is asked for", self._index.name)
            hits = nlargest(limit, self._compared(vector, conditions), key=lambda hit: hit.score)
        return sorted(hits, key=lambda hit: -hit.score)

    def _compared(self, vector: Vector, conditions: Sequence[Condition]) -> Iterator[Hit]:
        for record in (record for records in self._pages() for record in records):
            if _passes(record.metadata, conditions):
                yield Hit(PointId(record.id), cosine(vector, as_vector(record.values)), record.metadata or {})

    def _nearest(self, vector: Vector | None, most: int, meaning: Words | bool) -> list[ScoredVector]:
        """To some vector where that is None."""
        with suppress(NoCollectionError), self._index.reading() as index:
            if not isinstance(meaning, bool) or meaning:
                return index.query(
                    vector=anywhere(self._index.dimension) if vector is None else vector.tolist(),
                    top_k=most,
                    namespace=self._namespace,
                    filter=None if isinstance(meaning, bool) else meaning,
                    include_metadata=most <= PAGE,
                ).matches
        return []

    def _passing(
        self, nearest: list[ScoredVector], conditions: Sequence[Condition], *, has_payloads: bool
    ) -> Iterator[Hit]:
        """As they are stored; payloads come with a short answer, and a long one would be too large with them."""
        records = [one for one in nearest if one.id != SENTINEL]
        for part in slices(records, PAGE):
            fetched = (
                {} if has_payloads else {one.id: one.metadata for one in self._index.fetched([one.id for one in part])}
            )
            for one in part:
                if has_payloads or one.id in fetched:
                    stored = one.metadata if has_payloads else fetched[one.id]
                    if _passes(stored, conditions):
                        yield Hit(PointId(one.id), one.score, stored or {})


def _passes(stored: Payload | None, conditions: Sequence[Condition]) -> bool:
    return passes(as_payload(stored).get("metadata", {}), conditions)
