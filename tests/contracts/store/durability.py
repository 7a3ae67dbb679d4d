"""What was acknowledged is there when the collection is opened again, however its process ended."""

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence

import pytest

from tasks.errors import CollectionError, ServiceError
from tasks.records import Query, Sentinel
from tests.contracts.store.trial import ANYWHERE, Trial, check, check_where, durable, holds, point
from tests.points import Point, columns

LARGE = 600  # points in a batch; the embedded engine then has a process of its own


@check_where(durable)
def records_are_there_after_closing_and_opening_again(trial: Trial) -> None:
    store = trial.make()
    goes, old, *stay = (point(f"{number}", tags=["a", 1, None], deep={"a": 2.5}) for number in range(9))
    new = Point(old.id, point().vector, {**old.payload, "text": "new"})
    store.upsert(columns(goes, old, *stay))
    store.delete([goes.id])
    store.upsert(columns(new))
    for _ in range(2):  # what is read by opening must not be lost by closing
        store = trial.reopen(store)
        assert store.count() == len(stay) + 1  # before anything else has made it read
        holds(store, new, *stay)
        assert store.present([goes.id]) == set()
        assert store.search(Query(stay[3].vector, 1))[0].id == stay[3].id


@check_where(durable)
def the_sentinel_is_there_after_opening_again(trial: Trial) -> None:
    store = trial.make()
    store.mark(Sentinel("line", 3, "space"))
    store = trial.reopen(store)
    assert store.sentinel() == Sentinel("line", 3, "space")
    store.upsert(columns(one := point()))
    store.mark(Sentinel("line", 4, "other"))
    store = trial.reopen(store)
    assert store.sentinel() == Sentinel("line", 4, "other")
    holds(store, one)


@check_where(durable)
def the_dimension_is_there_after_opening_again(trial: Trial) -> None:
    store = trial.reopen(trial.make())
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 9"):
        store.ensure(9)
    store = trial.reopen(store)
    store.ensure(8)
    store.upsert(columns(one := point()))
    store = trial.reopen(store)
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 9"):
        store.ensure(9)
    holds(store, one)


@check_where(durable)
def a_collection_can_be_written_without_ensure_after_opening_again(trial: Trial) -> None:
    store = trial.reopen(trial.make())
    store.upsert(columns(one := point()))
    holds(store, one)


@check_where(durable)
def deleting_everything_leaves_a_collection(trial: Trial) -> None:
    store = trial.make()
    store.mark(Sentinel("line", 1, "space"))
    points = [point() for _ in range(30)]
    store.upsert(columns(*points))
    store.delete([one.id for one in points])
    store = trial.reopen(store)
    holds(store)
    assert store.sentinel() == Sentinel("line", 1, "space")
    store.upsert(columns(points[3]))
    holds(trial.reopen(store), points[3])


@check
def closing_twice_is_no_error(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point()))
    store.close()
    store.close()
    trial.open("never-made").close()


@check_where(durable)
def a_closed_store_refuses_every_call(trial: Trial) -> None:
    store, one, late = trial.make(), point("one"), point("late")
    store.upsert(columns(one))
    store.mark(Sentinel("line", 1, "space"))
    store.close()
    calls = {
        "upsert": lambda: store.upsert(columns(late)),
        "delete": lambda: store.delete([one.id]),
        "present": lambda: store.present([one.id]),
        "scan": lambda: list(store.scan()),
        "vectors": lambda: store.vectors([one.id]),
        "search": lambda: store.search(Query(ANYWHERE, 3)),
        "mark": lambda: store.mark(Sentinel("line", 2, "space")),
        "count": store.count,
        "ensure": lambda: store.ensure(8),
    }
    for name, call in calls.items():
        with pytest.raises(ServiceError, match="closed"):
            pytest.fail(f"{name} returned {call()}")
    store = trial.open()
    holds(store, one)
    assert store.sentinel() == Sentinel("line", 1, "space")


@check_where(durable)
def what_was_acknowledged_outlives_a_killed_process(trial: Trial) -> None:
    """Killed while idle, right after each kind of write."""
    stays, goes, old = point("stays"), point("goes"), point("old")
    new = Point(old.id, point().vector, {**old.payload, "text": "new"})
    trial.make().close()
    with trial.elsewhere() as child:
        child.call("upsert", columns(stays, goes, old))
        child.call("mark", Sentinel("line", 5, "space"))
        child.call("delete", [goes.id])
        child.call("upsert", columns(new))
        os.kill(child.pid, signal.SIGKILL)
    store = trial.open()
    assert store.sentinel() == Sentinel("line", 5, "space")
    holds(store, stays, new)


@check_where(durable)
def a_process_killed_while_it_writes_leaves_whole_records_and_a_sound_collection(trial: Trial) -> None:
    """Killed at some moment of a batch, several times, and written to again each time."""
    dice = random.Random(3)
    trial.make().close()
    acknowledged: dict[str, Point] = {}
    begun: dict[str, Point] = {}
    for size in (50, LARGE, 200):
        batches = [[point(f"{number}", long="x" * 300) for _ in range(size)] for number in range(6)]
        begun.update((one.id, one) for batch in batches for one in batch)
        for batch in _written_until_killed(trial, batches, dice.uniform(0.5, 3)):
            acknowledged.update((one.id, one) for one in batch)
        store = trial.open()
        store.ensure(8)
        kept = dict(store.scan())
        assert acknowledged.keys() <= kept.keys() <= begun.keys()
        store.upsert(columns(late := point("late")))
        acknowledged[late.id] = begun[late.id] = late
        store = trial.reopen(store)
        stored = dict(store.scan())  # a server may have carried out another request of the dead process meanwhile
        assert kept.keys() | {late.id} <= stored.keys() <= begun.keys()
        holds(store, *(begun[one] for one in stored))
        store.close()


def _written_until_killed(trial: Trial, batches: Sequence[list[Point]], after: float) -> Iterator[list[Point]]:
    """The batches that were acknowledged; the process dies `after` as many times as one of them takes."""
    with trial.elsewhere() as child:
        child.call("count")
        started = time.monotonic()
        child.call("upsert", columns(*batches[0]))
        yield batches[0]
        took = time.monotonic() - started
        answers = [child.ask("upsert", columns(*batch)) for batch in batches[1:]]
        time.sleep(after * took)
        os.kill(child.pid, signal.SIGKILL)
        yield from (batch for answer, batch in zip(answers, batches[1:], strict=True) if answer.exception() is None)
