"""One collection and several processes or pipelines, one database and several collections."""

import pytest

from tasks.errors import CollectionError, LockedError, ServiceError
from tasks.records import AnyOf, Filter, Query, Sentinel
from tasks.upsert.filters import PIPELINE
from tasks.upsert.marks import SHARED
from tasks.upsert.shared import SharedStore
from tests.contracts.store.trial import (
    ANYWHERE,
    Trial,
    check,
    check_where,
    durable,
    exclusive,
    holds,
    names,
    point,
    readable,
    shared,
)
from tests.points import Point, columns

LARGE = 600  # points in a batch; the embedded engine then has a process of its own
# What the configuration lets a collection be called; some differ only where a careless store would not look.
NAMES = ["a", "a-b", "a_b", "a.b", "lock", "a" * 100]


@check_where(durable)
def collections_of_one_database_keep_apart(trial: Trial) -> None:
    stores = {name: trial.open(name) for name in NAMES}
    records = {name: point(name) for name in NAMES}
    for name, store in stores.items():
        assert (store.count(), store.sentinel()) == (0, None), name
        store.ensure(8)
        store.upsert(columns(records[name]))
        store.mark(Sentinel(name, 1, "space"))
    for name in NAMES:
        stores[name] = trial.reopen(stores[name])
        assert stores[name].sentinel() == Sentinel(name, 1, "space")
        holds(stores[name], records[name])
    stores["a"].delete([one.id for one in records.values()])
    for name in NAMES:
        holds(stores[name], *([] if name == "a" else [records[name]]))


@check_where(durable)
def an_id_may_be_in_two_collections(trial: Trial) -> None:
    one, other, mine = trial.make("one"), trial.make("other"), point("mine")
    theirs = Point(mine.id, point().vector, {**mine.payload, "text": "theirs"})
    one.upsert(columns(mine))
    other.upsert(columns(theirs))
    holds(one, mine)
    one.delete([mine.id])
    holds(one)
    holds(trial.reopen(other), theirs)


@check_where(lambda kind: not kind.has_one_dimension)
def collections_may_differ_in_dimension(trial: Trial) -> None:
    one, other = trial.open("one"), trial.open("other")
    one.ensure(8)
    other.ensure(3)
    one.upsert(columns(mine := point()))
    holds(one, mine)
    assert other.count() == 0


@check_where(exclusive)
def a_second_process_that_writes_is_refused_until_the_first_is_done(trial: Trial) -> None:
    store, mine, late = trial.make(), point("mine"), point("late")
    store.upsert(columns(mine))
    with trial.elsewhere() as child:
        with pytest.raises(LockedError, match="open in"):
            child.call("upsert", columns(late))
        holds(store, mine)
        store.close()
        child.call("upsert", columns(late))
        with pytest.raises(LockedError, match=f"process {child.pid} "):
            trial.open().delete([mine.id])
    holds(trial.open(), mine, late)


@check_where(exclusive)
def a_second_store_that_writes_in_the_same_process_is_refused_too(trial: Trial) -> None:
    store, mine = trial.make(), point("mine")
    store.upsert(columns(mine))
    second = trial.open()
    with pytest.raises(LockedError, match="open in"):
        second.upsert(columns(point("late")))
    second.close()
    holds(store, mine)


@check_where(readable)
def others_read_what_the_one_process_that_writes_has_written(trial: Trial) -> None:
    mine, theirs = point("mine", tags=["a", 1, None]), point("theirs", page=2)
    trial.make().close()
    reader = trial.open()
    with trial.elsewhere() as child:
        for size in (1, LARGE):
            many = [point("many") for _ in range(size)]
            child.call("upsert", columns(mine, theirs, *many))
            holds(reader, mine, theirs, *many)
            assert reader.search(Query(theirs.vector, 1))[0].payload == theirs.payload
            assert names(reader, AnyOf(((Filter("page", ">=", (2,)),), (Filter("tags", "in", ("b", 1.0)),)))) == {
                "mine",
                "theirs",
            }
            child.call("delete", [one.id for one in many])
            holds(reader, mine, theirs)
    holds(reader, mine, theirs)


@check_where(readable)
def whoever_reads_gives_way_to_whoever_writes(trial: Trial) -> None:
    one, other = point("one"), point("other")
    trial.make().close()
    holds(reader := trial.open())
    with trial.elsewhere() as child:
        child.call("upsert", columns(one))
        holds(reader, one)
        child.call("close")
    holds(reader, one)
    trial.open().upsert(columns(other))
    holds(reader, one, other)


