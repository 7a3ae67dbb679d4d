"""Changed pages go to the disk while the engine works."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from tasks.upsert.qdrant_embedded import writeback
from tasks.upsert.qdrant_embedded.writeback import EARLY, Writeback


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is written out, in no order; the real call is made too."""
    names: list[str] = []

    def sync(file: int) -> None:
        os.fsync(file)
        names.append(Path(f"/proc/self/fd/{file}").readlink().name)

    monkeypatch.setattr(writeback, "_sync", sync)
    return names


def wait() -> None:
    for thread in threading.enumerate():
        if thread.name == "writeback":
            thread.join(20)


def test_files_are_written_out_once_enough_has_changed(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/vectors").write_text("v")
    (tmp_path / "log").write_text("l")
    trial = Writeback(tmp_path)
    trial.changed(EARLY - 1)
    wait()
    assert synced == []
    trial.changed(1)
    wait()
    assert sorted(synced) == ["log", "vectors"]
    trial.changed(1)
    wait()
    assert len(synced) == 2


def test_what_is_gone_or_cannot_be_written_is_left_to_the_flush(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "log").write_text("l")
    Writeback(tmp_path).changed(EARLY)
    wait()
    assert synced == ["log"]


def test_a_folder_may_go_while_it_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the engine makes one segment of several."""
    for name in ("a", "b", "c"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "vectors").write_text("v")
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def remove_all(_: int) -> None:
        for name in ("a", "b", "c"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)

    monkeypatch.setattr(writeback, "_sync", remove_all)
    Writeback(tmp_path).changed(EARLY)
    wait()
    assert not failures


def test_a_round_is_not_begun_while_one_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text("l")
    go_on, rounds = threading.Event(), []
    monkeypatch.setattr(writeback, "_sync", lambda file: (rounds.append(file), go_on.wait(20)))
    trial = Writeback(tmp_path)
    for _ in range(3):
        trial.changed(EARLY)
    go_on.set()
    wait()
    assert len(rounds) == 1
    trial.changed(1)  # what changed meanwhile has its turn
    wait()
    assert len(rounds) == 2
