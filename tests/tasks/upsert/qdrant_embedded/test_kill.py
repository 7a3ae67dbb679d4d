"""A process that is killed while it writes, deletes or compacts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import ServiceError
from tasks.records import PointId, Query
from tasks.upsert.qdrant_embedded.access import MANY
from tasks.upsert.qdrant_embedded.engine import EngineProcess
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]

# Says what it is about to do (?) and what was acknowledged (!), one line each.
WRITER = """
import sys, uuid
import numpy as np
from tasks.records import Points
from tasks.upsert.qdrant_embedded.store import QdrantStore
store = QdrantStore(sys.argv[1], "c")
store.ensure(8)
while True:
    ids = [str(uuid.uuid4()) for _ in range(700)]
    print("?", *ids, flush=True)
    store.upsert(Points(ids, np.ones((700, 8), dtype="f4"), [{"headrace": {"document": "s:a"}}] * 700))
    print("!", *ids, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_batch_and_leaves_no_half_record(tmp_path: Path) -> None:
    acknowledged: set[PointId] = set()
    begun: set[PointId] = set()
    for lines in (2, 5, 8, 13, 22):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout, start=1):
                if number == lines:
                    child.kill()  # later lines may still be in the pipe, and count
                mark, *ids = line.split()
                (acknowledged if mark == "!" else begun).update(PointId(one) for one in ids if len(one) == 36)
    with QdrantStore(str(tmp_path), "c") as store:
        assert len(acknowledged) >= 24 * 700
        assert store.present(list(acknowledged)) == acknowledged
        records = dict(store.scan())
        assert store.count() == len(records)
        assert set(records) <= begun
        assert all(payload == {"headrace": {"document": "s:a"}} for payload in records.values())
        assert store.vectors(list(records)).keys() == records.keys()


def test_a_store_whose_engine_is_killed_says_so_and_keeps_what_it_acknowledged(
    tmp_path: Path, make_points: MakePoints
) -> None:
    points = make_points(2 * MANY)
    store = QdrantStore(str(tmp_path), "c")
    store.ensure(8)
    store.upsert(columns(*points[:MANY]))
    assert isinstance(store._access.engine, EngineProcess)
    os.kill(store._access.engine._worker.pid, signal.SIGBUS)
    with pytest.raises(ServiceError, match=rf"{tmp_path}/c: .* ended by SIGBUS; most likely the disk is full: .*again"):
        store.upsert(columns(*points[MANY:]))
    with pytest.raises(ServiceError, match="SIGBUS"):
        store.close()
    with QdrantStore(str(tmp_path), "c", wait_seconds=0) as other:
        assert other.present([one.id for one in points]) == {one.id for one in points[:MANY]}


DELETER = """
import sys
from tasks.upsert.qdrant_embedded.store import QdrantStore
store = QdrantStore(sys.argv[1], "c")
store.delete(sys.stdin.read().split())
print("deleted", flush=True)
store.close()
"""


def test_a_process_killed_while_it_compacts_keeps_what_was_acknowledged(
    tmp_path: Path, make_points: MakePoints
) -> None:
    points = make_points(8000)
    with QdrantStore(str(tmp_path), "c") as store:
        store.ensure(8)
        store.upsert(columns(*points))
    for death in range(4):
        doomed, points = points[:1800], points[1800:]
        command = [sys.executable, "-c", DELETER, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(" ".join(one.id for one in doomed))
            child.stdin.close()
            assert child.stdout.readline() == "deleted\n"
            time.sleep(0.015 * death)
            child.kill()
        with QdrantStore(str(tmp_path), "c") as store:
            assert dict(store.scan()) == {one.id: one.payload for one in points}
            assert store.search(Query(points[0].vector, 1))[0].id == points[0].id
