"""Writes one window: intent, upsert, acknowledgement, flip."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tasks.errors import TransientError
from tasks.records import EmbeddingKey, Point, Vector
from tasks.upsert.base import VectorSource, VectorStore, WriteAheadLedger
from tasks.windows import DocumentPlan, Embedded, Failure, NewPoint, Written

POINTS_PER_UPSERT = 1000


def write_window(store: VectorStore, ledger: WriteAheadLedger, cache: VectorSource, embedded: Embedded) -> Written:
    """Documents that lose their content are left as they are: the guard decides about them at the end of the run."""
    started = time.perf_counter()
    refused = [failure for plan in embedded.planned.plans if (failure := _refusal(plan, embedded.rejected))]
    failures = [*embedded.planned.failures, *refused]
    without = {failure.id for failure in refused}
    plans = [plan for plan in embedded.planned.plans if plan.id not in without]
    in_hand = _InHand(embedded.vectors, cache)
    write_plans(store, ledger, in_hand, [plan for plan in plans if not plan.loses_content])
    if failures:
        ledger.set_aside(failures)
    return Written(embedded, plans, failures, time.perf_counter() - started)


class _InHand:
    """Vectors that were paid for a moment ago, and the cache for all others."""

    def __init__(self, fresh: Mapping[EmbeddingKey, Vector], cache: VectorSource) -> None:
        self._fresh = fresh
        self._cache = cache

    def get(self, keys: Iterable[EmbeddingKey], /) -> dict[EmbeddingKey, Vector]:
        wanted = list(keys)
        found = {key: self._fresh[key] for key in wanted if key in self._fresh}
        older = [key for key in wanted if key not in found]
        return {**found, **self._cache.get(older)} if older else found


def write_plans(
    store: VectorStore, ledger: WriteAheadLedger, cache: VectorSource, plans: Sequence[DocumentPlan]
) -> None:
    """New points go in before old ones are doomed, so readers always find one whole version of a document."""
    changed = [plan for plan in plans if plan.put]
    if changed:
        ledger.intend(changed)
        for points in _points(changed, cache):
            store.upsert(points)
    if plans:
        ledger.flip(plans)


def _refusal(plan: DocumentPlan, rejected: Mapping[EmbeddingKey, str]) -> Failure | None:
    """A document is written whole or not at all: without one of its chunks it would be found by some queries only."""
    why = next((rejected[new.embedding] for new in plan.put if new.embedding in rejected), None)
    if why is None:
        return None
    message = f"{plan.id}: one of its chunks cannot be embedded: {why}; change the document, or exclude it"
    return Failure(plan.id, "rejected", message, plan.hint, plan.version)


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
