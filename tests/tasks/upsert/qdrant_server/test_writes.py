"""How many requests are on their way, how large they may be, and whose mark stands in the end."""

import threading
from collections.abc import Callable

import pytest

from tasks.errors import ConfigError, TransientError
from tasks.records import Query, Sentinel
from tasks.upsert.qdrant_server.store import IN_FLIGHT, QdrantServerStore
from tests.contracts.store.trial import ANYWHERE, holds, point
from tests.points import columns
from tests.qdrant_server import Fault, QdrantServer

Opened = Callable[..., QdrantServerStore]
WRITE = "PUT /collections/c/points"


def test_several_batches_are_on_their_way_at_a_time(server: QdrantServer, opened: Opened) -> None:
    store, points = opened(), [point(f"{number}") for number in range(5000)]
    store.ensure(8)
    server.faults = [Fault(WRITE, seconds=0.3)]
    store.upsert(columns(*points))
    assert server.most_at_once == IN_FLIGHT
    server.faults = []
    assert store.count() == len(points)


def test_after_a_failure_nothing_more_is_sent_and_nothing_lands_late(server: QdrantServer, opened: Opened) -> None:
    store, points = opened(), [point(f"{number}") for number in range(5000)]
    store.ensure(8)
    server.asked()
    server.faults = [Fault(WRITE, 503, times=1), Fault(WRITE, seconds=0.3)]
    with pytest.raises(TransientError):
        store.upsert(columns(*points))
    assert server.at_once == 0
    assert server.asked() == [WRITE] * IN_FLIGHT
    server.faults = []
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
    with pytest.raises(ConfigError, match="ask for fewer results, or raise max_query_limit"):
        store.search(Query(ANYWHERE, 60))
    server.strict = {"write_rate_limit": 125}
    later = opened()
    later.upsert(columns(*points))
    assert server.asked().count(WRITE) == 2


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
