"""A lock between processes that the kernel frees when its holder dies, and that says who holds it."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


class ProcessLock:
    """The lock is a file; it stays when the lock is released."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist, its folder must."""
        self._path = path
        self._file: int | None = None

    def acquire(self, wait_seconds: float) -> str | None:
        """None when the lock is ours, also for a second call; else who holds it, in words, after `wait_seconds`."""
        if self._file is not None:
            return None
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_seconds
        try:
            while not _try_lock(file):
                if time.monotonic() >= deadline:
                    return _holder(file)
                time.sleep(POLL_SECONDS)
            _sign(file)
            self._file, file = file, -1
        finally:
            if file != -1:
                os.close(file)
        return None

    @contextmanager
    def watched(self) -> Generator[str | None, None, None]:
        """Who holds the lock, in words; where nobody does, nobody takes it within the block. Reads the file alone."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield None if _try_lock(file, fcntl.LOCK_SH) else _holder(file)
        finally:
            os.close(file)

    @property
    def file(self) -> int | None:
        """Descriptor of the file while the lock is held; a child that inherits it shares the lock until its end."""
        return self._file

    def release(self) -> None:
        """Free the lock; nothing happens where it is not held."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _try_lock(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: int) -> None:
    note = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(note).encode(), 0)


def _holder(file: int) -> str:
    try:
        note = json.loads(os.pread(file, 4096, 0))
        return f"process {note['pid']} on {note['host']} since {note['since']}"
    except (ValueError, KeyError):
        return "a process that has just started"
