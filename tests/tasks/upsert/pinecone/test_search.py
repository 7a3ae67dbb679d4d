"""What Pinecone is asked for, and what is decided here."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tasks.records import AnyOf, Condition, Filter, PointId, Points, Query
from tasks.upsert.filters import passes
from tasks.upsert.pinecone import filter as words
from tasks.upsert.pinecone.records import as_payload, as_records
from tests.contracts.store.trial import names, point, with_vector
from tests.pinecone_server import PineconeServer, accepted, takes
from tests.points import columns
from tests.tasks.upsert.pinecone.conftest import Open

FIELDS = ["a", "b", "text", "headrace", "$a", ""]
SCALARS = some.sampled_from(["", "2024-01-31", 0, 1, 1.0, 2.5, -3, True, False, 2**53, 2**53 + 1, 2**64 - 1, 1e300])
VALUES = SCALARS | some.none() | some.lists(SCALARS, max_size=3) | some.just({"a": 1}) | some.just([["x"]])
OPERATORS = some.sampled_from(["in", "not_in"])
LIMITS = some.sampled_from(["2024-01-01", 0, 1, 1.5, 2**53 + 1, 2**53 + 3, float("inf"), -float("inf")])
EQUALITIES = some.builds(Filter, some.sampled_from(FIELDS), OPERATORS, some.lists(SCALARS, max_size=3).map(tuple))
RANGES = some.builds(
    Filter, some.sampled_from(FIELDS), some.sampled_from([">", ">=", "<", "<="]), LIMITS.map(lambda one: (one,))
)
LEAVES = EQUALITIES | RANGES
CONDITIONS = some.lists(LEAVES | some.builds(AnyOf, some.lists(some.lists(LEAVES, max_size=2).map(tuple)).map(tuple)))


@settings(max_examples=600, deadline=None, database=None)
@given(metadata=some.dictionaries(some.sampled_from(FIELDS), VALUES), conditions=CONDITIONS)
def test_pinecone_lets_through_every_record_that_fits(metadata: dict[str, Any], conditions: list[Condition]) -> None:
    point = PointId("p")
    [record], _ = as_records(Points([point], np.ones((1, 2), np.float32), [{"text": "t", "metadata": metadata}]))
    stored = accepted(record.metadata or {})
    assert as_payload(stored)["metadata"] == metadata
    meaning = words.as_filter(conditions)
    is_let_through = meaning if isinstance(meaning, bool) else takes(stored, meaning)
    assert is_let_through or not passes(metadata, conditions)


@pytest.mark.parametrize(
    "one",
    [
        Filter("tag", "in", ("yes",)),
        Filter("tag", "not_in", ("no", "other")),
        Filter("page", ">=", (7,)),
        Filter("page", "in", (7, 8)),
        Filter("draft", "in", (True,)),
        AnyOf(((Filter("tag", "in", ("yes",)), Filter("page", "in", (7,))),)),
    ],
)
def test_a_plain_condition_is_decided_there(server: PineconeServer, make: Open, one: Condition) -> None:
    store = make()
    near = [with_vector([1.0] + [0.0] * 7, "near", tag="no", page=1, draft=False) for _ in range(60)]
    far = with_vector([0.0] * 7 + [1.0], "far", tag="yes", page=7, draft=True)
    store.upsert(columns(*near, far))
    assert store.count() == 61
    server.paths()
    assert [hit.id for hit in store.search(Query(near[0].vector, 1, [one]))] == [far.id]
    assert server.paths() == ["/query"]


def test_what_pinecone_cannot_compare_is_looked_for_further_away(server: PineconeServer, make: Open) -> None:
    store = make()
    near = [with_vector([1.0] + [0.0] * 7, "near", tags=["a", number]) for number in range(900)]
    far = [with_vector([0.0] * 7 + [1.0], f"far{number}", tags=["b", 7.5]) for number in range(3)]
    store.upsert(columns(*near, *far))
    hits = store.search(Query(near[0].vector, 2, [Filter("tags", "in", (7.5,))]))
    assert {hit.id for hit in hits} < {one.id for one in far}
    assert [hit.payload["metadata"]["tags"] for hit in hits] == [["b", 7.5]] * 2
    assert len(store.search(Query(near[0].vector, 9, [Filter("tags", "in", ("b",))]))) == 3


def test_a_date_beyond_the_longest_answer_is_found(
    make: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tasks.upsert.pinecone.store.MOST_HITS", 50)
    store = make()
    near = [with_vector([1.0] + [0.0] * 7, "near", at="2023-05-05") for _ in range(60)]
    far = [with_vector([0.5 - 0.1 * row, 1.0, *[0.0] * 6], "far", at="2024-05-05") for row in range(4)]
    store.upsert(columns(*near, *far))
    hits = store.search(Query(near[0].vector, 3, [Filter("at", ">=", ("2024-01-01",))]))
    assert [hit.id for hit in hits] == [one.id for one in far[:3]]
    assert "every record is read" in caplog.text


def test_more_hits_than_fit_into_an_answer_are_all_found(make: Open) -> None:
    store = make()
    many = [point(f"{number}") for number in range(700)]
    store.upsert(columns(*many))
    hits = store.search(Query(many[0].vector, 500))
    best = sorted(many, key=lambda one: -float(one.vector @ many[0].vector))[:500]
    assert [hit.id for hit in hits] == [one.id for one in best]
    assert len(store.search(Query(many[0].vector, 9999))) == 700


@pytest.mark.parametrize("limit", [98, 99, 100, 500])
def test_few_hits_of_a_large_question_have_their_payloads(make: Open, limit: int) -> None:
    store = make()
    one = point("a", year=2024)
    store.upsert(columns(one))
    assert [hit.payload for hit in store.search(Query(one.vector, limit))] == [one.payload]


def test_a_condition_that_nothing_passes_asks_for_nothing(server: PineconeServer, make: Open) -> None:
    store = make()
    store.present([point().id])
    server.paths()
    assert names(store, AnyOf(())) == names(store, Filter("a", "in", ())) == set()
    assert server.paths() == []
