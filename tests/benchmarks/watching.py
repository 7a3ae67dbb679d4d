"""How long a saved file takes until it is found, while `headrace watch` keeps many documents in step.

`python -m tests.benchmarks.watching 100000 60`: so many documents, ten saves a second for so many seconds. A save is
counted as found when its round's report is there, later than searches find it.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

PER_FOLDER = 100
TEXTS = 1000  # that differ, so the first sync embeds no more
PER_SECOND = 10
CONFIG = """\
name: watched
sources: [{kind: files, name: docs, path: ./docs}]
embedder: {kind: sentence-transformers, model: all-MiniLM-L6-v2}
store: {kind: qdrant, path: ./db}
state: sqlite:///state.db
cache: sqlite:///cache.db
"""


def page(number: int) -> Path:
    return Path(f"docs/{number // PER_FOLDER}/{number % PER_FOLDER}.md")


def measure(folder: Path, documents: int, seconds: int) -> None:
    """Print what was seen."""
    (folder / "watched.yaml").write_text(CONFIG.replace("./", f"{folder}/"))
    for number in range(documents):
        (folder / page(number)).parent.mkdir(parents=True, exist_ok=True)
        (folder / page(number)).write_text(f"# Topic\n\nThe text number {number % TEXTS} of all that there are.\n")
    command = [sys.executable, "-m", "flows.cli", "watch", str(folder / "watched.yaml"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        try:
            assert process.stdout
            began = time.monotonic()
            first = json.loads(process.stdout.readline())
            print(
                f"first sync: {first['documents']['added']} documents in {time.monotonic() - began:.0f} s", flush=True
            )
            latencies, rounds = saves(folder, process, documents, seconds)
        finally:
            process.terminate()
    found = np.array(latencies)
    print(f"{len(found)} of {seconds * PER_SECOND} saves found; median {np.median(found):.2f} s", flush=True)
    print(f"p90 {np.quantile(found, 0.9):.2f} s, p99 {np.quantile(found, 0.99):.2f} s, worst {found.max():.2f} s")
    parts = [one for one in rounds if one["documents"]["listed"] < documents]
    print(f"{len(rounds)} rounds, {len(parts)} of changed files alone; those took", end=" ")
    print(f"{np.median([one['seconds']['total'] for one in parts]):.2f} s in the middle", end="; ")
    print(f"processor time {os.times().children_user:.0f} s of the children that have ended")


def saves(
    folder: Path, process: "subprocess.Popen[str]", documents: int, seconds: int
) -> tuple[list[float], list[dict[str, dict[str, float]]]]:
    """Seconds until each save was found, and the reports."""
    saved: dict[str, float] = {}
    before = versions(folder)

    def edit() -> None:
        for number in range(seconds * PER_SECOND):
            path = page(number * 7919 % documents)
            saved[f"docs:{path.relative_to('docs')}"] = time.monotonic()
            (folder / path).write_text(f"# Topic\n\nThis was saved as number {number}, at {time.time()}.\n")
            time.sleep(1 / PER_SECOND)

    editor = threading.Thread(target=edit)
    editor.start()
    latencies: list[float] = []
    rounds: list[dict[str, dict[str, float]]] = []
    assert process.stdout
    while editor.is_alive() or saved:
        rounds.append(json.loads(process.stdout.readline()))
        now, after = time.monotonic(), versions(folder)
        new = [one for one in list(saved) if after[one] != before[one]]
        latencies += [now - saved.pop(document) for document in new]
    return latencies, rounds


def versions(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{folder / 'state.db'}?mode=ro", uri=True)) as ledger:
        return dict(ledger.execute("SELECT id, version FROM document"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary), int(sys.argv[1]), int(sys.argv[2]))
