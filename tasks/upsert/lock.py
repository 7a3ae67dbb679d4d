"""One process at a time: a lock on the collection's folder, which the kernel frees when its holder dies."""

import fcntl
import json
import os
import socket
import time
from pathlib import Path

from tasks.errors import LeaseHeldError

POLL_SECONDS = 0.05


class FolderLock:
    """The engine has a lock of its own, but its message says neither what is locked nor by whom."""

    def __init__(self, folder: Path) -> None:
        """The lock is the file `lock` in `folder`; it stays when the lock is released."""
        self._folder = folder
        self._file: int | None = None

    def acquire(self, wait_seconds: float) -> None:
        """LeaseHeldError names the holder where it still has the lock after `wait_seconds`; a second call is idle."""
        if self._file is not None:
            return
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(file, time.monotonic() + wait_seconds)
            _sign(file)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def release(self) -> None:
        """Idle where the lock is not held."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _wait_for(self, file: int, deadline: float) -> None:
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise LeaseHeldError(
                    f"the collection in {self._folder} is open in {_holder(file)}; one process at a time can have it"
                    " open, so sync, search and verify exclude one another: wait for that one to end and try again"
                )
            time.sleep(POLL_SECONDS)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