@check_where(exclusive)
def closing_lets_others_in_and_a_closed_store_stays_out(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(one := point("one")))
    store.close()
    with trial.elsewhere() as child:
        assert child.call("present", [one.id]) == {one.id}
        with pytest.raises(ServiceError):
            store.delete([one.id])
        child.call("upsert", columns(other := point("other")))
    holds(trial.open(), one, other)


@check_where(shared)
def processes_see_what_each_has_written(trial: Trial) -> None:
    store, mine, theirs = trial.make(), point("mine"), point("theirs")
    store.upsert(columns(mine))
    with trial.elsewhere() as child:
        child.call("ensure", 8)
        assert child.call("present", [mine.id]) == {mine.id}
        child.call("upsert", columns(theirs))
        child.call("mark", Sentinel("line", 2, "space"))
        trial.kind.settle(store)
        holds(store, mine, theirs)
        assert store.sentinel() == Sentinel("line", 2, "space")
        store.delete([mine.id])
        assert child.call("count") == 1
    holds(store, theirs)


@check
def a_sentinel_comes_back_whole(trial: Trial) -> None:
    store = trial.make()
    whole = Sentinel("line", 7, "space", "docs.v2", 'hôst:/a folder/it\'s "quoted".yaml', 1764425112.347)
    store.mark(whole)
    assert store.sentinel() == whole
    store.mark(Sentinel("line", 8, "space"))
    assert store.sentinel() == Sentinel("line", 8, "space")


@check
def every_pipeline_has_a_mark_of_its_own(trial: Trial) -> None:
    store = trial.make()
    names = ["a", "a.b", "a-b", "a" * 100]
    marks = {name: Sentinel(name, number, "space", name) for number, name in enumerate(names)}
    for name, mark in marks.items():
        assert store.sentinel(name) is None
        store.mark(mark, name)
    assert store.sentinel() is None
    store.mark(Sentinel("all", 9, "space"))
    store.mark(again := Sentinel("a", 5, "space"), "a")
    assert {name: store.sentinel(name) for name in names} == {**marks, "a": again}
    assert store.sentinel() == Sentinel("all", 9, "space")
    holds(store)


@check
def a_count_of_one_pipeline_leaves_out_the_others_records(trial: Trial) -> None:
    store = trial.make()
    owners = {"a": 700, "ab": 2, "A": 1}
    records = [point(name, **{PIPELINE: name}) for name, many in owners.items() for _ in range(many)]
    store.upsert(columns(*records, point("nobody"), point("listed", **{PIPELINE: ["b"]})))
    store.mark(Sentinel("line", 1, "space"), "a")
    assert {name: store.count(name) for name in owners} == owners
    assert (store.count("c"), store.count()) == (0, 705)


@check_where(durable)
def marks_and_counts_of_pipelines_are_there_after_opening_again(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("mine", **{PIPELINE: "a"}), point("theirs", **{PIPELINE: "b"})))
    store.mark(Sentinel("line", 1, "space"), "a")
    store = trial.reopen(store)
    assert (store.sentinel(), store.sentinel("a")) == (None, Sentinel("line", 1, "space"))
    assert (store.count("a"), store.count()) == (1, 2)


@check
def pipelines_that_share_a_collection_see_their_own_alone(trial: Trial) -> None:
    store = trial.make()
    one, two = SharedStore(store, "a"), SharedStore(store, "ab")
    mine, odd = point("mine", year=1), point("odd", year=2, **{PIPELINE: "ab"})  # a document may have such a field
    theirs = [point("theirs", year=1) for _ in range(30)]
    one.upsert(columns(mine, odd))
    two.upsert(columns(*theirs))
    holds(one, mine, odd)
    holds(two, *theirs)
    hits = {hit.id: hit.payload for hit in one.search(Query(ANYWHERE, 9))}
    assert hits == {mine.id: mine.payload, odd.id: odd.payload}
    assert [hit.id for hit in one.search(Query(ANYWHERE, 9, [Filter("year", "in", (1,))]))] == [mine.id]
    two.drop()
    holds(two)
    holds(one, mine, odd)


@check
def pipelines_that_share_a_collection_agree_on_a_vector_space(trial: Trial) -> None:
    store = trial.make()
    one, two = SharedStore(store, "a"), SharedStore(store, "b")
    assert one.sentinel() is None
    one.mark(mark := Sentinel("line", 3, "space", "a"))
    assert (one.sentinel(), two.sentinel()) == (mark, Sentinel(SHARED, 0, "space"))
    with pytest.raises(CollectionError, match=r"another vector space \(space\)"):
        two.mark(Sentinel("other", 1, "another", "b"))
    two.mark(Sentinel("other", 1, "space", "b"))
    assert (one.sentinel(), two.sentinel()) == (mark, Sentinel("other", 1, "space", "b"))
    assert store.sentinel() == Sentinel(SHARED, 0, "space")
