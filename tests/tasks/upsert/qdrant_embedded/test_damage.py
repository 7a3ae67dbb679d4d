"""Foreign, damaged, forbidden and full folders: every error names the folder, and nothing of the user's is deleted."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge

from tasks.errors import CollectionError, ConfigError, FencedError, HeadraceError, LockedError, ServiceError
from tasks.records import Query
from tasks.upsert.qdrant_embedded import store as qdrant
from tasks.upsert.qdrant_embedded.access import MANY
from tasks.upsert.qdrant_embedded.errors import is_foreign, translate
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]
FOLDER = Path("some/where")
QUERY = np.ones(8, dtype=np.float32)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    with QdrantStore(str(folder), "c") as store:
        store.ensure(8)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A collection of its own, with the dimension 8 and no records."""
    subprocess.run(["cp", "-r", "--sparse=always", sound / "c", tmp_path / "c"], check=True)
    return tmp_path


def read_all(folder: Path) -> None:
    with QdrantStore(str(folder), "c", wait_seconds=0) as store:
        store.ensure(8)
        list(store.scan())
        store.search(Query(QUERY, 3))


def test_a_sound_collection_is_read_without_error(folder: Path) -> None:
    read_all(folder)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "settings overwritten": ("shard/edge_config.json", lambda path: path.write_text("{ not json")),
    "settings without vectors": ("shard/edge_config.json", lambda path: path.write_text("{}")),
    "settings missing": ("shard/edge_config.json", lambda path: path.unlink()),
    "log overwritten": ("shard/wal/open-1", lambda path: path.write_bytes(b"\xff" * 64)),
    "segment without state": ("shard/segments/*/segment.json", lambda path: path.unlink()),
    "payload page missing": ("shard/segments/*/payload_storage/page_0.dat", lambda path: path.unlink()),
    "engine panics": ("shard/segments/*/vector_storage/deleted/status.dat", lambda path: os.truncate(path, 3)),
    "shard missing": ("shard", lambda path: shutil.rmtree(path)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_reported_with_the_folder_and_a_remedy_and_left_as_it_is(folder: Path, damage: str) -> None:
    pattern, do = DAMAGES[damage]
    (path,) = (folder / "c" / "generation-000001").glob(pattern)
    do(path)
    names = sorted(found.name for found in folder.rglob("*"))
    for _ in range(2):
        with pytest.raises(ServiceError) as raised:
            read_all(folder)
        assert str(folder / "c") in str(raised.value)
        assert "restore the folder from a backup, or move it away and run sync" in str(raised.value)
    assert [name for name in names if name not in {found.name for found in folder.rglob("*")}] == []


def test_a_collection_that_is_a_folder_of_documents_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "essay.md").write_text("mine")
    with pytest.raises(CollectionError, match=rf"{tmp_path}/c holds 1 files that are not Headrace's, 'essay.md'"):
        QdrantStore(str(tmp_path), "c").ensure(8)
    assert (tmp_path / "c" / "essay.md").read_text() == "mine"


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("mine")
    store = QdrantStore(str(tmp_path / "db"), "c")
    acts: list[Callable[[], object]] = [lambda: store.ensure(8), store.count, store.sentinel]
    for act in acts:
        with pytest.raises(ServiceError, match=rf"{tmp_path}/db.*a file is in the way"):
            act()
    assert (tmp_path / "db").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=rf"{tmp_path}.*Permission denied.*owner and mode"):
        QdrantStore(str(tmp_path / "db"), "c").ensure(8)


