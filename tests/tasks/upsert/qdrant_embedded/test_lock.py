"""One process at a time has a collection open."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import qdrant_edge

from tasks.errors import LockedError
from tasks.records import Sentinel
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]
OpenElsewhere = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]


def test_a_second_process_that_writes_is_named_to_whoever_comes_too_late(
    tmp_path: Path, open_elsewhere: OpenElsewhere, make_points: MakePoints
) -> None:
    with open_elsewhere(tmp_path) as other:
        store = QdrantStore(str(tmp_path), "c", wait_seconds=0)
        with pytest.raises(LockedError, match=rf"{tmp_path}/c is open in process {other.pid} on .* since") as raised:
            store.upsert(columns(*make_points(1)))
        assert "wait for that one to end" in str(raised.value)
        assert raised.value.exit_code == 3
        assert store.count() == 0
        other.communicate("", timeout=30)
        store.upsert(columns(*make_points(1)))
        assert store.count() == 1
        store.close()


def test_the_same_process_cannot_write_to_a_collection_twice(tmp_path: Path, make_points: MakePoints) -> None:
    with QdrantStore(str(tmp_path), "c") as store:
        store.ensure(8)
        store.upsert(columns(*make_points(1)))
        second = QdrantStore(str(tmp_path), "c", wait_seconds=0)
        second.ensure(8)
        with pytest.raises(LockedError, match=f"open in process {os.getpid()} "):
            second.upsert(columns(*make_points(1)))
        assert second.count() == 1
        second.close()
        store.upsert(columns(*make_points(2)))
        assert store.count() == 3


def test_marks_are_readable_while_another_process_has_the_collection_open(
    tmp_path: Path, open_elsewhere: OpenElsewhere
) -> None:
    with open_elsewhere(tmp_path):
        store = QdrantStore(str(tmp_path), "c", wait_seconds=0)
        store.ensure(8)
        store.mark(Sentinel("line", 1, "space"))
        assert store.sentinel() == Sentinel("line", 1, "space")


def test_a_short_write_does_not_fail_a_sync_that_meets_it(tmp_path: Path, make_points: MakePoints) -> None:
    other = QdrantStore(str(tmp_path), "c")
    other.ensure(8)
    other.delete([make_points(1)[0].id])
    ending = threading.Timer(0.4, other.close)
    ending.start()
    started = time.monotonic()
    with QdrantStore(str(tmp_path), "c", wait_seconds=20) as sync:
        sync.upsert(columns(*make_points(3)))
        assert sync.count() == 3
    assert time.monotonic() - started >= 0.3
    ending.join()


def test_threads_that_open_a_collection_at_once_share_it(tmp_path: Path) -> None:
    with QdrantStore(str(tmp_path), "c") as store:
        store.ensure(8)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(3):
            with QdrantStore(str(tmp_path), "c", wait_seconds=0) as store, ThreadPoolExecutor(8) as threads:
                start = threading.Barrier(8)
                answers = [threads.submit(_count_together, start, store) for _ in range(8)]
                assert [answer.result() for answer in answers] == [0] * 8
    finally:
        sys.setswitchinterval(interval)


def _count_together(start: threading.Barrier, store: QdrantStore) -> int:
    start.wait()
    return store.count()


def test_a_killed_process_leaves_no_lock(tmp_path: Path, open_elsewhere: OpenElsewhere) -> None:
    with open_elsewhere(tmp_path) as other:
        other.kill()
        other.wait(timeout=30)
        with QdrantStore(str(tmp_path), "c", wait_seconds=0) as store:
            assert store.count() == 0


def test_a_program_that_opened_the_files_without_headrace_is_in_the_way_too(tmp_path: Path) -> None:
    store = QdrantStore(str(tmp_path), "c", wait_seconds=0)
    store.ensure(8)
    store.close()
    stranger = qdrant_edge.EdgeShard.load(str(tmp_path / "c" / "generation-000001" / "shard"))
    late = QdrantStore(str(tmp_path), "c", wait_seconds=0)
    with pytest.raises(LockedError, match="another process has opened the engine's files"):
        late.count()
    stranger.close()
    assert late.count() == 0
    late.close()
