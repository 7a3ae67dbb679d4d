"""How much a run does: nothing grows with the collection but one look at each file's time stamp."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CONFIG, Pipeline

REPOSITORY = Path(__file__).parents[2]
UNNEEDED = {
    "fsspec", "httpx", "openai", "pandas", "prefect", "pypdfium2", "qdrant_edge", "rich", "sentence_transformers",
    "sqlalchemy", "tiktoken", "tokenizers", "torch", "transformers", "urllib.request",
}  # fmt: skip

# Runs the command and says, as JSON, what it did on the way.
WATCHED = """
import collections, json, sys
did = collections.Counter()

def watch(event, values):
    path = str(values[0]) if values else ""
    if event == "open" and path.endswith(".md"):
        did["documents opened"] += 1
    if event == "os.scandir" and "/docs" in path:
        did["folders listed"] += 1

def count(owner, name, label, weigh=None):
    real = getattr(owner, name)
    def counted(self, *arguments):
        did[label] += 1
        if weigh:
            did[weigh] += len(arguments[-1])
        return real(self, *arguments)
    setattr(owner, name, counted)

from tasks.database.sqlite import SqliteConnection
from tasks.embed.hashing import HashingEmbedder
from tasks.chunk.auto import AutoChunker
from tasks.upsert.qdrant_embedded.store import QdrantStore
count(AutoChunker, "split", "windows chunked", "documents chunked")
count(SqliteConnection, "execute", "statements")
count(SqliteConnection, "many", "statements", "rows")
count(HashingEmbedder, "embed", "embed calls", "texts embedded")
count(QdrantStore, "upsert", "store writes", "points written")
for name in ("delete", "present", "scan", "vectors", "search"):
    count(QdrantStore, name, "other store requests")
sys.addaudithook(watch)
from flows.cli import main
code = main(sys.argv[1:])
print(json.dumps({"code": code, **did, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def watched(pipeline: Pipeline) -> dict[str, Any]:
    command = [sys.executable, "-c", WATCHED, "sync", str(pipeline.config), "--json"]
    run = subprocess.run(command, cwd=REPOSITORY, env={**os.environ}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    did: dict[str, Any] = json.loads(run.stderr.splitlines()[-1])
    assert did["code"] == 0, run.stdout
    return did


def settle(pipeline: Pipeline) -> None:
    """A file that changed a moment ago is always read again."""
    then = time.time() - 60
    for path in (pipeline.folder / "docs").rglob("*.*"):
        os.utime(path, (then, then))


def collection(pipeline: Pipeline, documents: int) -> None:
    """So many documents in ten folders, synced for the first time."""
    for name in ("docs", "db", "state"):
        shutil.rmtree(pipeline.folder / name, ignore_errors=True)
    for number in range(documents):
        pipeline.write(f"{number % 10}/{number}.md", f"# Page {number}\n\nWords of page {number}.\n")
    settle(pipeline)
    assert pipeline.sync()["code"] == 0


def without_modules(did: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in did.items() if name != "modules"}


def test_a_run_without_changes_does_the_same_for_any_number_of_documents(pipeline: Pipeline) -> None:
    collection(pipeline, 30)
    few = without_modules(watched(pipeline))
    collection(pipeline, 330)
    many = without_modules(watched(pipeline))
    assert few == many
    assert many["folders listed"] == 11
    assert many["statements"] < 70
    untouched = ("documents opened", "embed calls", "store writes", "other store requests")
    assert not set(untouched) & many.keys()


def change(pipeline: Pipeline) -> None:
    """An edit, a new document, a deletion, and a document under another name."""
    pipeline.write("1/1.md", "# Page 1\n\nOther words of page 1.\n")
    pipeline.write("1/new.md", "# New\n\nWords of a new page.\n")
    (pipeline.folder / "docs/2/2.md").unlink()
    (pipeline.folder / "docs/3/3.md").rename(pipeline.folder / "docs/3/renamed.md")


def test_a_run_with_changes_does_as_much_as_there_are_changes(pipeline: Pipeline) -> None:
    collection(pipeline, 30)
    change(pipeline)
    few = without_modules(watched(pipeline))
    collection(pipeline, 330)
    change(pipeline)
    many = without_modules(watched(pipeline))
    assert few == many
    assert (many["embed calls"], many["texts embedded"]) == (1, 2)
    # The page that keeps little of its text is written at the end, when the guard has seen all others.
    assert (many["documents opened"], many["store writes"], many["points written"]) == (3, 2, 3)


def test_documents_that_were_touched_are_read_once_and_not_chunked(pipeline: Pipeline) -> None:
    collection(pipeline, 30)
    then = time.time() - 30
    for number in range(20):
        os.utime(pipeline.folder / f"docs/{number % 10}/{number}.md", (then, then))
    did = watched(pipeline)
    assert did["documents opened"] == 20
    assert did.get("documents chunked", 0) == 0
    assert not {"embed calls", "store writes", "other store requests"} & did.keys()
    assert "documents opened" not in watched(pipeline)


@pytest.mark.parametrize("embedder", ["{kind: hashing, dimensions: 64}", "{kind: sentence-transformers, device: cpu}"])
def test_a_run_without_changes_imports_nothing_that_it_does_not_use(pipeline: Pipeline, embedder: str) -> None:
    pipeline.config.write_text(CONFIG.format(embedder=embedder))
    settle(pipeline)
    assert pipeline.sync()["code"] == 0
    assert set(watched(pipeline)["modules"]) & UNNEEDED == set()
