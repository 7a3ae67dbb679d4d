"""One run at a time: a lock that the kernel frees when its holder dies, and an epoch that fences the one before.

The lock keeps two runs from working at once; the epoch makes sure that a run which believes it still holds the lock
(paused, or on a file system that forgot the lock) cannot commit any more.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.dedupe.ledger import Ledger
from tasks.errors import LeaseHeldError
from tasks.process_lock import ProcessLock


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
    lock = ProcessLock(database.with_name(database.name + ".lock"))
    other = lock.acquire(math.inf if wait else 0.0)
    if other:
        raise LeaseHeldError(f"the lease on {database} is held by {other}; wait for it to end, or pass --wait")
    try:
        yield
    finally:
        lock.release()


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
