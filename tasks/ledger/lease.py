"""One run at a time: a lock that is freed when its holder dies, and an epoch that fences the one before.

The lock keeps two runs from working at once: a file lock beside SQLite, an advisory lock on PostgreSQL. The epoch makes
sure that a run which believes it still holds the lock (paused, cut off, or on a file system that forgot the lock)
cannot commit any more.
"""

import json
import math
import os
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.database.errors import translated
from tasks.errors import HeadraceError, LeaseHeldError
from tasks.ledger.advisory_lock import advisory_lock
from tasks.ledger.ledger import Ledger
from tasks.system.process_lock import ProcessLock

_TAKE = (
    "INSERT INTO lease (id, epoch, boot, clean, holder, since) VALUES (1, ?, ?, 0, ?, ?) ON CONFLICT (id) DO UPDATE"
    " SET epoch = excluded.epoch, boot = excluded.boot, clean = 0, holder = excluded.holder, since = excluded.since"
)


@dataclass(frozen=True, slots=True)
class Lease:
    """`was_clean` is False when the run before did not end properly and the machine has been restarted since.

    `behind` names a shard of the ledger that is older than the rest; "" where none is.
    """

    epoch: int
    was_clean: bool
    behind: str = ""


@contextmanager
def leased(ledger: Ledger, *, wait: bool) -> Generator[Lease, None, None]:
    """Hold the pipeline's lease; LeaseHeldError names the holder when another run has it and `wait` is False."""
    with _locked(ledger, math.inf if wait else 0.0):
        lease = _next_epoch(ledger)
        ledger.epoch = lease.epoch
        try:
            yield replace(lease, behind=ledger.fence())
        except BaseException:
            _take_name_off(ledger)
            raise
        _release(ledger)


@contextmanager
def undisturbed(ledger: Ledger) -> Generator[None, None, None]:
    """No run begins within the block; needs no right to write. LeaseHeldError names the holder where one goes on."""
    if ledger.database.is_shared or ledger.database.path is None:
        with _locked(ledger, 0.0):
            yield
        return
    with ExitStack() as stack:
        with translated(ledger.database.name):
            other = stack.enter_context(_file_lock(ledger.database.path).watched())
        if other:
            raise _held(ledger, other)
        yield


def holder(ledger: Ledger) -> str | None:
    """Who holds the lease now, in words; None where nobody does."""
    try:
        with undisturbed(ledger):
            return None
    except LeaseHeldError as error:
        return str(error)


@contextmanager
def _locked(ledger: Ledger, wait_seconds: float) -> Generator[None, None, None]:
    if ledger.database.is_shared:
        with advisory_lock(ledger.database, wait_seconds) as is_held:
            if not is_held:
                raise _held(ledger, _signed(ledger))
            yield
    elif ledger.database.path is None:
        yield
    else:
        lock = _file_lock(ledger.database.path)
        if other := lock.acquire(wait_seconds):
            raise _held(ledger, other)
        try:
            yield
        finally:
            lock.release()


def _file_lock(path: Path) -> ProcessLock:
    return ProcessLock(path.with_name(path.name + ".lock"))


def _held(ledger: Ledger, other: str) -> LeaseHeldError:
    return LeaseHeldError(f"the lease on {ledger.database.name} is held by {other}; wait for it to end, or pass --wait")


def _signed(ledger: Ledger) -> str:
    with ledger.database.read() as transaction:
        row = transaction.execute("SELECT holder, since FROM lease").one_or_none()
    if row is None or not row[0]:
        return "a process that has just started"
    who = json.loads(row[0])
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row[1]))
    return f"process {who['pid']} on {who['host']} since {since}"


def _next_epoch(ledger: Ledger) -> Lease:
    """A database server sees to its own durability; a file is in doubt after an unclean stop and a restart."""
    boot = "" if ledger.database.is_shared else _boot()
    who = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "flow_run": ledger.flow_run})
    now = ledger.database.now()
    with ledger.database.write() as transaction:
        row = transaction.lock("SELECT epoch, boot, clean, holder FROM lease").one_or_none()
        epoch = (row[0] if row else 0) + 1
        transaction.execute(_TAKE, (epoch, boot, who, now))
    before = json.loads(row[3]).get("flow_run", "") if row and row[3] else ""
    ledger.dead_flow_run = "" if before == ledger.flow_run else before
    return Lease(epoch, was_clean=row is None or bool(row[2]) or row[1] == boot)


def _release(ledger: Ledger) -> None:
    with ledger.fenced("release") as transaction:
        transaction.execute("UPDATE lease SET clean = 1, holder = NULL")


def _take_name_off(ledger: Ledger) -> None:
    """Only who dies without a word stays named: one that fails tells Prefect itself."""
    if ledger.flow_run:
        with suppress(HeadraceError), ledger.fenced("end") as transaction:
            transaction.execute("UPDATE lease SET holder = NULL")


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
