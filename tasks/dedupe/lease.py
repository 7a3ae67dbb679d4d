"""One run at a time: a lock that the kernel frees when its holder dies, and an epoch that fences the one before.

The lock keeps two runs from working at once; the epoch makes sure that a run which believes it still holds the lock
(paused, or on a file system that forgot the lock) cannot commit any more.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.dedupe.ledger import Ledger
from tasks.errors import LeaseHeldError

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Lease:
    """`was_clean` is False when the run before did not end properly and the machine has been restarted since."""

    epoch: int
    was_clean: bool


@contextmanager
def leased(ledger: Ledger, *, wait: bool) -> Generator[Lease, None, None]:
    """Hold the pipeline's lease; LeaseHeldError names the holder when another run has it and `wait` is False."""
    with _locked(ledger.database.path, wait=wait):
        lease = _next_epoch(ledger)
        ledger.epoch = lease.epoch
        yield lease
        _release(ledger)


def holder(ledger: Ledger) -> str | None:
    """Who holds the lease now, in words; None where nobody does."""
    if ledger.database.path is None:
        return None
    try:
        with _locked(ledger.database.path, wait=False):
            return None
    except LeaseHeldError as error:
        return str(error)


@contextmanager
def _locked(database: Path | None, *, wait: bool) -> Generator[None, None, None]:
    if database is None:
        yield
        return
    path = database.with_name(database.name + ".lock")
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(file):
            if not wait:
                raise LeaseHeldError(f"{_describe(file, database)}; wait for it to end, or pass --wait")
            time.sleep(POLL_SECONDS)
        _sign(file)
        yield
    finally:
        os.close(file)


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


def _describe(file: int, database: Path) -> str:
    try:
        note = json.loads(os.pread(file, 4096, 0))
        who = f"process {note['pid']} on {note['host']} since {note['since']}"
    except (ValueError, KeyError):
        who = "a process that has just started"
    return f"the lease on {database} is held by {who}"


def _next_epoch(ledger: Ledger) -> Lease:
    boot = _boot()
    with ledger.database.write() as connection:
        row = connection.exec_driver_sql("SELECT epoch, boot, clean FROM lease").one_or_none()
        epoch = (row[0] if row else 0) + 1
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO lease (id, epoch, boot, clean) VALUES (1, ?, ?, 0)", (epoch, boot)
        )
    return Lease(epoch, was_clean=row is None or bool(row[2]) or row[1] == boot)


def _release(ledger: Ledger) -> None:
    with ledger.fenced("release") as connection:
        connection.exec_driver_sql("UPDATE lease SET clean = 1")


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