def test_a_nearly_full_disk_stops_a_write_before_the_kernel_does(
    folder: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = make_points(2)
    with QdrantStore(str(folder), "c") as store:
        store.upsert(columns(*points[:1]))
        monkeypatch.setattr(qdrant, "RESERVE_BYTES", 1 << 60)
        with pytest.raises(ServiceError, match=rf"disk of {folder}/c has \d+ MB left.*free some space"):
            store.upsert(columns(*points[1:]))
        with pytest.raises(ServiceError, match="free some space"):
            store.delete([points[0].id])
        assert store.present([one.id for one in points]) == {points[0].id}


LIMITED = """
import resource, sys
from tasks.upsert.qdrant_embedded.store import QdrantStore
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
QdrantStore(sys.argv[1], "c").ensure(8)
"""


def test_a_write_that_the_system_refuses_is_reported_and_the_next_try_starts_afresh(tmp_path: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", LIMITED, tmp_path], capture_output=True, text=True, check=False)
    message = answer.stderr.splitlines()[-1]
    assert message.startswith("tasks.errors.ServiceError")
    assert f"{tmp_path}/c" in message
    assert "File too large" in message
    assert "ulimit -f" in message
    with QdrantStore(str(tmp_path), "c") as store:
        store.ensure(8)
        assert store.count() == 0


FLUSHED = """
import resource, sys, uuid
import numpy as np
from tasks.records import Points
from tasks.upsert.qdrant_embedded.store import QdrantStore
store = QdrantStore(sys.argv[1], "c")
count = int(sys.argv[2])
store.upsert(Points([str(uuid.uuid4()) for _ in range(count)], np.ones((count, 8), "f4"), [{"text": "x"}] * count))
engine = getattr(getattr(store._access.engine, "_worker", None), "pid", 0)  # 0 is this process
resource.prlimit(engine, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
print("own" if engine == 0 else "child", flush=True)
store.close()
"""


@pytest.mark.parametrize(("points", "process"), [(MANY - 1, "own"), (MANY, "child")])
def test_a_close_that_cannot_put_everything_on_disk_says_so_and_loses_nothing(
    folder: Path, points: int, process: str
) -> None:
    command = [sys.executable, "-c", FLUSHED, folder, str(points)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == process
    assert "ServiceError" in answer.stderr
    assert "Failed to flush" in answer.stderr
    with QdrantStore(str(folder), "c", wait_seconds=0) as store:
        assert store.count() == points


def raised_by(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_every_kind_of_error_that_the_engine_raises_is_translated(folder: Path) -> None:
    path = str(folder / "c" / "generation-000001" / "shard")
    shard = qdrant_edge.EdgeShard.load(path)
    not_a_vector: Any = "text"
    config = qdrant_edge.EdgeConfig(qdrant_edge.EdgeVectorParams(8, qdrant_edge.Distance.Cosine))
    short = qdrant_edge.SearchRequest(qdrant_edge.Query.Nearest([1.0] * 7), 3)
    raised: list[tuple[BaseException, type[HeadraceError]]] = [
        (raised_by(lambda: qdrant_edge.EdgeShard.load(path)), LockedError),
        (raised_by(lambda: shard.search(short)), CollectionError),
        (raised_by(lambda: qdrant_edge.EdgeShard.load(str(folder / "nowhere"))), ServiceError),
        (raised_by(lambda: qdrant_edge.EdgeShard.create(str(folder / "c" / "lock" / "x"), config)), ServiceError),
        (raised_by(lambda: qdrant_edge.Point("doc-1", [1.0])), ServiceError),
        (raised_by(lambda: qdrant_edge.Point(1, not_a_vector)), ServiceError),
        (raised_by(lambda: qdrant_edge.SearchRequest(qdrant_edge.Query.Nearest([1.0]), -1)), ServiceError),
    ]
    shard.close()
    raised.append((raised_by(shard.info), ServiceError))
    (status,) = Path(path).glob("segments/*/vector_storage/deleted/status.dat")
    os.truncate(status, 3)
    raised.append((raised_by(lambda: qdrant_edge.EdgeShard.load(path)), ServiceError))
    seen = {type(error).__name__ for error, _ in raised}
    assert seen == {"Exception", "TypeError", "ValueError", "OverflowError", "PanicException"}
    for error, expected in raised:
        assert is_foreign(error)
        meant = translate(error, FOLDER)
        assert type(meant) is expected
        assert "some/where" in str(meant)
        assert "\n" not in str(meant)
        assert "; " in str(meant)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(28, "No space left on device", "x"), "free some space"),
        (OSError(122, "Disk quota exceeded", "x"), "quota"),
        (PermissionError(13, "Permission denied", "x"), "owner and mode"),
        (OSError(30, "Read-only file system", "x"), "name another `path`"),
        (OSError(24, "Too many open files", "x"), "ulimit -n"),
        (OSError(5, "Input/output error", "x"), "check the folder and the disk"),
        (RuntimeError("Already borrowed"), "run again"),
        (Exception(), "restore the folder"),
        (Exception("load segment: Out of memory, free: 2, IO Error: Cannot allocate memory (os error 12)"), "is sound"),
        (Exception("failed to build edge thread pool: Resource temporarily unavailable (os error 11)"), "is sound"),
        (OSError(12, "Cannot allocate memory", "x"), "is sound"),
    ],
)
def test_what_the_system_says_gets_a_remedy(error: Exception, remedy: str) -> None:
    assert is_foreign(error)
    meant = translate(error, FOLDER)
    assert type(meant) is (ConfigError if isinstance(error, PermissionError) else ServiceError)
    assert remedy in str(meant)


def test_our_own_errors_and_the_wish_to_stop_are_not_translated() -> None:
    for error in (FencedError("x"), KeyError("x"), AssertionError(), KeyboardInterrupt(), SystemExit(), MemoryError()):
        assert not is_foreign(error)
