"""What the ledger remembers beside documents and points: its lineage, the marks in the store, runs and counts."""

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.database.database import Transaction
from tasks.ledger.ledger import Ledger
from tasks.ledger.quarantine import LONGEST_DELAY_SECONDS, QuarantinedDocument, QuarantineEntry
from tasks.records import DocumentId

RUNS_KEPT = 200
MINUTE_SECONDS = 60.0
WEEK_SECONDS = 7 * 86_400.0
_PROGRESS = "id, documents_done, documents_total, chunks_embedded, started_at"
_SHOWN = "document, reason, message, attempts, since, next_try"


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


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents, and points by what the ledger knows of them."""

    documents: int
    live: int = 0
    pending: int = 0
    doomed: int = 0
    gone: int = 0


def lineage(ledger: Ledger) -> str:
    """Names this ledger: a restored copy has the same one, a new ledger another."""
    with ledger.database.read() as transaction:
        if known := _meta(transaction, "lineage"):
            return known
    with ledger.database.write() as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('lineage', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,)
        )
        return _meta(transaction, "lineage") or ""


def epoch_marked(ledger: Ledger) -> int:
    """The newest epoch that was, or was about to be, marked in the store; 0 before the first."""
    with ledger.database.read() as transaction:
        return int(_meta(transaction, "epoch_marked") or 0)


def remember_mark(ledger: Ledger) -> None:
    """Ledger first, store second: a crash between the two costs a needless verification, never a missed one."""
    with ledger.fenced("mark") as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('epoch_marked', ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (str(ledger.epoch),),
        )


def start_run(ledger: Ledger) -> str:
    """Returns the run's id."""
    run_id = uuid.uuid4().hex[:12]
    with ledger.fenced("start") as transaction:
        transaction.execute(
            "INSERT INTO run (id, epoch, started_at) VALUES (?, ?, ?)", (run_id, ledger.epoch, time.time())
        )
        transaction.execute("DELETE FROM run WHERE epoch <= ?", ((ledger.epoch or 0) - RUNS_KEPT,))
    return run_id


def advance_run(ledger: Ledger, run_id: str, documents: tuple[int, int], chunks_embedded: int) -> None:
    """`documents` are those done, and all that were to be read."""
    with ledger.fenced("progress") as transaction:
        transaction.execute(
            "UPDATE run SET documents_done = ?, documents_total = ?, chunks_embedded = ? WHERE id = ?",
            (*documents, chunks_embedded, run_id),
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


def counts(ledger: Ledger) -> Counts:
    """The counts of everything that the ledger knows."""
    with ledger.database.read() as transaction:
        documents = transaction.execute("SELECT COUNT(*) FROM document").scalar()
        states = transaction.execute("SELECT state, COUNT(*) FROM point GROUP BY state")
        points = {row[0].lower(): int(row[1]) for row in states}
    return Counts(documents=int(documents or 0), **points)


def remember_departure(ledger: Ledger, documents: int, now: float) -> None:
    """So many documents lost their content; one row a minute, and none further back than the guard looks."""
    minute = now - now % MINUTE_SECONDS
    with ledger.fenced("departure") as transaction:
        known = transaction.execute("UPDATE departure SET documents = documents + ? WHERE at = ?", (documents, minute))
        if not known.rowcount:
            transaction.execute("INSERT INTO departure (at, documents) VALUES (?, ?)", (minute, documents))
        transaction.execute("DELETE FROM departure WHERE at < ?", (now - WEEK_SECONDS,))


def departed(ledger: Ledger, now: float) -> int:
    """Documents that left in the last seven days without a person's word."""
    with ledger.database.read() as transaction:
        sql = "SELECT SUM(documents) FROM departure WHERE at >= ? AND at <= ?"
        return int(transaction.execute(sql, (now - WEEK_SECONDS, now)).scalar() or 0)


def quarantine_entries(ledger: Ledger) -> dict[DocumentId, QuarantineEntry]:
    """Everything in quarantine. A time for the next try that lies too far ahead was made by a wrong clock."""
    now = ledger.database.now()
    with ledger.database.read() as transaction:
        rows = transaction.execute("SELECT document, reason, message, hint, version, next_try FROM quarantine")
        return {
            DocumentId(row[0]): QuarantineEntry(
                reason=row[1],
                message=row[2],
                hint=row[3] or "",
                version=row[4] or "",
                is_due=row[5] is not None and not now < row[5] <= now + LONGEST_DELAY_SECONDS,
            )
            for row in rows
        }


def forget_quarantined(ledger: Ledger, documents: Iterable[DocumentId]) -> None:
    """These documents left the source."""
    rows = [(document,) for document in documents]
    if rows:
        with ledger.fenced("forget quarantined") as transaction:
            transaction.many("DELETE FROM quarantine WHERE document = ?", rows)


def quarantined(ledger: Ledger) -> list[QuarantinedDocument]:
    """All in quarantine, in order of their names."""
    with ledger.database.read() as transaction:
        rows = transaction.execute(f"SELECT {_SHOWN} FROM quarantine ORDER BY document")  # noqa: S608 - a constant
        return [QuarantinedDocument(*row) for row in rows]


def _meta(transaction: Transaction, key: str) -> str | None:
    value = transaction.execute("SELECT value FROM meta WHERE key = ?", (key,)).scalar()
    return None if value is None else str(value)
