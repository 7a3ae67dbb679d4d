"""What a document costs when there are a hundred thousand of them, a million, ten million: time, memory and bytes.

    python -m tests.benchmarks.scale 100000 1000000:8 10000000:64

Each argument is a number of documents, and of shards. A function yields them, one chunk each; the model hashes, and
the store only writes down what it was told, so what is measured is Headrace. Each run is a process of its own: a first
sync, one without changes, one with one document in a hundred changed, and a first sync that is killed half way and gone
on with. At the end the ledger has to have exactly what the store was told.
"""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from config.options import SyncOptions
from config.read import read_pipeline
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.runners.threads import ThreadRunner
from tasks.session import open_session
from tasks.sync.run import run_sync
from tasks.system.garbage import look_rarely
from tasks.upsert.base import Place
from tests.benchmarks.harness import HEADER, Gate, Measurement, machine, say
from tests.faults.world import Silence

CONFIG = """\
name: scale
sources:
  - {kind: python, function: rows:documents}
embedder: {kind: hashing, dimensions: 8}
store: {kind: memory}
"""
ROWS = """\
import os

def documents():
    step = int(os.environ["STEP"])
    for number in range(int(os.environ["DOCUMENTS"])):
        if step and number % 1000 == 1:
            continue
        version = step if number % 100 == 0 else 0
        text = f"Report {number} of {number * 7919 % 99991}, revision {version}: all is well with part {number % 977}."
        yield f"{number // 1000:06}/{number:09}", text, {}, f"v{version}"
"""
CHANGED, REMOVED = 100, 1000  # one in so many
RECORD = np.dtype([("kind", "u1"), ("id", "S16")])
PUT, TAKEN = 1, 0
MICROSECONDS = 1e6


