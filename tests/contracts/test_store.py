"""What every vector store promises."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import CollectionError, DocumentError, HeadraceError
from tasks.records import Payload, Point, PointId, Sentinel
from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.qdrant import QdrantStore

Maker = Callable[[], VectorStore]
DICE = np.random.default_rng(5)


@pytest.fixture(params=["qdrant", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    made: VectorStore = QdrantStore(str(tmp_path), "c") if request.param == "qdrant" else MemoryStore()
    made.ensure(8)
    yield made
    made.close()


def point(document: str = "s:a", **metadata: object) -> Point:
    payload: Payload = {
        "text": "hello",
        "metadata": {"document": document, **metadata},
        "headrace": {"document": document},
    }
    vector = DICE.normal(size=8).astype(np.float32)
    return Point(PointId(str(uuid.uuid4())), vector / np.linalg.norm(vector), payload)


def test_an_upsert_is_idempotent(store: VectorStore) -> None:
    points = [point(f"s:{number}") for number in range(5)]
    store.upsert(points)
    store.upsert(points)
    assert store.count() == 5
    assert dict(store.scan()) == {one.id: one.payload for one in points}


def test_a_delete_of_a_missing_id_is_no_error(store: VectorStore) -> None:
    stays, goes, never = point(), point(), point()
    store.upsert([stays, goes])
    store.delete([goes.id, never.id])
    assert store.present([stays.id, goes.id, never.id]) == {stays.id}


def test_a_scan_returns_every_record_of_many_pages(store: VectorStore) -> None:
    points = [point(f"s:{number}") for number in range(2500)]
    store.upsert(points)
    seen = [found for found, _ in store.scan()]
    assert len(seen) == 2500
    assert set(seen) == {one.id for one in points}


def test_vectors_come_back_as_they_were_written(store: VectorStore) -> None:
    points = [point() for _ in range(20)]
    store.upsert(points)
    found = store.vectors([one.id for one in points] + [point().id])
    assert set(found) == {one.id for one in points}
    for one in points:
        np.testing.assert_allclose(found[one.id], one.vector, atol=1e-6)


def test_a_search_ranks_by_cosine_similarity(store: VectorStore) -> None:
    points = [point() for _ in range(50)]
    store.upsert(points)
    query = points[17].vector
    hits = store.search(query, 10, {})
    best = sorted(points, key=lambda one: -float(one.vector @ query))[:10]
    assert [hit.id for hit in hits] == [one.id for one in best]
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert hits[3].score == pytest.approx(float(best[3].vector @ query), abs=1e-5)


def test_filters_are_equalities_that_must_all_hold(store: VectorStore) -> None:
    wanted = point("s:a", position=3, draft=True, author="Ann")
    store.upsert([wanted, point("s:a", position=4, draft=True), point("s:b", position=3, draft=False)])
    assert {hit.id for hit in store.search(wanted.vector, 9, {"position": "3", "author": "Ann"})} == {wanted.id}
    assert len(store.search(wanted.vector, 9, {"document": "s:a"})) == 2
    assert store.search(wanted.vector, 9, {"document": "s:none"}) == []


def test_the_sentinel_is_no_record(store: VectorStore) -> None:
    assert store.sentinel() is None
    store.mark(Sentinel("line", 7, "space"))
    store.mark(Sentinel("line", 8, "space"))
    assert store.sentinel() == Sentinel("line", 8, "space")
    assert store.count() == 0
    assert list(store.scan()) == []


@pytest.mark.parametrize(
    "vector",
    [np.full(8, np.nan), np.array([np.inf] + [0.0] * 7), np.zeros(8), np.ones(7)],
    ids=["nan", "inf", "zero", "short"],
)
def test_a_bad_vector_is_refused_and_nothing_is_written(store: VectorStore, vector: np.ndarray) -> None:
    bad = Point(PointId(str(uuid.uuid4())), vector.astype(np.float32), {"headrace": {"document": "s:bad"}})
    with pytest.raises(DocumentError, match="s:bad"):
        store.upsert([point(), bad])
    assert store.count() == 0


def test_a_payload_comes_back_whole(store: VectorStore) -> None:
    payload: Payload = {
        "text": "naïve 日本 🙂 " + "x" * 200_000,
        "metadata": {"empty": "", "none": None, "list": [1, "a", None], "deep": {"a": {"b": 1.25}}, "big": 2**53},
        "headrace": {"document": "s:ü"},
    }
    one = Point(PointId(str(uuid.uuid4())), np.ones(8, dtype=np.float32), payload)
    store.upsert([one])
    assert dict(store.scan())[one.id] == payload


def test_another_dimension_is_refused(store: VectorStore) -> None:
    store.upsert([point()])
    with pytest.raises(CollectionError, match="8 dimensions"):
        store.ensure(16)


def test_reading_a_missing_collection_creates_nothing(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path / "db"), "c")
    assert store.sentinel() is None
    assert (store.count(), list(store.scan()), store.search(np.ones(8, dtype=np.float32), 3, {})) == (0, [], [])
    assert not (tmp_path / "db").exists()


def test_reopening_finds_records_sentinel_and_dimension(tmp_path: Path) -> None:
    first = QdrantStore(str(tmp_path), "c")
    first.ensure(8)
    points = [point() for _ in range(30)]
    first.upsert(points)
    first.mark(Sentinel("line", 3, "space"))
    first.close()
    first.close()
    second = QdrantStore(str(tmp_path), "c")
    assert second.sentinel() == Sentinel("line", 3, "space")
    assert second.present([one.id for one in points]) == {one.id for one in points}
    with pytest.raises(CollectionError):
        second.ensure(9)
    second.close()


def test_a_second_process_is_told_who_is_in_the_way(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path), "c")
    store.ensure(8)
    code = f"from tasks.upsert.qdrant import QdrantStore; QdrantStore({str(tmp_path)!r}, 'c').count()"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "LeaseHeldError" in answer.stderr
    assert "open in another process" in answer.stderr
    store.close()


def test_a_damaged_collection_is_reported_with_its_folder(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path), "c")
    store.ensure(8)
    store.close()
    config = next(tmp_path.rglob("edge_config.json"))
    config.write_text("{ not json")
    with pytest.raises(HeadraceError, match=str(tmp_path)):
        QdrantStore(str(tmp_path), "c").count()
    assert config.exists()


def test_a_crash_before_the_pointer_is_taken_up(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path), "c")
    store.ensure(8)
    store.close()
    (tmp_path / "c" / "current").unlink()
    again = QdrantStore(str(tmp_path), "c")
    assert again.count() == 0
    again.ensure(8)
    again.upsert([point()])
    assert again.count() == 1
    again.close()


WRITER = """
import sys, uuid, numpy as np
from tasks.records import Point
from tasks.upsert.qdrant import QdrantStore
store = QdrantStore(sys.argv[1], "c")
store.ensure(8)
while True:
    batch = [Point(str(uuid.uuid4()), np.ones(8, dtype="f4"), {"headrace": {"document": "s:a"}}) for _ in range(50)]
    store.upsert(batch)
    print(" ".join(point.id for point in batch), flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_batch(tmp_path: Path) -> None:
    acknowledged: set[PointId] = set()
    for batches in (3, 11, 29):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(batches):
                acknowledged.update(PointId(found) for found in child.stdout.readline().split())
            child.kill()
    store = QdrantStore(str(tmp_path), "c")
    assert len(acknowledged) >= 43 * 50
    assert store.present(list(acknowledged)) == acknowledged
    store.close()
