"""Digests of large files are worked out once for each change of the file."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from tasks.embed.local import digests
from tasks.embed.local.digests import sha256_of
from tasks.system.file_system import RACY_NANOSECONDS

LATER = 2 * RACY_NANOSECONDS


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The files whose digest was really worked out; the clock is some seconds ahead."""
    found: list[Path] = []
    real, now = digests._computed, time.time_ns

    def computed(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_computed", computed)
    monkeypatch.setattr(time, "time_ns", lambda: now() + LATER)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


def in_another_process(path: Path) -> str:
    digests._remembered.cache_clear()
    return sha256_of(path)


def test_a_file_that_has_not_changed_is_read_once(file: Path, read: list[Path]) -> None:
    expected = hashlib.sha256(b"weights").hexdigest()
    assert [sha256_of(file), sha256_of(file), in_another_process(file)] == [expected] * 3
    assert len(read) == 1


def test_a_change_is_noticed_even_where_size_and_time_are_put_back(file: Path, read: list[Path]) -> None:
    before = file.stat()
    sha256_of(file)
    time.sleep(0.02)
    file.write_bytes(b"weighty")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert in_another_process(file) == hashlib.sha256(b"weighty").hexdigest()
    assert len(read) == 2


def test_a_file_that_has_just_changed_is_not_trusted(
    file: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file.parent / "cache"))
    sha256_of(file)
    assert not (file.parent / "cache").exists()


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"stamp": 1, "sha256": 2}', "\x00"])
def test_a_damaged_note_is_made_anew(file: Path, read: list[Path], damage: str) -> None:
    sha256_of(file)
    (note,) = (file.parent / "cache/headrace/digests").iterdir()
    note.write_text(damage)
    assert in_another_process(file) == hashlib.sha256(b"weights").hexdigest()
    assert in_another_process(file) == hashlib.sha256(b"weights").hexdigest()
    assert len(read) == 2


def test_a_cache_that_cannot_be_written_costs_time_only(file: Path, read: list[Path]) -> None:
    (file.parent / "cache").write_text("a file where a folder should be")
    assert in_another_process(file) == in_another_process(file) == hashlib.sha256(b"weights").hexdigest()
    assert len(read) == 2
