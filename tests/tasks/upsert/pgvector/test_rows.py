"""What PostgreSQL cannot hold as it is comes back as it was, and is filtered by as it is."""

import math
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tasks.errors import DocumentError
from tasks.records import Condition, Filter, PointId, Query, Scalar
from tasks.upsert.filters import passes
from tasks.upsert.pgvector.rows import decoded, encoded, escaped, restored
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import Point, columns
from tests.tasks.upsert.pgvector.conftest import MakePoints

ODD = ["\x00", "\x1a", "\x1a0", "\x1a\x1a", "\x1a\x00", "0", "\\u0000", '\\"\x00', "\\\x1a", "1e+16", '"1e+16', ""]
TEXTS = some.lists(some.sampled_from([*ODD, "a", "é", '"', "\\"]), max_size=6).map("".join)
NUMBERS = some.integers() | some.floats(allow_nan=False, allow_infinity=False)
SCALARS = some.none() | some.booleans() | TEXTS | NUMBERS
VALUES = some.recursive(
    SCALARS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PLAIN = settings(deadline=None)
STORED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PLAIN
@given(TEXTS)
def test_a_text_is_free_of_nul_and_comes_back(text: str) -> None:
    assert "\x00" not in escaped(text)
    assert restored(escaped(text)) == text


@PLAIN
@given(TEXTS, TEXTS)
def test_two_texts_never_become_one(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)


@PLAIN
@given(VALUES)
def test_json_comes_back_to_the_type(value: Any) -> None:
    assert repr(decoded(encoded(value))) == repr(value)


@STORED
@example("", {"float": 1e16, "most": 1.7976931348623157e308, "least": 5e-324, "whole": 10**20})
@given(TEXTS, some.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_payload_comes_back_from_the_server(store: PgvectorStore, text: str, metadata: dict[str, Any]) -> None:
    payload = {"text": text, "metadata": metadata, "headrace": {"document": text}}
    one = Point(PointId("00000000-0000-0000-0000-000000000001"), np.ones(8, np.float32), payload)
    store.upsert(columns(one))
    ((_, back),) = store.scan()
    assert repr(sorted_deep(back)).replace("-0.0", "0.0") == repr(sorted_deep(payload)).replace("-0.0", "0.0")


def sorted_deep(value: Any) -> Any:
    """JSON in PostgreSQL has an order of keys of its own."""
    match value:
        case dict():
            return sorted((key, sorted_deep(inner)) for key, inner in value.items())
        case list():
            return [sorted_deep(inner) for inner in value]
        case _:
            return value


ASKED = some.one_of(
    some.booleans(), some.sampled_from(ODD), some.sampled_from([0, 1, 1.0, 2, 2.5, -3, 2**53 + 1, 1e16])
)
LIMITS = some.sampled_from([0, 1, 1.0, 2.5, -3, 0.1, 2**53, 1e16, 1e300, math.inf, -math.inf])
FIELD = some.sampled_from(["a", "\x00", "\x1a0", "'", "%s", "$.a"])
CONDITIONS = some.builds(
    Filter, FIELD, some.sampled_from(["in", "not_in"]), some.lists(ASKED, max_size=3).map(tuple)
) | some.builds(Filter, FIELD, some.sampled_from([">=", ">", "<=", "<"]), LIMITS.map(lambda limit: (limit,)))
HELD = some.recursive(ASKED | some.none(), lambda inner: some.lists(inner, max_size=3), max_leaves=4)


@STORED
@given(
    some.lists(some.dictionaries(FIELD, HELD, max_size=3), min_size=1, max_size=6), some.lists(CONDITIONS, max_size=2)
)
def test_a_search_filters_as_python_does(
    store: PgvectorStore, records: list[dict[str, Any]], conditions: list[Condition]
) -> None:
    store.delete([point for point, _ in store.scan()])
    ids = [PointId(f"00000000-0000-0000-0000-{number:012}") for number in range(len(records))]
    store.upsert(
        columns(
            *(Point(one, np.ones(8, np.float32), {"metadata": held}) for one, held in zip(ids, records, strict=True))
        )
    )
    hits = {hit.id for hit in store.search(Query(np.ones(8, np.float32), 99, conditions))}
    assert hits == {one for one, held in zip(ids, records, strict=True) if passes(held, conditions)}


@pytest.mark.parametrize("value", ["'; DROP TABLE headrace.c; --", "%s", "%(a)s", "{}", '"] ? (true)', "\\", "$limit"])
def test_what_a_user_filters_by_is_never_sql(store: PgvectorStore, value: Scalar, make_points: MakePoints) -> None:
    (point,) = make_points(1)
    point.payload["metadata"][str(value)] = value
    store.upsert(columns(point))
    assert len(store.search(Query(point.vector, 3, [Filter(str(value), "in", (value,))]))) == 1
    assert store.search(Query(point.vector, 3, [Filter(str(value), "not_in", (value,))])) == []
    assert store.search(Query(point.vector, 3, [Filter(str(value), ">", (0,))])) == []


@pytest.mark.parametrize(
    "part", [{"metadata": {"a": math.nan}}, {"metadata": {"a": {1}}}, {"text": "\ud800"}, {"text": 3}, {"other": 1}]
)
def test_what_is_no_plain_json_is_blamed_on_its_document(
    store: PgvectorStore, make_points: MakePoints, part: dict[str, Any]
) -> None:
    good, bad = make_points(2)
    bad.payload.update(part)
    with pytest.raises(DocumentError, match=f"s:1: point {bad.id} cannot be stored") as raised:
        store.upsert(columns(good, bad))
    assert raised.value.reason == "bad-payload"
    assert store.count() == 0


def test_an_id_twice_in_one_batch_keeps_the_last(store: PgvectorStore, make_points: MakePoints) -> None:
    first, last = make_points(2)
    store.upsert(columns(first, Point(first.id, last.vector, last.payload)))
    assert dict(store.scan()) == {first.id: last.payload}


def test_an_id_that_is_no_uuid_is_refused(postgres_url: str, make_points: MakePoints) -> None:
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
        point = make_points(1)[0]._replace(id=PointId("nine"))
        with pytest.raises(DocumentError, match=r"point nine .* expected a UUID"):
            store.upsert(columns(point))
