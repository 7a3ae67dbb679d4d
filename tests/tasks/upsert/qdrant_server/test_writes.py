"""How many requests are on their way, how large they may be, and whose mark stands in the end."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tasks.errors import TransientError
from tasks.records import Query, Sentinel
from tasks.upsert.qdrant_server.store import IN_FLIGHT, QdrantServerStore
from tests.contracts.store.trial import ANYWHERE, holds, point
from tests.points import columns
from tests.qdrant_server import Fault, QdrantServer, RefusalError

Opened = Callable[..., QdrantServerStore]
WRITE = "PUT /collections/c/points"


def test_several_batches_are_on_their_way_at_a_time(server: QdrantServer, opened: Opened) -> None:
    store, points = opened(), [point(f"{number}") for number in range(500 * IN_FLIGHT)]
    store.ensure(8)
    meeting, answer = threading.Barrier(IN_FLIGHT, timeout=30), server.answer

    def met(request: str, body: Any) -> Any:
        meeting.wait()
        return answer(request, body)

    server.answer = met  # type: ignore[method-assign]
    store.upsert(columns(*points))
    server.answer = answer  # type: ignore[method-assign]
    holds(store, *points)


def test_after_a_failure_nothing_more_is_sent_and_nothing_lands_late(server: QdrantServer, opened: Opened) -> None:
    store, points = opened(), [point(f"{number}") for number in range(5000)]
    store.ensure(8)
    server.asked()
    server.faults, answer = [Fault(WRITE, seconds=0.3)], server.answer

    def refused(request: str, body: Any) -> Any:
        if points[0].id in str(body):  # the batch that was sent first, in whatever order they arrive
            raise RefusalError(503, "planted")
        return answer(request, body)

    server.answer = refused  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        store.upsert(columns(*points))
    server.answer = answer  # type: ignore[method-assign]
    server.faults = []
    assert store.count() == 500 * (IN_FLIGHT - 1)  # they were waited for
    assert server.asked().count(WRITE) == IN_FLIGHT
    store.upsert(columns(*points))
    holds(store, *points)


def test_requests_keep_within_what_strict_mode_lets_through(server: QdrantServer, opened: Opened) -> None:
    server.strict = {"upsert_max_batchsize": 100, "max_query_limit": 50}
    store, points = opened(), [point(f"{number}") for number in range(250)]
    store.ensure(8)
    server.asked()
    store.upsert(columns(*points))
    assert server.asked() == [WRITE] * 3
    holds(store, *points)
    holds(opened(), *points)
    server.strict = {"write_rate_limit": 125}
    later = opened()
    later.upsert(columns(*points))
    assert server.asked().count(WRITE) == 2


def test_a_search_takes_what_strict_mode_gives_and_says_so(
    server: QdrantServer, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    server.strict = {"max_query_limit": 20}
    store, points = opened(), [point(f"{number}") for number in range(50)]
    store.ensure(8)
    store.upsert(columns(*points))
    best = sorted(points, key=lambda one: -float(one.vector @ ANYWHERE))
    reader = opened()
    for _ in range(2):
        assert [hit.id for hit in reader.search(Query(ANYWHERE, 30))] == [one.id for one in best[:20]]
    (message,) = caplog.messages
    assert "its strict mode gives 20 results at most; raise max_query_limit" in message


@pytest.mark.parametrize("pipeline", ["", "my.own"])
def test_an_overtaken_run_leaves_the_mark_of_the_newer_one(server: QdrantServer, opened: Opened, pipeline: str) -> None:
    slow, quick = opened(), opened()
    slow.ensure(8)
    slow.mark(first := Sentinel("line", 1, "space", at=1.0), pipeline)
    quick.sentinel(pipeline)
    quick.mark(second := Sentinel("line", 2, "space"), pipeline)
    slow.mark(first, pipeline)
    assert opened().sentinel(pipeline) == second
    restored = opened()
    assert restored.sentinel(pipeline) == second
    restored.mark(first, pipeline)  # by a ledger from a backup, which has seen the newer mark
    assert opened().sentinel(pipeline) == first
    quick.mark(other := Sentinel("other", 1, "space"), pipeline)  # taken over
    assert opened().sentinel(pipeline) == other


def test_a_server_without_conditions_has_its_mark_replaced(server: QdrantServer, opened: Opened) -> None:
    server.only_indexed = True
    store = opened()
    store.ensure(8)
    for epoch in (1, 2, 3):
        store.mark(Sentinel("line", epoch, "space"))
        assert store.sentinel() == Sentinel("line", epoch, "space")


def test_threads_may_write_at_the_same_time(server: QdrantServer, opened: Opened) -> None:
    store, points = opened(), [point(f"{number}") for number in range(2400)]
    store.ensure(8)
    parts = [columns(*points[start::3]) for start in range(3)]
    threads = [threading.Thread(target=store.upsert, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holds(store, *points)
