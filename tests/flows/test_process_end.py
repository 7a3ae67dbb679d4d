"""The command's process leaves without taking everything apart, and says all that it had to say."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Pipeline
from tests.terminated_run import terminated_run

ENDING = """
import atexit, sys
from flows import cli

def said() -> int:
    atexit.register(sys.stdout.write, "handled")
    sys.stdout.write("said ")
    return int(sys.argv[1])

class Left:
    def __del__(self):
        sys.stderr.write("taken apart")

left = Left()
cli.main = said
sys.exit(cli.run())
"""


def test_what_was_said_and_what_was_to_be_done_at_exit_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING, "7"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "said handled", "")


def test_an_answer_that_nobody_can_read_is_no_success() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", ENDING, "0"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0
    assert b"No space left" in done.stderr


SCHEMA = [sys.executable, "-m", "flows.cli", "schema"]


def test_an_answer_that_cannot_be_written_is_a_failure_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(SCHEMA, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 70
    assert done.stderr == "headrace: the answer cannot be written: No space left on device; run again\n"


@pytest.mark.parametrize("way", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_a_stderr_that_takes_nothing_is_no_failure(pipeline: Pipeline, way: str) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = f'exec "$0" -m flows.cli "$@" {way}'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        return done.returncode, done.stdout

    code, said = run("sync", str(pipeline.config), "--direct")
    assert (code, "4 embedded" in said) == (0, True)
    assert run("status", str(pipeline.config), "--jsn") == (2, "")


def test_an_answer_in_a_narrow_encoding_is_an_answer(pipeline: Pipeline) -> None:
    pipeline.write("größe.md", "# Größe\n")
    pipeline.sync()
    command = [sys.executable, "-m", "flows.cli", "search", str(pipeline.config), "Größe", "--limit", "1"]
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}
    plain = subprocess.run(command, env=narrow, capture_output=True, text=True, check=True).stdout
    assert r"docs:gr\xf6\xdfe.md" in plain
    shape = json.loads(subprocess.run([*command, "--json"], env=narrow, capture_output=True, check=True).stdout)
    assert (shape["query"], shape["hits"][0]["document"]) == ("Größe", "docs:größe.md")


def test_a_reader_who_has_seen_enough_may_leave() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(SCHEMA, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_stdout_is_a_failure_in_one_line() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *SCHEMA], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 70
    assert done.stderr == "headrace: the answer cannot be written: stdout is closed; run again\n"


def test_whoever_interrupts_the_first_moments_gets_one_line_too() -> None:
    code = """
import builtins, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests may have it ignored
real = builtins.__import__
def interrupted(name, *rest):
    if name == "pydantic":
        signal.raise_signal(signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = interrupted
from flows import cli
sys.argv = ["headrace", "schema", *sys.argv[1:]]
sys.exit(cli.run())
"""
    told = "interrupted; the next run goes on from here"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{told}\n")
    done = subprocess.run([sys.executable, "-c", code, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, f"{told}\n")
    assert json.loads(done.stdout) == {"command": "schema", "outcome": "interrupted", "exit_code": 130, "error": told}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_termination_ends_a_run_in_order(pipeline: Pipeline, number: signal.Signals, code: int) -> None:
    """The run is recorded, and what was paid is kept."""
    done = terminated_run(pipeline, os.environ, number)
    assert (done.returncode, done.stderr) == (code, "terminated; the next run goes on from here\n")
    assert json.loads(done.stdout)["outcome"] == "interrupted"
    status = pipeline.run("status", str(pipeline.config), "--json").json
    assert (status["running"], status["runs"][0]["outcome"]) == (None, "interrupted")
    after = pipeline.sync()
    assert (after["outcome"], after["chunks"]["embedded"], after["chunks"]["reused"]) == ("done", 0, 4)


def test_a_run_under_nohup_outlives_its_terminal(pipeline: Pipeline) -> None:
    done = terminated_run(pipeline, os.environ, signal.SIGHUP, ["nohup"])
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "done")


@pytest.mark.parametrize("mask", [0, 0o022])
def test_what_a_sync_makes_is_its_owners_alone(pipeline: Pipeline, mask: int) -> None:
    given = set(pipeline.folder.rglob("*"))
    command = [sys.executable, "-m", "flows.cli", "sync", str(pipeline.config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, umask=mask, check=False)
    assert done.returncode == 0, done.stderr
    made = [path for name in ("db", "state") for path in (pipeline.folder / name, *(pipeline.folder / name).rglob("*"))]
    assert len(set(made) - given) > 10
    assert [path for path in made if path.stat().st_mode & 0o077] == []
