"""A store that has no index of words, with one of ours beside it; idle where its server turns out to have one.

Words are written before the record, and deleted after it: what the index has and the store has not is not shown. A run
that finds the index to be of another run than the collection, or of another size, makes it right from the collection.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from tasks.errors import MissingTextIndexError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.slices import slices
from tasks.upsert.base import Place, RanksWords, VectorStore
from tasks.upsert.filters import passes
from tasks.upsert.page import page
from tasks.upsert.words.index import DamagedWordsError, WordIndex, state

RECORDS_AT_A_TIME = 1000


class WordedStore:
    """Answers queries by words itself, and passes on all others."""

    def __init__(self, store: VectorStore, words: WordIndex) -> None:
        """Both are closed with this one."""
        self._store = store
        self._words = words
        self._sentinel: Sentinel | None = None  # what a run asks at its beginning, it asks once
        self._count: int | None = None
        self._ranks_words: bool | None = None  # as far as the store was asked

    def ensure(self, dimension: int, /) -> None:
        """The index is made, too, or made right; one that is needed no more is removed."""
        self._store.ensure(dimension)
        self._ranks_words = None
        if self._is_idle:
            self._words.remove_file()
        elif not self._is_right():
            self.restore()
        self._sentinel = self._count = None

    def restore(self) -> None:
        """Make the index hold what the collection does: the collection is read, and what differs written."""
        if self._is_idle:
            return
        try:
            self._words.begin()
            held = self._words.states()
        except DamagedWordsError:
            self._words.reset()
            self._words.begin()
            held = {}
        records: list[tuple[PointId, Payload]] = []
        for point, payload in self._store.scan():
            if held.pop(point, None) != state(payload):
                records.append((point, payload))
            if len(records) == RECORDS_AT_A_TIME:
                self._words.put(records)
                records = []
        self._words.put(records)
        for part in slices(list(held), RECORDS_AT_A_TIME):
            self._words.delete(part)
        if mark := self._store.sentinel():
            self._words.finish(mark)

    def states(self) -> dict[PointId, bytes] | None:
        """What the index knows of each record, to be compared with `state` of its payload; nothing if damaged.

        None where the store has its own.
        """
        if self._is_idle:
            return None
        try:
            return self._words.states() if self._words.mark() else {}
        except DamagedWordsError:
            return {}

    def expect(self, points: int, /) -> None:
        """Passed on."""
        self._store.expect(points)

    def upsert(self, points: Points, /) -> None:
        """Words first."""
        if not self._is_idle:
            self._words.put(zip(points.ids, points.payloads, strict=True))
        self._store.upsert(points)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Words last."""
        self._store.delete(ids)
        if not self._is_idle:
            self._words.delete(ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Passed on."""
        return self._store.present(ids)

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Passed on."""
        return self._store.scan()

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Passed on."""
        return self._store.vectors(ids)

    def search(self, query: Query, /) -> list[Hit]:
        """Words are looked for here."""
        if not query.words or self._is_idle:
            return self._store.search(query)
        try:
            if self._words.mark() is None:
                raise MissingTextIndexError("the collection has no index of words yet; the next sync makes it")
            return page(query, partial(self._best, query))
        except DamagedWordsError as error:
            raise MissingTextIndexError(f"{error}; `headrace verify --repair` makes the index of words anew") from error

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """Passed on."""
        sentinel = self._store.sentinel(pipeline)
        if not pipeline:
            self._sentinel = sentinel
        return sentinel

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Both get the mark; a run that dies between them leaves an index that the next one reads again."""
        self._store.mark(sentinel, pipeline)
        if not self._is_idle:
            self._words.finish(sentinel)

    def count(self, pipeline: str = "", /) -> int:
        """Passed on."""
        count = self._store.count(pipeline)
        if not pipeline:
            self._count = count
        return count

    def publish(self, name: str, /) -> None:
        """Passed on."""
        self._store.publish(name)

    def place(self, name: str, /) -> Place:
        """Passed on."""
        return self._store.place(name)

    def drop(self) -> None:
        """The index goes with the collection."""
        is_idle = self._is_idle
        self._store.drop()
        if not is_idle:
            self._words.remove()

    def close(self) -> None:
        """Close both."""
        self._store.close()
        self._words.close()

    @property
    def _is_idle(self) -> bool:
        if self._ranks_words is None:
            self._ranks_words = isinstance(self._store, RanksWords) and self._store.ranks_words()
        return self._ranks_words

    def _is_right(self) -> bool:
        try:
            mark = self._words.mark()
            if mark is None or mark != (self._sentinel or self.sentinel()):
                return False
            return self._words.count() == (self.count() if self._count is None else self._count)
        except DamagedWordsError:
            return False

    def _best(self, query: Query, limit: int) -> list[Hit]:
        """Those that pass and that the store has; the index is asked for more as long as these are too few."""
        wanted = limit
        while True:
            ranked = self._words.best(query.words, wanted)
            passing = [hit for hit in ranked if passes(hit.payload.get("metadata") or {}, query.conditions)]
            present = self._store.present([hit.id for hit in passing])
            hits = [hit for hit in passing if hit.id in present]
            if len(hits) >= limit or len(ranked) < wanted:
                return hits[:limit]
            wanted *= 4
