"""Points, and another process that has a collection open."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tasks.records import PointId
from tests.points import Point

MakePoints = Callable[[int], list[Point]]
OpenElsewhere = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]

HOLDER = """
import sys
from tasks.upsert.qdrant_embedded.store import QdrantStore
store = QdrantStore(sys.argv[1], "c")
store.ensure(8)
store.delete(["6f0c3f4e-6f39-4f0c-9d0b-0b1f5a1c2d3e"])  # who only reads would give way
print(len(list(store.scan())), flush=True)
sys.stdin.read()
store.close()
"""


@pytest.fixture
def make_points() -> MakePoints:
    """So many points of 8 dimensions with random directions."""
    dice = np.random.default_rng(11)

    def make(count: int) -> list[Point]:
        rows = dice.normal(size=(count, 8)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        payload = {"text": "hello", "metadata": {"document": "a"}, "headrace": {"document": "s:a"}}
        return [Point(PointId(str(uuid.uuid4())), row, payload) for row in rows]

    return make


@pytest.fixture
def open_elsewhere() -> OpenElsewhere:
    """A process that has the collection `c` in a folder open until its standard input ends."""

    @contextmanager
    def opened(folder: Path) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-c", HOLDER, str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip().isdigit()
            yield process

    return opened
