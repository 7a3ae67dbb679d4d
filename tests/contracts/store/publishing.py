"""The name that leads other readers to the live collection, and collections that are not needed any more."""

import pytest

from tasks.errors import HeadraceError
from tasks.records import Query, Sentinel
from tests.contracts.store.trial import ANYWHERE, Trial, check, check_where, durable, holds, point, shared
from tests.points import columns


@check_where(durable)
def a_name_leads_to_the_collection_that_was_published_last(trial: Trial) -> None:
    one, other, name = trial.make("one"), trial.make("other"), trial.named("one-live")
    one.upsert(columns(mine := point("mine")))
    other.upsert(columns(theirs := point("theirs")))
    assert one.place(name).published is None
    one.publish(name)
    one.publish(name)
    trial.kind.settle(one)
    assert one.place(name).published == other.place(name).published == trial.named("one")
    other.publish(name)
    trial.kind.settle(other)
    one = trial.reopen(one)
    assert one.place(name).published == trial.named("other")
    assert one.place(trial.named("another")).published is None
    holds(one, mine)
    holds(trial.reopen(other), theirs)


@check_where(durable)
def a_name_leads_on_while_its_collection_changes(trial: Trial) -> None:
    store, name = trial.make("one"), trial.named("one-live")
    store.publish(name)
    store.upsert(columns(one := point("one")))
    store.mark(Sentinel("line", 1, "space"))
    trial.kind.settle(store)
    assert store.place(name).published == trial.named("one")
    holds(store, one)
    assert store.sentinel() == Sentinel("line", 1, "space")


@check_where(shared)
def others_see_where_a_name_leads(trial: Trial) -> None:
    store, other, name = trial.make("one"), trial.make("other"), trial.named("one-live")
    store.publish(name)
    with trial.elsewhere("other") as child:
        trial.kind.settle(store)
        assert child.call("place", name).published == trial.named("one")
        child.call("publish", name)
    trial.kind.settle(other)
    assert store.place(name).published == trial.named("other")


@check_where(durable)
def no_name_leads_to_a_collection_that_is_not_there(trial: Trial) -> None:
    store, name = trial.open("one"), trial.named("one-live")
    with pytest.raises(HeadraceError):
        store.publish(name)
    assert store.place(name).published is None


@check_where(durable)
def a_collection_is_no_name_for_another(trial: Trial) -> None:
    one, other = trial.make("one"), trial.make("other")
    other.upsert(columns(theirs := point("theirs")))
    if trial.kind.names_are_collections:
        with pytest.raises(HeadraceError):
            one.publish(trial.named("other"))
    holds(other, theirs)


@check
def a_place_tells_where_the_collection_is(trial: Trial) -> None:
    place = trial.make("one").place(trial.named("one-live"))
    assert place.address
    assert place.collection
    assert "@" not in place.address


@check
def a_dropped_collection_is_gone_with_all_it_held(trial: Trial) -> None:
    store = trial.make("one")
    store.upsert(columns(*(points := [point() for _ in range(20)])))
    store.mark(Sentinel("line", 1, "space"))
    store.drop()
    store.drop()
    ids = [one.id for one in points]
    assert (store.count(), store.sentinel(), list(store.scan()), store.present(ids)) == (0, None, [], set())
    assert store.search(Query(ANYWHERE, 3)) == []
    if not trial.kind.has_one_dimension:
        store.ensure(3)
        store.drop()
    store.ensure(8)
    store.upsert(columns(points[3]))
    holds(store, points[3])


@check_where(durable)
def a_drop_leaves_other_collections_alone(trial: Trial) -> None:
    old, new, name = trial.make("one"), trial.make("one-2"), trial.named("one-live")
    old.upsert(columns(point("old")))
    new.upsert(columns(one := point("new")))
    old.publish(name)
    new.publish(name)
    old = trial.reopen(old)
    old.drop()
    assert trial.reopen(old).sentinel() is None
    new = trial.reopen(new)
    assert new.place(name).published == trial.named("one-2")
    holds(new, one)
    trial.open("never-made").drop()
