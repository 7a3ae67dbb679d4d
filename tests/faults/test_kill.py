"""Real SIGKILLs at random moments of real runs: real files, databases on disk, the real engine, a server that bills."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.conftest import Pipeline
from tests.openai_server import OpenAIServer

KILLS = 12

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


def test_killed_runs_are_healed_and_hardly_anything_is_paid_twice(
    pipeline: Pipeline, openai_server: OpenAIServer
) -> None:
    dice = random.Random(3)
    docs = pipeline.folder / "docs"
    pipeline.config.write_text(CONFIG.format(url=openai_server.url))
    for number in range(40):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nText of page {number}.\n")
    command = [sys.executable, "-m", "flows.cli", "sync", str(pipeline.config)]
    killed = 0
    while killed < KILLS:
        edit(docs, dice)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            deadline = time.monotonic() + dice.uniform(0.6, 2.2)
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if child.poll() is None:
                child.kill()
                killed += 1
    first, second = pipeline.sync(), pipeline.sync()
    assert (first["code"], second["chunks"]["written"], second["chunks"]["removed"]) == (0, 0, 0)
    stored = pipeline.texts()
    fresh = pipeline.folder / "fresh"
    fresh.mkdir()
    assert stored == _wanted(pipeline, fresh)
    paid = Counter(openai_server.answered)
    twice = sum(count - 1 for count in paid.values())
    in_flight = sorted((len(inputs) for inputs in openai_server.requests), reverse=True)[:killed]
    assert twice <= sum(in_flight), "more than one request per kill was paid again"
    assert len(stored) >= 20


def _wanted(pipeline: Pipeline, fresh: Path) -> dict[str, list[str]]:
    """What a first run over the same files makes, in a folder that was never killed."""
    config = fresh / "trial.yaml"
    text = pipeline.config.read_text()
    config.write_text(text.replace("path: ./docs", f"path: {pipeline.folder / 'docs'}, name: docs"))
    clean = Pipeline(fresh, config, pipeline.run)
    assert clean.sync()["code"] == 0
    return clean.texts()
