"""What every vector store takes a filter for."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.records import AnyOf, Condition, Filter, Operator, PointId, Scalar
from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns
from tests.postgres_server import pgvector_store

KINDS: dict[str, Callable[[Path, pytest.FixtureRequest], VectorStore]] = {
    "qdrant": lambda folder, _: QdrantStore(str(folder), "c", wait_seconds=0),
    "pgvector": lambda _, request: pgvector_store(request),
    "memory": lambda *_: MemoryStore(),
}
ANYWHERE = np.ones(8, dtype=np.float32)
VALUES: dict[str, Any] = {
    "text": "3",
    "integer": 3,
    "float": 3.0,
    "half": 3.5,
    "negative": -3,
    "one": 1,
    "zero": 0,
    "yes": True,
    "no": False,
    "word": "true",
    "blank": "",
    "exact": 2**53,
    "inexact": 2**53 + 1,
    "list": ["red", 7, True],
    "nested": [["red"], {"a": 3}],
    "tree": {"at": 3},
    "empty": [],
    "none": None,
}


@pytest.fixture(scope="module", params=KINDS)
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    store = KINDS[request.param](tmp_path_factory.mktemp("store"), request)
    store.ensure(8)
    yield store
    store.close()


@pytest.fixture
def store(shared_store: VectorStore) -> VectorStore:
    shared_store.delete([one for one, _ in shared_store.scan()])
    return shared_store


def record(name: str, **metadata: object) -> Point:
    payload = {"text": "hello", "metadata": metadata, "headrace": {"document": name}}
    return Point(PointId(str(uuid.uuid4())), ANYWHERE, payload)


def names(store: VectorStore, *conditions: Condition) -> set[Any]:
    return {hit.payload["headrace"]["document"] for hit in store.search(ANYWHERE, 99, conditions)}


@pytest.fixture
def varied(store: VectorStore) -> VectorStore:
    """A record for each of VALUES, in the field `at`, and one without it."""
    store.upsert(columns(record("absent"), *(record(name, at=value) for name, value in VALUES.items())))
    return store


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["3"], {"text"}),
        ([3], {"integer", "float"}),
        ([3.0], {"integer", "float"}),
        ([3.5], {"half"}),
        ([-3], {"negative"}),
        ([1], {"one"}),
        ([True], {"yes", "list"}),
        ([0], {"zero"}),
        ([False], {"no"}),
        (["true"], {"word"}),
        (["true", True], {"word", "yes", "list"}),
        ([""], {"blank"}),
        ([7], {"list"}),
        (["red", "3"], {"list", "text"}),
        ([2**53], {"exact"}),
        ([2**53 + 1], {"inexact"}),
        (["None"], set()),
        ([10.0**40, 2**70], set()),
        ([], set()),
    ],
)
def test_a_filter_takes_values_by_type_and_its_opposite_the_rest(
    varied: VectorStore, values: list[Scalar], expected: set[str]
) -> None:
    assert names(varied, Filter("at", "in", tuple(values))) == expected
    assert names(varied, Filter("at", "not_in", tuple(values))) == {*VALUES, "absent"} - expected


@pytest.mark.parametrize(
    ("operator", "limit", "expected"),
    [
        (">=", 3, {"integer", "float", "half", "list", "exact", "inexact"}),
        (">", 3, {"half", "list", "exact", "inexact"}),
        (">", 3.25, {"half", "list", "exact", "inexact"}),
        ("<=", 1, {"negative", "one", "zero"}),
        ("<", 1, {"negative", "zero"}),
        ("<", -3.5, set()),
        ("<=", 3, {"negative", "one", "zero", "integer", "float"}),
    ],
)
def test_a_range_takes_numbers_alone(varied: VectorStore, operator: Operator, limit: float, expected: set[str]) -> None:
    assert names(varied, Filter("at", operator, (limit,))) == expected


def test_all_conditions_must_hold(store: VectorStore) -> None:
    store.upsert(columns(record("a", author="Ann", page=1), record("b", author="Ann", page=2), record("c", page=1)))
    ann, first = Filter("author", "in", ("Ann",)), Filter("page", "in", (1,))
    assert names(store) == {"a", "b", "c"}
    assert names(store, ann) == {"a", "b"}
    assert names(store, ann, first) == {"a"}
    assert names(store, Filter("author", "not_in", ("Ann",)), first) == {"c"}
    assert names(store, Filter("page", ">=", (1,)), Filter("page", "<", (2,))) == {"a", "c"}


def test_one_field_may_have_several_conditions(store: VectorStore) -> None:
    store.upsert(columns(record("both", tags=["a", "b"]), record("a", tags=["a"]), record("b", tags="b")))
    a, b = Filter("tags", "in", ("a",)), Filter("tags", "in", ("b",))
    assert names(store, a, b) == {"both"}
    assert names(store, a, Filter("tags", "not_in", ("b",))) == {"a"}


def test_one_alternative_must_hold_whole(store: VectorStore) -> None:
    places = [("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")]
    store.upsert(columns(*(record(f"{source}{path}", source=source, path=path) for source, path in places)))
    x, y = Filter("source", "in", ("x",)), Filter("source", "in", ("y",))
    one, two = Filter("path", "in", ("1",)), Filter("path", "in", ("2",))
    assert names(store, AnyOf(((x, one), (y, two)))) == {"x1", "y2"}
    assert names(store, AnyOf(((x, one), (y, two))), two) == {"y2"}
    not_x, not_one = Filter("source", "not_in", ("x",)), Filter("path", "not_in", ("1",))
    assert names(store, AnyOf(((not_x,), (not_one,)))) == {"x2", "y1", "y2"}
    assert names(store, AnyOf(())) == set()


def test_a_field_that_no_record_has_is_no_error(store: VectorStore) -> None:
    store.upsert(columns(record("a")))
    assert names(store, Filter("nothing", "in", ("x",))) == names(store, Filter("nothing", ">", (0,))) == set()
    assert names(store, Filter("nothing", "not_in", ("x",))) == {"a"}


def test_a_filter_names_a_field_and_no_path(store: VectorStore) -> None:
    store.upsert(columns(record("tree", a={"b": "x"}, tags=["x"])))
    keys = ["a.b", "a b", "tags[0]", "tags[]", "é", "it's"]
    store.upsert(columns(*(record(key, **{key: "x"}) for key in keys)))
    for key in keys:
        assert names(store, Filter(key, "in", ("x",))) == {key}
