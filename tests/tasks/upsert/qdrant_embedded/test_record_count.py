"""The number of records is known without the engine, and only where it is certain."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import qdrant_edge as engine

from tasks.upsert.qdrant_embedded.record_count import RecordCount
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]
OpenElsewhere = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]

COUNT = """
import sys
from tasks.upsert.qdrant_embedded.store import QdrantStore
print(QdrantStore(sys.argv[1], "c").count(), "qdrant_edge" in sys.modules)
"""


def counted(folder: Path) -> str:
    run = subprocess.run([sys.executable, "-c", COUNT, folder], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.fixture
def points(tmp_path: Path, make_points: MakePoints) -> list[Point]:
    """Seven records, in a collection that was closed in order."""
    made = make_points(7)
    with QdrantStore(str(tmp_path), "c", wait_seconds=0) as store:
        store.ensure(8)
        store.upsert(columns(*made))
    return made


@pytest.mark.usefixtures("points")
def test_a_collection_that_was_closed_in_order_is_counted_without_the_engine(tmp_path: Path) -> None:
    assert counted(tmp_path) == "7 False"
    assert counted(tmp_path) == "7 False"


def test_records_that_somebody_else_took_away_are_not_counted(tmp_path: Path, points: list[Point]) -> None:
    shard = engine.EdgeShard.load(str(tmp_path / "c/generation-000001/shard"))
    shard.update(engine.UpdateOperation.delete_points([point.id for point in points[:2]]))
    shard.flush()
    shard.close()
    assert counted(tmp_path) == "5 True"


@pytest.mark.usefixtures("points")
def test_a_process_that_is_killed_leaves_no_count(tmp_path: Path, open_elsewhere: OpenElsewhere) -> None:
    with open_elsewhere(tmp_path) as process:
        assert RecordCount(tmp_path / "c/generation-000001").read() is None
        process.kill()
    assert counted(tmp_path) == "7 True"


@pytest.mark.usefixtures("points")
@pytest.mark.parametrize("note", ["", "{}", "[]", '{"records": "x", "files": ""}'])
def test_a_damaged_note_is_worth_nothing(tmp_path: Path, note: str) -> None:
    (tmp_path / "c/generation-000001/records.json").write_text(note)
    assert counted(tmp_path) == "7 True"
