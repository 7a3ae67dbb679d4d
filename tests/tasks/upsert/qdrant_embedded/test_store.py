"""Qdrant's engine on disk: opening, closing, copying and compacting a collection."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from tasks.errors import CollectionError, ConfigError, DocumentError, ServiceError
from tasks.records import Filter, PointId, Query, Sentinel
from tasks.upsert.qdrant_embedded import engine as qdrant_engine
from tasks.upsert.qdrant_embedded.engine import OwnEngine
from tasks.upsert.qdrant_embedded.shard import create_shard
from tasks.upsert.qdrant_embedded.store import INDEXED_FIELDS, QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]


def opened(folder: Path, dimension: int = 8) -> QdrantStore:
    store = QdrantStore(str(folder), "c", wait_seconds=0)
    store.ensure(dimension)
    return store


def shard(folder: Path) -> Path:
    return folder / "c" / "generation-000001" / "shard"


def test_reading_a_missing_collection_creates_nothing(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path / "db"), "c")
    ids = [PointId("6f0c3f4e-6f39-4f0c-9d0b-0b1f5a1c2d3e")]
    assert (store.sentinel(), store.count(), list(store.scan())) == (None, 0, [])
    assert (store.present(ids), store.vectors(ids)) == (set(), {})
    assert store.search(Query(np.ones(8, dtype=np.float32), 3)) == []
    store.delete(ids)
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(1300)
    with opened(tmp_path) as store:
        store.upsert(columns(*points))
        store.delete([one.id for one in points[:100]])
        store.mark(Sentinel("line", 3, "space"))
    with QdrantStore(str(tmp_path), "c") as store:
        assert store.sentinel() == Sentinel("line", 3, "space")
        assert dict(store.scan()) == {one.id: one.payload for one in points[100:]}
        np.testing.assert_allclose(store.vectors([points[700].id])[points[700].id], points[700].vector, atol=1e-6)
        assert store.search(Query(points[700].vector, 1))[0].id == points[700].id
        with pytest.raises(CollectionError, match="8 dimensions, the model makes 9"):
            store.ensure(9)


def test_a_collection_can_be_written_after_reopening_without_ensure(tmp_path: Path, make_points: MakePoints) -> None:
    opened(tmp_path).close()
    with QdrantStore(str(tmp_path), "c") as store:
        store.upsert(columns(*make_points(3)))
        assert store.count() == 3


def test_a_lost_pointer_is_written_again_and_costs_no_record(tmp_path: Path, make_points: MakePoints) -> None:
    with opened(tmp_path) as store:
        store.upsert(columns(*make_points(3)))
        store.mark(Sentinel("line", 3, "space"))
    pointer = tmp_path / "c" / "current"
    assert pointer.read_text() == "generation-000001\n"
    pointer.unlink()
    with QdrantStore(str(tmp_path), "c") as store:
        assert store.sentinel() == Sentinel("line", 3, "space")
        store.ensure(8)
        assert store.count() == 3
    assert pointer.read_text() == "generation-000001\n"


def test_a_closed_store_refuses_further_calls(tmp_path: Path, make_points: MakePoints) -> None:
    store = opened(tmp_path)
    store.close()
    with pytest.raises(ServiceError, match="used after it had been closed"):
        store.upsert(columns(*make_points(1)))
    with pytest.raises(ServiceError, match="used after it had been closed"):
        store.count()
    with QdrantStore(str(tmp_path), "c", wait_seconds=0) as other:
        assert other.count() == 0


def test_a_copied_folder_is_the_same_collection_with_its_sentinel(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(30)
    with opened(tmp_path / "db") as store:
        store.upsert(columns(*points))
        store.mark(Sentinel("line", 9, "space"))
    subprocess.run(["cp", "-r", "--sparse=always", tmp_path / "db", tmp_path / "copy"], check=True)
    shutil.rmtree(tmp_path / "db")
    with QdrantStore(str(tmp_path / "copy"), "c") as store:
        assert store.sentinel() == Sentinel("line", 9, "space")
        assert store.present([one.id for one in points]) == {one.id for one in points}


def test_vectors_of_any_length_are_kept_as_unit_vectors(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(2)
    with opened(tmp_path) as store:
        store.upsert(
            columns(
                *(Point(one.id, one.vector * size, one.payload) for one, size in zip(points, (250, 0.01), strict=True))
            )
        )
        vectors = store.vectors([one.id for one in points])
        for one in points:
            np.testing.assert_allclose(vectors[one.id], one.vector, atol=1e-6)


def test_the_fields_that_filters_need_are_indexed(tmp_path: Path) -> None:
    opened(tmp_path).close()
    engine = qdrant_edge.EdgeShard.load(str(shard(tmp_path)))
    schema = engine.info().payload_schema
    engine.close()
    assert schema.pop("text").data_type == qdrant_edge.PayloadSchemaType.Text
    assert set(schema) == set(INDEXED_FIELDS) >= {"metadata.document", "metadata.source"}
    assert {field.data_type for field in schema.values()} == {qdrant_edge.PayloadSchemaType.Keyword}


def test_a_filter_key_that_the_engine_cannot_name_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for key in ("", 'a"b', "a\\"):
            with pytest.raises(ConfigError, match="names no metadata field"):
                store.search(Query(np.ones(8, dtype=np.float32), 3, [Filter(key, "in", ("x",))]))


def test_a_payload_that_is_no_json_is_refused_and_nothing_is_written(tmp_path: Path, make_points: MakePoints) -> None:
    good, first = make_points(600), make_points(1)[0]
    with opened(tmp_path) as store:
        for value in (float("nan"), {1, 2}, "\ud800", {1: 2}):
            bad = Point(first.id, first.vector, {"text": "x", "at": value, "headrace": {"document": "s:bad"}})
            with pytest.raises(DocumentError, match=r"s:bad: point .* cannot be stored: .*plain JSON") as raised:
                store.upsert(columns(*good, bad))
            assert raised.value.reason == "bad-payload"
            assert "\n" not in str(raised.value)
        with pytest.raises(DocumentError, match="point doc-1 cannot be stored"):
            store.upsert(columns(*good, Point(PointId("doc-1"), first.vector, first.payload)))
        assert store.count() == 0


def test_a_collection_with_another_distance_is_refused(tmp_path: Path) -> None:
    vectors = qdrant_edge.EdgeVectorParams(size=8, distance=qdrant_edge.Distance.Dot)
    shard(tmp_path).parent.mkdir(parents=True)
    qdrant_edge.EdgeShard.create(str(shard(tmp_path)), qdrant_edge.EdgeConfig(vectors=vectors)).close()
    with pytest.raises(CollectionError, match="compares by Dot, expected Cosine"):
        QdrantStore(str(tmp_path), "c").ensure(8)


def test_deleted_records_give_their_place_back_when_the_store_is_closed(
    tmp_path: Path, make_points: MakePoints
) -> None:
    points = make_points(5000)
    with opened(tmp_path) as store:
        store.upsert(columns(*points))
    full = places(tmp_path)
    with QdrantStore(str(tmp_path), "c") as store:
        store.delete([one.id for one in points[500:]])
    assert places(tmp_path) < full / 5
    with QdrantStore(str(tmp_path), "c") as store:
        assert {one for one, _ in store.scan()} == {one.id for one in points[:500]}
        assert store.search(Query(points[5].vector, 1))[0].id == points[5].id


def places(folder: Path) -> int:
    """In bytes of the engine's list of ids, which has an entry for every record, deleted ones included."""
    return sum(path.stat().st_size for path in shard(folder).glob("segments/*/*id_tracker.mappings"))


