"""What Prefect costs: the same sync on a real server on this machine, and without one."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.corpus import write_pages
from tests.benchmarks.harness import Gate, Measurement, spread
from tests.prefect_server import prefect_server

FILES = 1000
ROUNDS = 5
FACTOR = 1.3
CONFIG = """\
name: tracked-%(way)s
sources: [{kind: files, path: ./docs}]
embedder: {kind: hashing, dimensions: 384}
store: {kind: qdrant, path: ./%(way)s/db}
state: sqlite:///%(way)s/state.db
cache: sqlite:///%(way)s/cache.db
"""


def measure() -> Iterator[Measurement]:
    """The hashing embedder is the hardest case: it is so fast that windows end soon."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pages(folder / "docs", FILES)
        home = folder / "prefect"
        home.mkdir()
        with prefect_server(home) as environment:
            yield from _measured(folder, environment)


def _measured(folder: Path, tracked: Mapping[str, str]) -> Iterator[Measurement]:
    environments = {"direct": {**os.environ, "PREFECT_API_URL": ""}, "tracked": tracked}
    first: dict[str, list[float]] = {way: [] for way in environments}
    unchanged: dict[str, list[float]] = {way: [] for way in environments}
    for number in range(ROUNDS + 1):  # the first one warms up
        for way in sorted(environments, reverse=bool(number % 2)):
            shutil.rmtree(folder / way, ignore_errors=True)
            first[way].append(sync(folder, way, environments[way])["seconds"]["total"])
            started = time.perf_counter()
            sync(folder, way, environments[way])
            unchanged[way].append(time.perf_counter() - started)
    rate = task_runs(tracked) / sum(first["tracked"])
    for seconds in (*first.values(), *unchanged.values()):
        del seconds[0]
    pairs = zip(first["tracked"], first["direct"], strict=True)
    beyond = statistics.median(one - FACTOR * other for one, other in pairs)
    detail = f"{FILES} files, hashed: {spread(first['tracked'])}, against {spread(first['direct'])}"
    yield Measurement(f"a tracked run, beyond {FACTOR} of a direct one", beyond, "s", Gate(0.5, None, True), detail)
    detail = f"as a process: {spread(unchanged['tracked'])}, against {spread(unchanged['direct'])}"
    wall = statistics.median(unchanged["tracked"])
    yield Measurement("a tracked sync without changes", wall, "s", Gate(3.0, None, True), detail)
    yield Measurement("task runs a second", rate, "", Gate(10, None, True))


def sync(folder: Path, way: str, environment: Mapping[str, str]) -> Any:
    config = folder / f"{way}.yaml"
    config.write_text(CONFIG % {"way": way})
    command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json"]
    run = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def task_runs(environment: Mapping[str, str]) -> int:
    """How many the server knows; it hears of them with a delay."""
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}/task_runs/count",
        data=b"{}",
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.read())
