"""Writes one window: intent, upsert, acknowledgement, flip."""

import time
from collections.abc import Iterator, Sequence

from tasks.errors import TransientError
from tasks.records import Point
from tasks.upsert.base import VectorSource, VectorStore, WriteAheadLedger
from tasks.windows import DocumentPlan, Embedded, NewPoint, Written

POINTS_PER_UPSERT = 1000


def write_window(store: VectorStore, ledger: WriteAheadLedger, cache: VectorSource, embedded: Embedded) -> Written:
    """New points go in before old ones are doomed, so readers always find one whole version of a document.

    Emptied documents are left as they are: they count as deletions, and the guard decides at the end of the run.
    """
    started = time.perf_counter()
    plans = [plan for plan in embedded.planned.plans if not plan.is_emptied]
    changed = [plan for plan in plans if plan.put]
    if changed:
        ledger.intend(changed)
        for points in _points(changed, cache):
            store.upsert(points)
    if plans:
        ledger.flip(plans)
    if embedded.planned.loaded.failures:
        ledger.set_aside(embedded.planned.loaded.failures)
    return Written(embedded, time.perf_counter() - started)


def _points(plans: Sequence[DocumentPlan], cache: VectorSource) -> Iterator[list[Point]]:
    put = [new for plan in plans for new in plan.put]
    for start in range(0, len(put), POINTS_PER_UPSERT):
        yield _with_vectors(put[start : start + POINTS_PER_UPSERT], cache)


def _with_vectors(put: Sequence[NewPoint], cache: VectorSource) -> list[Point]:
    vectors = cache.get([new.embedding for new in put])
    try:
        return [Point(new.id, vectors[new.embedding], new.payload) for new in put]
    except KeyError as error:
        raise TransientError("the embedding cache lost vectors during the run; the next run pays for them") from error
