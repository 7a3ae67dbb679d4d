"""A full disk and a busy database: one clear line, nothing lost, and the next run goes on."""

import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.database import sqlite
from tests.conftest import CONFIG, Pipeline
from tests.openai_server import OpenAIServer


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a file system needs root")
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_the_run_and_what_was_paid_is_kept(
    pipeline: Pipeline, openai_server: OpenAIServer, small: Path
) -> None:
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: 1536"
    text = CONFIG.format(embedder="{" + settings + "}").replace("sqlite:///state", f"sqlite:///{small}")
    pipeline.config.write_text(text)
    for number in range(600):
        pipeline.write(f"{number}.md", f"# Page {number}\n\nWords of page {number}.\n")
    outcome = pipeline.run("sync", str(pipeline.config), "--json")
    assert outcome.code == 70
    assert str(small) in outcome.err
    assert "full" in outcome.err
    assert "Traceback" not in outcome.err
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    report = pipeline.sync()
    assert (report["code"], report["documents"]["listed"]) == (0, 603)
    assert len(pipeline.texts()) == 603
    largest = max(len(request) for request in openai_server.requests)
    assert len(openai_server.answered) - len(set(openai_server.answered)) <= largest


def test_a_database_that_is_busy_for_a_moment_is_waited_for(pipeline: Pipeline) -> None:
    pipeline.sync()
    pipeline.write("new.md", "# New\n")
    other = sqlite3.connect(pipeline.folder / "state/trial.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(1.0, other.rollback)
    timer.start()
    assert pipeline.sync()["documents"]["added"] == 1
    timer.join()
    other.close()


def test_a_database_that_stays_busy_ends_in_a_clear_line_and_loses_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.sync()
    before = pipeline.texts()
    pipeline.write("new.md", "# New\n")
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    other = sqlite3.connect(pipeline.folder / "state/trial.db")
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    outcome = pipeline.run("sync", str(pipeline.config))
    assert time.monotonic() - started < 60
    assert outcome.code not in (0, 1)
    assert "locked" in outcome.err
    assert pipeline.texts() == before
    other.rollback()
    other.close()
    assert pipeline.sync()["documents"]["added"] == 1
