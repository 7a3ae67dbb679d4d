"""What Prefect costs: the same first sync on a real server, and without one."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.corpus import write_pages
from tests.benchmarks.harness import Gate, Measurement
from tests.prefect_server import prefect_server

FILES = 3000
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
        direct = sync(folder, "direct", {**os.environ, "PREFECT_API_URL": ""})
        home = folder / "prefect"
        home.mkdir()
        with prefect_server(home) as environment:
            tracked = sync(folder, "tracked", environment)
            runs = task_runs(environment)
    seconds, alone = tracked["seconds"]["total"], direct["seconds"]["total"]
    detail = f"{runs} task runs in {seconds:.1f} s"
    yield Measurement("task runs a second", runs / seconds, "", Gate(10, None, True), detail)
    what = "a tracked run, against the same run without Prefect"
    yield Measurement(what, seconds / alone, "x", None, f"{FILES} files, hashed; {seconds:.1f} s and {alone:.1f} s")


def sync(folder: Path, way: str, environment: Mapping[str, str]) -> Any:
    config = folder / f"{way}.yaml"
    config.write_text(CONFIG % {"way": way})
    command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json"]
    run = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def task_runs(environment: Mapping[str, str]) -> int:
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}/task_runs/count",
        data=b"{}",
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.read())
