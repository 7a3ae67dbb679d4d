"""Reading needs no right to write, and no end of the run that goes on."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Pipeline
from tests.second_window import SECOND_WINDOW

ROOT = Path(__file__).parents[2]
# The program's own files may be closed to the other account: what the commands import is imported before.
READER = """
import contextlib, io, json, os, sys
from flows.cli import main

def answer(command):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(command)
    return code, out.getvalue(), err.getvalue()

warm, wanted = json.loads(sys.argv[1])
for command in warm:
    answer(command)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(json.dumps([answer(command) for command in wanted]))
"""
READING = ("status", "plan", "search", "verify")


def as_reader(pipeline: Pipeline, *commands: str) -> dict[str, tuple[int, str, str]]:
    """Code, stdout and stderr of commands that an account gives which may write nowhere but in its own folder."""
    own = Path(tempfile.mkdtemp(prefix="reader-"))
    own.chmod(0o777)
    trial = own / "trial.yaml"
    trial.write_bytes(pipeline.config.read_bytes())
    (own / "docs").mkdir()
    (own / "docs" / "a.md").write_text("# Page")
    warm = [_command(name, trial) for name in ("sync", *READING)]
    wanted = [_command(name, pipeline.config) for name in commands]
    env = {**os.environ, "HOME": str(own), "TMPDIR": str(own)}
    env |= {"XDG_STATE_HOME": str(own / "state"), "XDG_CACHE_HOME": str(own / "cache")}
    command = [sys.executable, "-c", READER, json.dumps([warm, wanted])]
    answer = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    left = [path.name for path in own.glob("headrace-*")]
    shutil.rmtree(own)
    assert answer.returncode == 0, answer.stderr
    assert left == []  # a copy that was made to be read
    return dict(zip(commands, json.loads(answer.stdout), strict=True))


def _command(name: str, config: Path) -> list[str]:
    return [name, str(config), *(["page"] if name == "search" else []), "--json"]


def may_only_be_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o555 if path.is_dir() else 0o444) if os.geteuid() else 0o755 if path.is_dir() else 0o644)


def contents(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def shown(pipeline: Pipeline) -> Iterator[Pipeline]:
    """A synced pipeline in a folder that others may enter."""
    folder = Path(tempfile.mkdtemp(prefix="pipeline-"))
    pipeline.sync()
    for name in ("docs", "db", "state", "trial.yaml"):
        shutil.move(pipeline.folder / name, folder / name)
    yield Pipeline(folder, folder / "trial.yaml", pipeline.run)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_whoever_may_only_read_reads_everything_and_changes_nothing(shown: Pipeline) -> None:
    may_only_be_read(shown.folder)
    before = contents(shown.folder)
    answers = as_reader(shown, *READING, "sync")
    assert {name: code for name, (code, _, _) in answers.items()} == dict.fromkeys(READING, 0) | {"sync": 2}, answers
    assert contents(shown.folder) == before
    status, plan, search, verified = (json.loads(answers[name][1]) for name in READING)
    assert (status["counts"]["live"], status["running"]) == (4, None)
    assert (plan["documents"]["unchanged"], plan["notes"]) == (3, [])
    assert len(search["hits"]) == 4
    assert (verified["ok"], verified["records"], verified["sampled"]) == (True, 4, 4)
    assert "run as that account" in answers["sync"][1] + answers["sync"][2]


def test_a_copy_of_what_a_killed_run_left_is_read_with_its_log(shown: Pipeline) -> None:
    with closing(sqlite3.connect(shown.folder / "state" / "trial.db")) as killed:
        killed.execute("INSERT INTO meta (key, value) VALUES ('in the log', '')")
        killed.execute("DELETE FROM run")
        killed.commit()
        copy = shown.folder / "copy"
        copy.mkdir()
        for name in ("docs", "db", "state", "trial.yaml"):
            subprocess.run(["cp", "-r", shown.folder / name, copy / name], check=True)
    assert (copy / "state" / "trial.db-wal").stat().st_size
    may_only_be_read(shown.folder)
    answers = as_reader(Pipeline(copy, copy / "trial.yaml", shown.run), *READING)
    assert [code for code, _, _ in answers.values()] == [0] * 4, answers
    assert json.loads(answers["status"][1])["runs"] == []
    (copy / "state").chmod(0o755)
    (copy / "state" / "trial.db-shm").unlink()
    may_only_be_read(shown.folder)
    code, out, err = as_reader(Pipeline(copy, copy / "trial.yaml", shown.run), "status")["status"]
    assert (code, "copy the folder to where you may write" in out + err) == (70, True)


def test_whoever_may_not_read_hears_what_and_what_to_do(shown: Pipeline) -> None:
    shown.folder.chmod(0o755)
    shown.config.chmod(0o644)
    (shown.folder / "docs").chmod(0o755)
    for path in (shown.folder / "state", shown.folder / "db"):
        path.chmod(0o700 if os.geteuid() == 0 else 0)
    for name, (code, out, err) in as_reader(shown, *READING).items():
        assert code == 2, (name, out, err)
        assert f"{shown.folder}/state" in out + err
        assert "Permission denied" in out + err
        assert "run as that account, read a copy of the folder" in out + err
    may_only_be_read(shown.folder)
    (shown.folder / "db" / "trial").chmod(0o700 if os.geteuid() == 0 else 0)
    code, out, err = as_reader(shown, "search")["search"]
    assert (code, f"{shown.folder}/db" in out + err, "owner and mode" in out + err) == (2, True, True), out + err


def test_a_ledger_of_an_older_version_that_may_only_be_read_is_named(shown: Pipeline) -> None:
    with closing(sqlite3.connect(shown.folder / "state" / "trial.db")) as ledger:
        ledger.execute("UPDATE headrace_version SET version = version - 1 WHERE layout = 'ledger'")
        ledger.commit()
    may_only_be_read(shown.folder)
    code, out, err = as_reader(shown, "status")["status"]
    assert (code, "an older Headrace made this ledger" in out + err) == (2, True), out + err


def test_a_search_is_answered_while_a_first_sync_goes_on(pipeline: Pipeline) -> None:
    """It has written one document, and the next one takes as long as the file `wait` is there."""
    wait = pipeline.folder / "wait"
    wait.touch()
    command = [sys.executable, "-c", SECOND_WINDOW, "sync", str(pipeline.config), "--json", str(wait)]
    search = ("search", str(pipeline.config), "page", "--json")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sync:
        try:
            limit = time.monotonic() + 60
            while not ((first := pipeline.run(*search)).code == 0 and first.json["hits"]):
                assert time.monotonic() < limit, first
            assert {hit["document"] for hit in first.json["hits"]} == {"docs:a.md"}
            assert pipeline.run("status", str(pipeline.config), "--json").json["running"]
            assert pipeline.run("plan", str(pipeline.config), "--json").code == 0
            assert pipeline.run("verify", str(pipeline.config)).code == 3
            assert sync.poll() is None
            wait.unlink()
            out, _ = sync.communicate(timeout=60)
        finally:
            sync.kill()
    assert json.loads(out)["outcome"] == "done"
    assert len(pipeline.run(*search).json["hits"]) == 4
