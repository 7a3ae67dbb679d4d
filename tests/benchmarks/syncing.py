"""Whole runs of the command over 5,000 Markdown files with hashed vectors: first, without changes, 1 % edited."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.corpus import write_pages
from tests.benchmarks.harness import Gate, Measurement, timed

ROUNDS = 3
FILES = 5000
CONFIG = """\
name: bench
sources: [{kind: files, path: ./docs}]
embedder: {kind: hashing, dimensions: 384}
store: {kind: qdrant, path: ./db}
"""


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        megabytes = write_pages(folder / "docs", FILES) / 1e6
        (folder / "bench.yaml").write_text(CONFIG)

        def sync() -> None:
            command = [sys.executable, "-m", "flows.cli", "sync", str(folder / "bench.yaml"), "--json"]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ})

        time.sleep(2)
        first = timed(sync).seconds
        yield Measurement(f"first sync of {FILES} files, {megabytes:.0f} MB, hashed", first, "s", Gate(10, 5, True))
        sync()
        calm = statistics.median(timed(sync).seconds for _ in range(ROUNDS))
        yield Measurement("sync without changes", calm, "s", Gate(1.5, 0.7, True))
        for number in range(0, FILES, 100):
            path = folder / f"docs/{number // 100}/{number}.md"
            path.write_text(path.read_text() + "\nOne more line.\n")
        yield Measurement("sync with 1 % edited", timed(sync).seconds, "s")