class Sink:
    """A store that writes down the ids it was given, in a file that outlives the process, and keeps nothing else."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "sink").open("ab")
        self._mark = folder / "mark.json"

    def upsert(self, points: Points, /) -> None:
        self._write(PUT, points.ids)

    def delete(self, ids: Sequence[PointId], /) -> None:
        self._write(TAKEN, ids)

    def _write(self, kind: int, ids: Sequence[PointId]) -> None:
        rows = b"".join(bytes([kind]) + uuid.UUID(point).bytes for point in ids)
        self._file.write(rows)
        self._file.flush()

    def ensure(self, dimension: int, /) -> None: ...

    def expect(self, points: int, /) -> None: ...

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        return set()

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        raise AssertionError("nothing was to be repaired")

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        return {}

    def search(self, query: Query, /) -> list[Hit]:
        return []

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        return Sentinel(**json.loads(self._mark.read_text())) if self._mark.exists() else None

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        self._mark.write_text(json.dumps({name: getattr(sentinel, name) for name in Sentinel.__dataclass_fields__}))

    def count(self, pipeline: str = "", /) -> int:
        return sys.maxsize if self._mark.exists() else 0  # never fewer than the ledger knows

    def publish(self, name: str, /) -> None: ...

    def place(self, name: str, /) -> Place:
        return Place("sink", "scale")

    def drop(self) -> None: ...

    def close(self) -> None:
        self._file.close()


def work(folder: Path) -> None:
    """One run, in this process; prints what it took."""
    look_rarely()
    with open_session(read_pipeline(folder / "scale.yaml")) as session:
        started, used = time.perf_counter(), _used()
        report = run_sync(replace(session, store=Sink(folder)), SyncOptions(), ThreadRunner(), Silence())
        took = {"wall": time.perf_counter() - started}
    took |= {"cpu": _used() - used, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    sys.stdout.write(json.dumps({**report.as_json(), **took}))


def _used() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


class Scale:
    """One number of documents, in a folder of its own."""

    def __init__(self, folder: Path, documents: int, shards: int) -> None:
        self._folder, self.documents, self.shards = folder, documents, shards
        (folder / "scale.yaml").write_text(f"{CONFIG}shards: {shards}\n")
        (folder / "rows.py").write_text(ROWS)

    def start(self, step: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.benchmarks.scale", "--work", str(self._folder)]
        env = {**os.environ, "DOCUMENTS": str(self.documents), "STEP": str(step)}
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, step: int) -> Any:
        process = self.start(step)
        told, _ = process.communicate()
        assert process.returncode == 0, process.returncode
        return json.loads(told)

    def kill_half_way(self) -> int:
        """Kills a first sync once half of the documents were written; how many were."""
        process = self.start(0)
        sink = self._folder / "sink"
        half = self.documents // 2 * RECORD.itemsize
        while not sink.exists() or sink.stat().st_size < half:
            assert process.poll() is None, "it ended first"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return sink.stat().st_size // RECORD.itemsize

    def differences(self, step: int) -> int:
        """Points that only the store has or only the ledger calls live, and documents too few or too many."""
        told = np.fromfile(self._folder / "sink", dtype=RECORD)
        order = np.lexsort((np.arange(len(told)), told["id"]))
        told = told[order]
        is_last = np.append(told["id"][1:] != told["id"][:-1], True)
        stored = told["id"][is_last & (told["kind"] == PUT)]
        live, documents = self._known()
        expected = self.documents - (self.documents // REMOVED if step else 0)
        return len(np.setxor1d(stored, live)) + abs(documents - expected) + abs(len(live) - expected)

    def _known(self) -> tuple[Any, int]:
        ids, documents = list[bytes](), 0
        names = [f"scale.db.{number + 1}-of-{self.shards}" for number in range(self.shards)]
        for name in names if self.shards > 1 else ["scale.db"]:
            with sqlite3.connect(self._folder / ".headrace" / name) as ledger:
                documents += ledger.execute("SELECT COUNT(*) FROM document WHERE version IS NOT NULL").fetchone()[0]
                points = ledger.execute("SELECT id FROM point WHERE state = 'LIVE'")
                ids += [uuid.UUID(point).bytes for (point,) in points]
        return np.sort(np.array(ids, dtype="S16")), documents

    def size(self, pattern: str) -> int:
        return sum(path.stat().st_size for path in (self._folder / ".headrace").glob(pattern))


def measure(documents: int, shards: int) -> Iterator[Measurement]:
    what = f"{documents:,} documents, {shards} shards"
    with tempfile.TemporaryDirectory() as name:
        scale = Scale(Path(name), documents, shards)
        for run, step in (("first sync", 0), ("no change", 0), ("1 % changed", 1)):
            report = scale.run(step)
            assert report["outcome"] == "done", report
            counts = {key: value for key, value in report["documents"].items() if value}
            detail = f"{report['wall']:.0f} s wall, {counts}"
            each = report["cpu"] / documents * MICROSECONDS
            gate = Gate(50, None, True) if run == "no change" else None
            yield Measurement(f"{what}: {run}, CPU a document", each, "us", gate, detail)
            yield Measurement(f"{what}: {run}, peak memory", report["peak"] / 2**20, "MB")
        yield Measurement(f"{what}: differences", scale.differences(1), "", Gate(0, None, True))
        yield Measurement(f"{what}: ledger, bytes a document", scale.size("scale.db*") / documents, "bytes")
        yield Measurement(f"{what}: cache, bytes a text", scale.size("embeddings.db*") / documents, "bytes")
    with tempfile.TemporaryDirectory() as name:
        scale = Scale(Path(name), documents, shards)
        written = scale.kill_half_way()
        report = scale.run(0)
        detail = f"killed with {written:,} written; then {report['chunks']['embedded']:,} embedded"
        yield Measurement(
            f"{what}: killed and gone on with, differences", scale.differences(0), "", Gate(0, None, True), detail
        )


def main(arguments: Sequence[str]) -> None:
    if arguments and arguments[0] == "--work":
        work(Path(arguments[1]))
        return
    sys.stdout.write(f"{machine()}\n\n{HEADER}\n")
    for argument in arguments or ("100000", "1000000:8"):
        documents, _, shards = argument.partition(":")
        for measurement in measure(int(documents), int(shards or 1)):
            say(measurement)


if __name__ == "__main__":
    main(sys.argv[1:])
