"""What goes in comes out, and what is taken away is gone."""

import threading
from dataclasses import replace

import numpy as np

from tasks.records import Query, Sentinel
from tests.contracts.store.trial import ANYWHERE, Trial, check, holds, point, with_vector
from tests.points import Point, columns


@check
def records_come_back_as_they_were_written(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}") for number in range(20)]
    store.upsert(columns(*points))
    holds(store, *points)
    ids = [one.id for one in points]
    assert set(store.vectors([*ids[:3], point().id])) == set(ids[:3])
    assert store.present([ids[4], point().id]) == {ids[4]}


@check
def a_store_may_be_told_what_is_coming_and_need_not_be(trial: Trial) -> None:
    store, one = trial.make(), point()
    store.expect(2)
    store.expect(1000)
    store.upsert(columns(one))
    holds(store, one)


@check
def an_upsert_is_idempotent(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}") for number in range(5)]
    store.upsert(columns(*points))
    store.upsert(columns(*points))
    holds(store, *points)


@check
def an_upsert_of_a_held_id_replaces_payload_and_vector(trial: Trial) -> None:
    store = trial.make()
    old, stays, new = point("old", draft="yes"), point("stays"), point("new")
    store.upsert(columns(old, stays))
    again = Point(old.id, new.vector, new.payload)
    store.upsert(columns(again))
    holds(store, again, stays)
    assert [hit.payload for hit in store.search(Query(new.vector, 1))] == [new.payload]


@check
def a_delete_of_a_missing_id_is_no_error(trial: Trial) -> None:
    store = trial.make()
    stays, goes, never = point("stays"), point("goes"), point("never")
    store.upsert(columns(stays, goes))
    store.delete([never.id, goes.id, never.id])
    holds(store, stays)
    store.delete([goes.id])
    holds(store, stays)
    assert store.present([goes.id, never.id]) == set()
    assert store.vectors([goes.id, never.id]) == {}
    assert [hit.id for hit in store.search(Query(goes.vector, 9))] == [stays.id]


@check
def a_deleted_id_can_be_written_again(trial: Trial) -> None:
    store, one = trial.make(), point()
    store.upsert(columns(one))
    store.delete([one.id])
    holds(store)
    store.upsert(columns(one))
    holds(store, one)


@check
def nothing_to_do_is_no_error(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns())
    store.delete([])
    assert (store.present([]), store.vectors([])) == (set(), {})
    holds(store)


@check
def many_records_at_once_are_all_there_and_scanned_once(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}") for number in range(2500)]
    store.upsert(columns(*points))
    assert len(list(store.scan())) == 2500
    holds(store, *points)
    store.delete([one.id for one in points[:2400]])
    holds(store, *points[2400:])


@check
def a_scan_shows_what_was_written_since_the_last_one(trial: Trial) -> None:
    store, one, other = trial.make(), point("one"), point("other")
    assert list(store.scan()) == []
    store.upsert(columns(one))
    holds(store, one)
    store.upsert(columns(other))
    store.delete([one.id])
    holds(store, other)


@check
def records_may_be_deleted_during_a_scan(trial: Trial) -> None:
    store = trial.make()
    points = [point() for _ in range(700)]
    store.upsert(columns(*points))
    seen = []
    for one, _ in store.scan():
        seen.append(one)
        if len(seen) % 7 == 0:
            store.delete(seen[-7:])
    assert sorted(seen) == sorted(one.id for one in points)
    holds(store)


@check
def a_matrix_that_lies_column_by_column_is_written_row_by_row(trial: Trial) -> None:
    store = trial.make()
    points = [point() for _ in range(8)]
    matrix = columns(*points)
    store.upsert(replace(matrix, vectors=np.asfortranarray(matrix.vectors)))
    holds(store, *points)


@check
def a_search_ranks_by_cosine_similarity(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}") for number in range(50)]
    store.upsert(columns(*points))
    query = 3 * points[17].vector
    hits = store.search(Query(query, 10))
    best = sorted(points, key=lambda one: -float(one.vector @ query))[:10]
    assert [hit.id for hit in hits] == [one.id for one in best]
    assert [hit.payload for hit in hits] == [one.payload for one in best]
    np.testing.assert_allclose([hit.score for hit in hits], [float(one.vector @ query) / 3 for one in best], atol=1e-5)


@check
def a_search_returns_no_more_than_there_is(trial: Trial) -> None:
    store = trial.make()
    assert store.search(Query(ANYWHERE, 3)) == []
    store.upsert(columns(point(), point()))
    assert len(store.search(Query(ANYWHERE, 3))) == 2
    assert len(store.search(Query(ANYWHERE, 1))) == 1


@check
def pages_of_a_search_are_parts_of_one_answer(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}") for number in range(50)]
    store.upsert(columns(*points))
    ranked = sorted(points, key=lambda one: -float(one.vector @ ANYWHERE))
    for limit in (7, 50):
        pages = [store.search(Query(ANYWHERE, limit, offset=offset)) for offset in range(0, 50, limit)]
        assert [hit.id for page in pages for hit in page] == [one.id for one in ranked]
        assert [len(page) for page in pages][:-1] == [limit] * (len(pages) - 1)
    assert store.search(Query(ANYWHERE, 7, offset=50)) == store.search(Query(ANYWHERE, 7, offset=500)) == []


@check
def equally_near_records_are_on_one_page_each(trial: Trial) -> None:
    """The same text in many documents: a store may show them in any order, but always in the same."""
    store = trial.make()
    near = [with_vector([1.0] + [0.0] * 7, f"{number}") for number in range(40)]
    nearest = [with_vector([1.0, 0.1] + [0.0] * 6, f"{number}") for number in range(3)]
    store.upsert(columns(*near, *nearest))
    query = nearest[0].vector
    pages = [[hit.id for hit in store.search(Query(query, 5, offset=offset))] for offset in range(0, 45, 5)]
    assert sorted(pages[0][:3]) == sorted(one.id for one in nearest)
    assert sorted(one for page in pages for one in page) == sorted(one.id for one in (*near, *nearest))
    assert [one for page in pages for one in page] == [hit.id for hit in store.search(Query(query, 99))]


@check
def the_sentinel_is_no_record(trial: Trial) -> None:
    store, one = trial.make(), point()
    assert store.sentinel() is None
    store.mark(Sentinel("line", 7, "space"))
    store.mark(Sentinel("line", 8, "ünïcode"))
    assert store.sentinel() == Sentinel("line", 8, "ünïcode")
    holds(store)
    assert store.search(Query(ANYWHERE, 3)) == []
    store.upsert(columns(one))
    holds(store, one)
    assert [hit.id for hit in store.search(Query(ANYWHERE, 3))] == [one.id]
    assert store.sentinel() == Sentinel("line", 8, "ünïcode")


@check
def calls_from_several_threads_are_all_carried_out(trial: Trial) -> None:
    store = trial.make()
    shares = [[point(f"{thread}") for _ in range(300)] for thread in range(4)]
    failures: list[BaseException] = []

    def work(share: list[Point]) -> None:
        try:
            for start in range(0, 300, 50):
                part = share[start : start + 50]
                store.upsert(columns(*part))
                assert store.present([one.id for one in part]) == {one.id for one in part}
                assert len(store.search(Query(part[0].vector, 5))) == 5
                assert len(list(store.scan())) >= start + 50
            store.delete([one.id for one in share[:100]])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    holds(store, *(one for share in shares for one in share[100:]))
