"""The runs that there were, and their reports."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.ledger.ledger import Ledger

RUNS_KEPT = 200
_PROGRESS = "id, documents_done, documents_total, chunks_embedded, started_at"


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as the ledger keeps it; without an outcome it is still going on, or was killed. `report` is JSON's."""

    id: str
    started_at: float
    finished_at: float | None
    outcome: str | None
    report: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is; the counts are None until it has found out what is to be read."""

    run: str
    documents_done: int | None
    documents_total: int | None
    chunks_embedded: int | None
    started_at: float


def start_run(ledger: Ledger) -> str:
    """Returns the run's id."""
    run_id = uuid.uuid4().hex[:12]
    with ledger.fenced("start") as transaction:
        transaction.execute(
            "INSERT INTO run (id, epoch, started_at) VALUES (?, ?, ?)", (run_id, ledger.epoch, time.time())
        )
        transaction.execute("DELETE FROM run WHERE epoch <= ?", ((ledger.epoch or 0) - RUNS_KEPT,))
    return run_id


def advance_run(ledger: Ledger, run_id: str, documents_done: int, documents_total: int, chunks_embedded: int) -> None:
    """Record how far the run is."""
    with ledger.fenced("progress") as transaction:
        transaction.execute(
            "UPDATE run SET documents_done = ?, documents_total = ?, chunks_embedded = ? WHERE id = ?",
            (documents_done, documents_total, chunks_embedded, run_id),
        )


def current_run(ledger: Ledger) -> RunProgress | None:
    """How far the run of the newest lease is; None where that lease was for something else, or its run has ended.

    Whether somebody still holds that lease, the lock says: what is written here outlives a killed run.
    """
    with ledger.database.read() as transaction:
        row = transaction.execute(
            f"SELECT {_PROGRESS} FROM run WHERE finished_at IS NULL AND epoch = (SELECT epoch FROM lease)"  # noqa: S608 - constants
        ).one_or_none()
    return RunProgress(*row) if row else None


def finish_run(ledger: Ledger, run_id: str, outcome: str, report: Mapping[str, Any]) -> None:
    """`report` is what `sync --json` prints."""
    with ledger.fenced("finish") as transaction:
        transaction.execute(
            "UPDATE run SET finished_at = ?, outcome = ?, report = ? WHERE id = ?",
            (time.time(), outcome, json.dumps(report), run_id),
        )


def last_runs(ledger: Ledger, limit: int) -> list[RecordedRun]:
    """Newest first."""
    with ledger.database.read() as transaction:
        rows = transaction.execute(
            "SELECT id, started_at, finished_at, outcome, report FROM run ORDER BY epoch DESC LIMIT ?", (limit,)
        )
        return [RecordedRun(row[0], row[1], row[2], row[3], json.loads(row[4] or "null")) for row in rows]
