"""What every vector store promises."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tasks.errors import CollectionError, DocumentError, ServiceError
from tasks.records import Filter, Payload, PointId, Sentinel
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
DICE = np.random.default_rng(5)


@pytest.fixture(params=KINDS)
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    """Not ensured yet."""
    store = KINDS[request.param](tmp_path, request)
    yield store
    store.close()


@pytest.fixture(scope="module", params=KINDS)
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    """Making a collection on disk takes much longer than a test."""
    store = KINDS[request.param](tmp_path_factory.mktemp("store"), request)
    store.ensure(8)
    yield store
    store.close()


@pytest.fixture
def store(shared_store: VectorStore) -> VectorStore:
    """Empty, of 8 dimensions."""
    shared_store.delete([one for one, _ in shared_store.scan()])
    assert shared_store.count() == 0
    return shared_store


def point(document: str = "s:a", **metadata: object) -> Point:
    vector = DICE.normal(size=8).astype(np.float32)
    return with_vector(vector / np.linalg.norm(vector), document, **metadata)


def with_vector(vector: Any, document: str = "s:a", **metadata: object) -> Point:
    payload = {"text": "hello", "metadata": {"document": document, **metadata}, "headrace": {"document": document}}
    return Point(PointId(str(uuid.uuid4())), vector, payload)


def test_a_store_may_be_told_what_is_coming_and_need_not_be(new_store: VectorStore) -> None:
    new_store.ensure(8)
    new_store.expect(2)
    new_store.expect(1000)
    one = point()
    new_store.upsert(columns(one))
    assert new_store.present([one.id]) == {one.id}


def test_an_upsert_is_idempotent(store: VectorStore) -> None:
    points = [point(f"s:{number}") for number in range(5)]
    store.upsert(columns(*points))
    store.upsert(columns(*points))
    assert store.count() == 5
    assert dict(store.scan()) == {one.id: one.payload for one in points}


def test_an_upsert_of_a_held_id_replaces_payload_and_vector(store: VectorStore) -> None:
    old, new = point("s:old", draft="yes"), point("s:new")
    store.upsert(columns(old))
    store.upsert(columns(Point(old.id, new.vector, new.payload)))
    assert dict(store.scan()) == {old.id: new.payload}
    np.testing.assert_allclose(store.vectors([old.id])[old.id], new.vector, atol=1e-6)


def test_a_delete_of_a_missing_id_is_no_error(store: VectorStore) -> None:
    stays, goes, never = point(), point(), point()
    store.upsert(columns(stays, goes))
    store.delete([goes.id, never.id])
    store.delete([goes.id])
    assert store.present([stays.id, goes.id, never.id]) == {stays.id}
    assert [seen for seen, _ in store.scan()] == [stays.id]


def test_a_deleted_id_can_be_written_again(store: VectorStore) -> None:
    one = point()
    store.upsert(columns(one))
    store.delete([one.id])
    store.upsert(columns(one))
    assert dict(store.scan()) == {one.id: one.payload}


def test_nothing_to_do_is_no_error(store: VectorStore) -> None:
    store.upsert(columns())
    store.delete([])
    assert (store.present([]), store.vectors([]), list(store.scan()), store.count()) == (set(), {}, [], 0)


def test_a_scan_returns_every_record_of_many_pages_once(store: VectorStore) -> None:
    points = [point(f"s:{number}") for number in range(2500)]
    store.upsert(columns(*points))
    seen = list(store.scan())
    assert len(seen) == store.count() == 2500
    assert dict(seen) == {one.id: one.payload for one in points}


def test_records_may_be_deleted_during_a_scan(store: VectorStore) -> None:
    points = [point() for _ in range(700)]
    store.upsert(columns(*points))
    seen = []
    for one, _ in store.scan():
        seen.append(one)
        store.delete([one])
    assert sorted(seen) == sorted(one.id for one in points)
    assert store.count() == 0


def test_vectors_come_back_as_they_were_written(store: VectorStore) -> None:
    points = [point() for _ in range(20)]
    store.upsert(columns(*points))
    vectors = store.vectors([one.id for one in points] + [point().id])
    assert set(vectors) == {one.id for one in points}
    for one in points:
        assert vectors[one.id].dtype == np.float32
        np.testing.assert_allclose(vectors[one.id], one.vector, atol=1e-6)


def test_a_matrix_that_lies_column_by_column_is_written_row_by_row(store: VectorStore) -> None:
    points = [point() for _ in range(8)]
    matrix = columns(*points)
    store.upsert(replace(matrix, vectors=np.asfortranarray(matrix.vectors)))
    vectors = store.vectors(matrix.ids)
    for one in points:
        np.testing.assert_allclose(vectors[one.id], one.vector, atol=1e-6)


def test_a_search_ranks_by_cosine_similarity(store: VectorStore) -> None:
    points = [point() for _ in range(50)]
    store.upsert(columns(*points))
    query = 3 * points[17].vector
    hits = store.search(query, 10, [])
    best = sorted(points, key=lambda one: -float(one.vector @ query))[:10]
    assert [hit.id for hit in hits] == [one.id for one in best]
    assert [hit.payload for hit in hits] == [one.payload for one in best]
    np.testing.assert_allclose([hit.score for hit in hits], [float(one.vector @ query) / 3 for one in best], atol=1e-5)
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)


def test_a_search_returns_no_more_than_there_is(store: VectorStore) -> None:
    assert store.search(np.ones(8, dtype=np.float32), 3, []) == []
    store.upsert(columns(point(), point()))
    assert len(store.search(np.ones(8, dtype=np.float32), 3, [])) == 2


def test_filters_narrow_before_the_limit_is_applied(store: VectorStore) -> None:
    near, far = (
        with_vector(np.eye(8, dtype=np.float32)[0], "s:near"),
        with_vector(np.eye(8, dtype=np.float32)[1], "s:far"),
    )
    store.upsert(columns(near, far))
    assert [hit.id for hit in store.search(near.vector, 1, [Filter("document", "in", ("s:far",))])] == [far.id]


def test_the_sentinel_is_no_record(new_store: VectorStore) -> None:
    store = new_store
    store.ensure(8)
    assert store.sentinel() is None
    store.mark(Sentinel("line", 7, "space"))
    store.mark(Sentinel("line", 8, "space"))
    assert store.sentinel() == Sentinel("line", 8, "space")
    assert (store.count(), list(store.scan())) == (0, [])


BAD_VECTORS = {
    "nan": np.array([np.nan] + [1.0] * 7),
    "infinite": np.array([np.inf] + [0.0] * 7),
    "both infinite": np.array([np.inf, -np.inf] + [0.0] * 6),
    "zero": np.zeros(8),
    "nearly zero": np.full(8, 1e-5),
    "overflowing": np.full(8, 1e30),
}


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_a_bad_vector_is_refused_and_nothing_is_written(store: VectorStore, vector: Any) -> None:
    good = [point() for _ in range(1200)]
    with pytest.raises(DocumentError, match="s:bad") as raised:
        store.upsert(columns(*good, with_vector(vector.astype(np.float32), "s:bad")))
    assert raised.value.reason == "bad-vector"
    assert store.count() == 0


@pytest.mark.parametrize("shape", [(2, 7), (2, 9), (2, 0), (2, 1, 8), (3, 8), (1, 8), (16,)])
def test_a_matrix_of_another_shape_is_refused_and_nothing_is_written(
    store: VectorStore, shape: tuple[int, ...]
) -> None:
    points = columns(point("s:bad"), point("s:bad"))
    with pytest.raises(DocumentError, match=r"s:bad.*expected \(2, 8\)") as raised:
        store.upsert(replace(points, vectors=np.ones(shape, dtype=np.float32)))
    assert raised.value.reason == "bad-vector"
    assert store.count() == 0


def test_a_payload_comes_back_whole(store: VectorStore) -> None:
    payload: Payload = {
        "text": "naïve 日本 🙂 \x00\x1f " + "x" * (1 << 20),
        "metadata": {
            "empty": "",
            "none": None,
            "list": [1, "a", None, [], {}],
            "deep": {"a": {"b": 1.25}},
            "": "blank",
        },
        "headrace": {
            "document": "s:ü",
            "yes": True,
            "big": 2**53,
            "least": -(2**63),
            "most": 2**64 - 1,
            "tiny": 5e-324,
        },
    }
    one = Point(PointId(str(uuid.uuid4())), np.ones(8, dtype=np.float32), payload)
    store.upsert(columns(one))
    assert dict(store.scan()) == {one.id: payload}
    assert store.search(one.vector, 1, [])[0].payload == payload


# Floats are multiples of 1/4 here: a store that keeps JSON may lose the last of a float's digits.
PLAIN_TEXTS = some.text(some.characters(codec="utf-8"), max_size=20)
PLAIN_VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**64 - 1)
    | some.integers(-(2**40), 2**40).map(lambda quarters: quarters / 4)
    | PLAIN_TEXTS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(PLAIN_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def typed(value: Any) -> Any:
    """1, 1.0 and True are equal in Python, but not here."""
    match value:
        case dict():
            return {key: typed(inner) for key, inner in value.items()}
        case list():
            return [typed(inner) for inner in value]
        case _:
            return type(value), value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=some.dictionaries(PLAIN_TEXTS, PLAIN_VALUES, max_size=4))
def test_any_plain_metadata_comes_back_as_it_was(store: VectorStore, metadata: dict[str, Any]) -> None:
    one = Point(PointId(str(uuid.uuid4())), np.ones(8, dtype=np.float32), {"text": "", "metadata": metadata})
    store.upsert(columns(one))
    back = dict(store.scan())[one.id]
    store.delete([one.id])
    assert typed(back["metadata"]) == typed(metadata)


def test_another_dimension_is_refused_even_while_the_collection_is_empty(store: VectorStore) -> None:
    store.ensure(8)
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 16"):
        store.ensure(16)
    store.upsert(columns(point()))
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 7"):
        store.ensure(7)
    assert store.count() == 1


def test_a_collection_that_was_not_ensured_is_empty_and_refuses_points(new_store: VectorStore) -> None:
    new_store.delete([point().id])
    assert (new_store.count(), list(new_store.scan()), new_store.sentinel()) == (0, [], None)
    assert (new_store.present([point().id]), new_store.vectors([point().id])) == (set(), {})
    assert new_store.search(np.ones(8, dtype=np.float32), 3, [Filter("document", "in", ("s:a",))]) == []
    with pytest.raises(ServiceError, match="no collection"):
        new_store.upsert(columns(point()))


def test_calls_from_several_threads_are_all_carried_out(store: VectorStore) -> None:
    shares = [[point(f"s:{thread}") for _ in range(300)] for thread in range(4)]
    failures: list[BaseException] = []

    def work(share: list[Point]) -> None:
        try:
            for start in range(0, 300, 50):
                part = share[start : start + 50]
                store.upsert(columns(*part))
                assert store.present([one.id for one in part]) == {one.id for one in part}
                assert len(store.search(part[0].vector, 5, [])) == 5
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
    assert {one for one, _ in store.scan()} == {one.id for share in shares for one in share[100:]}


def test_closing_twice_is_no_error(new_store: VectorStore) -> None:
    new_store.ensure(8)
    new_store.upsert(columns(point()))
    new_store.close()
    new_store.close()
