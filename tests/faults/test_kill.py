"""Real SIGKILLs at random moments of real runs: real files, databases on disk, the real engine, a server that bills."""

import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from flows.cli import main
from tasks.runners.same_model import TEXTS
from tests.conftest import Pipeline
from tests.openai_server import OpenAIServer

KILLS = int(os.environ.get("KILLS", "12"))  # for each of two seeds; `make faults` has 100

CONFIG = """\
name: trial
sources: [{{kind: files, path: ./docs}}]
embedder: {{kind: openai, model: text-embedding-3-small, api_key: '${{OPENAI_KEY}}', base_url: "{url}", dimensions: 16}}
store: {{kind: qdrant, path: ./db}}
state: sqlite:///state/trial.db
cache: sqlite:///state/cache.db
deletions: {{max_count: 1000}}
"""


def edit(docs: Path, dice: random.Random) -> None:
    """Change, add, rename and delete a few files."""
    for _ in range(4):
        name = docs / f"{dice.randint(0, 39)}.md"
        action = dice.choice(["write", "write", "delete", "rename"])
        if action == "write":
            words = " ".join(dice.choice(["ant", "bee", "cat", "dog", "eel"]) for _ in range(dice.randint(0, 40)))
            name.write_text(f"# Page\n\n{words}\n\n## More\n\n{dice.randint(0, 9)} things\n")
        elif name.exists() and action == "delete":
            name.unlink()
        elif name.exists():
            name.replace(docs / f"{dice.randint(0, 39)}.md")


def run_cli(arguments: Sequence[str]) -> None:
    """In the forked process: the real command, quiet."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    sys.exit(main(arguments))


def started(config: Path) -> ForkServerProcess:
    """A run of its own process, forked from one that has everything imported: starting Python takes longer than it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.test_kill", "tests.faults.preloaded"])
    process = context.Process(target=run_cli, args=(["sync", str(config)],))
    process.start()
    return process


@pytest.mark.parametrize("seed", [3, 4])
def test_killed_runs_are_healed_and_hardly_anything_is_paid_twice(
    pipeline: Pipeline, openai_server: OpenAIServer, seed: int
) -> None:
    dice = random.Random(seed)
    docs = pipeline.folder / "docs"
    pipeline.config.write_text(CONFIG.format(url=openai_server.url))
    for number in range(40):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nText of page {number}.\n")
    began = time.monotonic()
    process = started(pipeline.config)
    process.join()
    longest = time.monotonic() - began
    killed = runs = 0
    while killed < KILLS:
        edit(docs, dice)
        runs += 1
        began = time.monotonic()
        process = started(pipeline.config)
        process.join(longest * dice.uniform(0.4, 1.1))
        if process.exitcode is None:
            process.kill()
            killed += 1
        else:
            longest = 0.5 * longest + 0.5 * (time.monotonic() - began)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        process.close()
    first, second = pipeline.sync(), pipeline.sync()
    assert (first["code"], second["chunks"]["written"], second["chunks"]["removed"]) == (0, 0, 0)
    for name in ("trial", "cache"):
        with sqlite3.connect(pipeline.folder / "state" / f"{name}.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
    stored = pipeline.texts()
    fresh = pipeline.folder / "fresh"
    fresh.mkdir()
    paid = Counter(openai_server.answered)
    largest = sorted((len(inputs) for inputs in openai_server.requests), reverse=True)[:killed]
    assert stored == _wanted(pipeline, fresh)
    twice = sum(count - 1 for count in paid.values())
    compared = TEXTS * (runs + 2)  # known texts, by which each run recognises the model
    assert twice <= sum(largest) + compared, "more than one request per kill was paid again"
    assert set(stored) == {str(path.relative_to(docs)) for path in docs.rglob("*.*")} != set()


def _wanted(pipeline: Pipeline, fresh: Path) -> dict[str, list[str]]:
    """What a first run over the same files makes, in a folder that was never killed."""
    config = fresh / "trial.yaml"
    text = pipeline.config.read_text()
    config.write_text(text.replace("path: ./docs", f"path: {pipeline.folder / 'docs'}, name: docs"))
    clean = Pipeline(fresh, config, pipeline.run)
    assert clean.sync()["code"] == 0
    return clean.texts()