IDLE_RUN = """
import sys
from tasks.records import Filter, Points, Sentinel
from tasks.upsert.qdrant_embedded.store import QdrantStore
store = QdrantStore(sys.argv[1], "c")
store.sentinel()
store.ensure(8)
store.mark(Sentinel("line", 4, "space"))
store.delete([]), store.present([]), store.upsert(Points([], [], []))
store.close()
print("qdrant_edge" in sys.modules)
"""


def test_a_run_that_changes_nothing_does_not_load_the_engine(tmp_path: Path) -> None:
    opened(tmp_path).close()
    answer = subprocess.run([sys.executable, "-c", IDLE_RUN, tmp_path], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
    assert QdrantStore(str(tmp_path), "c").sentinel() == Sentinel("line", 4, "space")


def test_what_the_engine_holds_until_a_flush_is_bounded(
    tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(OwnEngine):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1
            super().flush()

    monkeypatch.setattr(qdrant_engine, "FLUSH", 1000)
    create_shard(tmp_path / "shard", 8, ())
    engine = Counting(tmp_path / "shard", tmp_path)
    points = columns(*make_points(1000))
    ids = points.ids
    engine.upsert(points[:800])
    assert engine.flushes == 0
    engine.upsert(points[800:])
    assert engine.flushes == 1
    engine.delete(ids[:700])
    assert engine.flushes == 1
    engine.delete(ids[700:1000])
    assert (engine.flushes, engine.count()) == (2, 0)
    engine.close()
