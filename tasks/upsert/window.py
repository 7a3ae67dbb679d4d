"""Writes one window: intent, upsert, acknowledgement, flip."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tasks.errors import TransientError
from tasks.keyed_vectors import KeyedVectors
from tasks.records import EmbeddingKey, Points
from tasks.slices import slices
from tasks.upsert.base import VectorLookup, VectorStore, WriteAheadLedger
from tasks.windows import DocumentChange, Embedded, NewPoint, Quarantined, Written

POINTS_PER_UPSERT = 1000


def write_window(store: VectorStore, ledger: WriteAheadLedger, cache: VectorLookup, embedded: Embedded) -> Written:
    """Documents that may lose their content are left as they are: the end of the run decides about them."""
    started = time.perf_counter()
    refused = [failure for change in embedded.deduped.changes if (failure := _refusal(change, embedded.rejected))]
    failures = [*embedded.deduped.failures, *refused]
    without = {failure.id for failure in refused}
    changes = [change for change in embedded.deduped.changes if change.id not in without]
    in_hand = _FreshVectors(embedded.vectors, cache)
    write_changes(store, ledger, in_hand, [change for change in changes if not change.waits])
    if failures:
        ledger.quarantine(failures)
    embedded.tally.upsert_seconds = time.perf_counter() - started
    return Written(embedded.tally, changes, failures)


class _FreshVectors:
    """Vectors that were paid for a moment ago, and the cache for all others."""

    def __init__(self, fresh: Sequence[KeyedVectors], cache: VectorLookup) -> None:
        self._fresh = KeyedVectors.joined(fresh)
        self._cache = cache

    def get(self, keys: Iterable[EmbeddingKey], /) -> KeyedVectors:
        wanted = dict.fromkeys(keys)
        older = [key for key in wanted if key not in self._fresh]
        if not older:
            return self._fresh
        newer = [key for key in wanted if key in self._fresh]
        fresh = KeyedVectors(newer, self._fresh.matrix(newer))
        return KeyedVectors.joined([fresh, self._cache.get(older)])


def write_changes(
    store: VectorStore, ledger: WriteAheadLedger, cache: VectorLookup, changes: Sequence[DocumentChange]
) -> None:
    """New points go in before old ones are doomed, so readers always find one whole version of a document."""
    put_points(store, ledger, cache, changes)
    if changes:
        ledger.flip(changes)


def put_points(
    store: VectorStore, ledger: WriteAheadLedger, cache: VectorLookup, changes: Sequence[DocumentChange]
) -> None:
    """The first half of it: until the ledger is told, the documents are what they were."""
    changed = [change for change in changes if change.put]
    if changed:
        ledger.intend(changed)
        for points in _points(changed, cache):
            store.upsert(points)


def _refusal(change: DocumentChange, rejected: Mapping[EmbeddingKey, str]) -> Quarantined | None:
    """A document is written whole or not at all: without one of its chunks it would be found by some queries only."""
    why = next((rejected[new.embedding] for new in change.put if new.embedding in rejected), None)
    if why is None:
        return None
    message = f"{change.id}: one of its chunks cannot be embedded: {why}; change the document, or exclude it"
    return Quarantined(change.id, "rejected", message, change.hint, change.version)


def _points(changes: Sequence[DocumentChange], cache: VectorLookup) -> Iterator[Points]:
    put = [new for change in changes for new in change.put]
    for part in slices(put, POINTS_PER_UPSERT):
        yield _with_vectors(part, cache)


def _with_vectors(put: Sequence[NewPoint], cache: VectorLookup) -> Points:
    keys = [new.embedding for new in put]
    try:
        return Points([new.id for new in put], cache.get(keys).matrix(keys), [new.payload for new in put])
    except KeyError as error:
        raise TransientError("the embedding cache lost vectors during the run; the next run pays for them") from error
