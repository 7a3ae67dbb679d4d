"""`status` while a run works, and after it was killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pipeline
from tests.second_window import SECOND_WINDOW

ROOT = Path(__file__).parents[2]


def eventually(ask: Callable[[], Any]) -> Any:
    limit = time.monotonic() + 60
    while not (answer := ask()):
        assert time.monotonic() < limit
        time.sleep(0.1)
    return answer


@pytest.fixture
def busy(pipeline: Pipeline) -> Iterator[subprocess.Popen[bytes]]:
    """A sync that embeds its second document for as long as the file `wait` is there."""
    wait = pipeline.folder / "wait"
    wait.touch()
    command = [sys.executable, "-c", SECOND_WINDOW, "sync", str(pipeline.config), "--json", str(wait)]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def progress(pipeline: Pipeline) -> Any:
    status = pipeline.run("status", str(pipeline.config), "--json").json
    return status["progress"] if status["progress"] and status["progress"]["documents_done"] else None


def test_a_run_says_how_far_it_is_and_then_that_it_is_done(pipeline: Pipeline, busy: subprocess.Popen[bytes]) -> None:
    going = eventually(lambda: progress(pipeline))
    assert (going["documents_done"], going["documents_total"], going["chunks_embedded"]) == (1, 3, 2)
    assert time.time() - 60 < going["started_at"] < time.time()
    status = pipeline.run("status", str(pipeline.config), "--json").json
    assert str(busy.pid) in status["running"]
    assert status["runs"][0]["run"] == going["run"]
    text = pipeline.run("status", str(pipeline.config)).out
    assert "1 of 3 documents, 2 chunks embedded, since 20" in text
    assert "did not end" not in text
    (pipeline.folder / "wait").unlink()
    busy.wait(60)
    status = pipeline.run("status", str(pipeline.config), "--json").json
    assert (status["running"], status["progress"], status["runs"][0]["outcome"]) == (None, None, "done")


def test_a_killed_run_is_not_running(pipeline: Pipeline, busy: subprocess.Popen[bytes]) -> None:
    eventually(lambda: progress(pipeline))
    busy.kill()
    busy.wait(60)
    status = pipeline.run("status", str(pipeline.config), "--json").json
    assert (status["running"], status["progress"], status["runs"][0]["outcome"]) == (None, None, None)
    assert "did not end" in pipeline.run("status", str(pipeline.config)).out


def test_another_holder_of_the_lease_is_not_taken_for_the_run_before(
    pipeline: Pipeline, busy: subprocess.Popen[bytes]
) -> None:
    from tasks.ledger.lease import leased
    from tasks.ledger.ledger import Ledger

    eventually(lambda: progress(pipeline))
    busy.kill()
    busy.wait(60)
    ledger = Ledger(f"sqlite:///{pipeline.folder}/state/trial.db", "trial")
    with leased(ledger, wait=False):  # as a verification has it
        status = pipeline.run("status", str(pipeline.config), "--json").json
    ledger.close()
    assert status["running"]
    assert status["progress"] is None
