"""Whole runs against a real server."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from tasks.upsert.pgvector.store import PgvectorStore
from tests.conftest import Pipeline
from tests.tasks.upsert.pgvector.test_table import ask


@pytest.fixture
def trial(pipeline: Pipeline, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The usual pipeline, with its collection on the server."""
    monkeypatch.setenv("DATABASE", postgres_url)
    text = pipeline.config.read_text()
    pipeline.config.write_text(
        text.replace("store: {kind: qdrant, path: ./db}", "store: {kind: pgvector, url: '${DATABASE}'}")
    )
    return pipeline


def texts(url: str) -> dict[str, list[str]]:
    with closing(PgvectorStore(url, "trial")) as store:
        records = [payload for _, payload in store.scan()]
    records.sort(key=lambda payload: (payload["metadata"]["document"], payload["metadata"]["position"]))
    documents: dict[str, list[str]] = {}
    for payload in records:
        documents.setdefault(payload["metadata"]["document"], []).append(payload["text"])
    return documents


def search(trial: Pipeline, *options: str) -> list[Any]:
    hits: list[Any] = trial.run("search", str(trial.config), "page", "--json", *options).json["hits"]
    return hits


def test_a_collection_follows_its_documents(trial: Pipeline, postgres_url: str) -> None:
    assert ask(postgres_url, b"SELECT 1 FROM pg_namespace WHERE nspname = 'headrace'") == []
    assert trial.plan()["documents"]["added"] == 3
    assert trial.run("status", str(trial.config), "--json").code == 0
    assert ask(postgres_url, b"SELECT 1 FROM pg_namespace WHERE nspname = 'headrace'") == []

    first = trial.sync()
    assert (first["code"], first["documents"]["added"]) == (0, 3)
    assert set(texts(postgres_url)) == {"a.md", "b.md", "sub/c.txt"}

    trial.write("b.md", "# Beta\n\nAnother second page.\n")
    (trial.folder / "docs/a.md").rename(trial.folder / "docs/z.md")
    changed = trial.sync()
    assert (changed["code"], changed["documents"]["changed"]) == (0, 1)
    assert set(texts(postgres_url)) == {"b.md", "sub/c.txt", "z.md"}
    assert "Another second page." in texts(postgres_url)["b.md"][0]

    unchanged = trial.sync()
    assert (unchanged["chunks"]["embedded"], unchanged["chunks"]["written"]) == (0, 0)
    assert trial.run("verify", str(trial.config), "--json").json["ok"]


def test_many_deletions_wait_for_a_word(trial: Pipeline, postgres_url: str) -> None:
    for number in range(20):
        trial.write(f"{number}.md", f"# Page {number}\n")
    trial.sync()
    for number in range(20):
        (trial.folder / f"docs/{number}.md").unlink()
    withheld = trial.sync()
    assert (withheld["code"], withheld["documents"]["withheld"]) == (25, 20)
    assert len(texts(postgres_url)) == 23
    done = trial.sync("--confirm-deletes", trial.plan()["plan_hash"])
    assert (done["code"], done["documents"]["deleted"]) == (0, 20)
    assert set(texts(postgres_url)) == {"a.md", "b.md", "sub/c.txt"}


@pytest.mark.parametrize(
    "loss", ["TRUNCATE headrace.trial", "DROP TABLE headrace.trial CASCADE", "DROP SCHEMA headrace CASCADE"]
)
def test_a_lost_table_is_written_again_for_nothing(trial: Pipeline, postgres_url: str, loss: str) -> None:
    trial.sync()
    before = texts(postgres_url)
    ask(postgres_url, loss.encode())
    report = trial.sync()
    assert (report["code"], report["tokens"]["embedded"], report["chunks"]["embedded"]) == (0, 0, 0)
    assert texts(postgres_url) == before


def test_a_search_filters_by_metadata(trial: Pipeline) -> None:
    trial.write("d.md", "---\nyear: 2024\ntags: [red, blue]\n---\n# Delta\n\nFourth page.\n")
    trial.sync()
    assert len(search(trial)) == 5
    assert {hit["document"] for hit in search(trial, "--filter", "document=b.md")} == {"docs:b.md"}
    assert "docs:d.md" not in {hit["document"] for hit in search(trial, "--filter", "document!=d.md")}
    assert {hit["document"] for hit in search(trial, "--filter", "position>=1")} == {"docs:a.md"}


def test_another_pipeline_in_the_same_database_is_left_alone(trial: Pipeline, postgres_url: str) -> None:
    trial.sync()
    before = ask(postgres_url, b"SELECT id, content, metadata, xmin::text FROM headrace.trial ORDER BY id")
    other = trial.folder / "other.yaml"
    other.write_text(trial.config.read_text().replace("name: trial", "name: other").replace("trial.db", "o.db"))
    assert trial.run("sync", str(other), "--json").code == 0
    assert ask(postgres_url, b"SELECT count(*) FROM headrace.other") == [(len(before),)]
    trial.write("a.md", "# Alpha\n")
    assert trial.run("sync", str(other), "--json").code == 0
    assert ask(postgres_url, b"SELECT id, content, metadata, xmin::text FROM headrace.trial ORDER BY id") == before


def test_another_pipelines_collection_is_refused(trial: Pipeline) -> None:
    trial.sync()
    other = trial.folder / "other.yaml"
    text = trial.config.read_text().replace("name: trial", "name: other").replace("trial.db", "other.db")
    other.write_text(text.replace("url: '${DATABASE}'", "url: '${DATABASE}', collection: trial"))
    outcome = trial.run("sync", str(other), "--json")
    assert outcome.code == 5
    assert "is kept by the pipeline 'trial'" in outcome.err


KILLED = """
import os, sys
from tasks.upsert.pgvector import store
from flows.cli import main
write = store.PgvectorStore.upsert
def upsert(self, points):
    if sys.argv[2] == "before":
        os.kill(os.getpid(), 9)
    write(self, points)
    os.kill(os.getpid(), 9)
store.PgvectorStore.upsert = upsert
main(["sync", sys.argv[1], "--json"])
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_a_write_is_finished_by_the_next_for_nothing(
    trial: Pipeline, postgres_url: str, moment: str
) -> None:
    command = [sys.executable, "-c", KILLED, str(trial.config), moment]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    report = trial.sync()
    assert (report["code"], report["tokens"]["embedded"]) == (0, 0)
    assert set(texts(postgres_url)) == {"a.md", "b.md", "sub/c.txt"}
    assert trial.run("verify", str(trial.config), "--json").json["ok"]


def test_a_password_is_never_shown(trial: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE", "postgresql://u:s3cret@127.0.0.1:1/d")
    for command in ("sync", "plan", "status", "search"):
        query = ["page"] if command == "search" else []
        outcome = trial.run(command, str(trial.config), *query, "--json")
        assert outcome.code not in (0, 1)
        assert "s3cret" not in outcome.out + outcome.err
        assert "is the server up" in outcome.err
