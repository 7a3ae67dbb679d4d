"""What the ledger remembers beside documents and points: its lineage, the marks in the store, runs and counts."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tasks.database.database import Transaction
from tasks.dedupe.ledger import Ledger

RUNS_KEPT = 200


def lineage(ledger: Ledger) -> str:
    """Names this ledger: a restored copy has the same one, a new ledger another."""
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


def finish_run(ledger: Ledger, run_id: str, outcome: str, report: Mapping[str, Any]) -> None:
    """`report` is what `sync --json` prints."""
    with ledger.fenced("finish") as transaction:
        transaction.execute(
            "UPDATE run SET finished_at = ?, outcome = ?, report = ? WHERE id = ?",
            (time.time(), outcome, json.dumps(report), run_id),
        )


def last_runs(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """Newest first; a run without `outcome` is still going on, or was killed."""
    with ledger.database.read() as transaction:
        rows = transaction.execute(
            "SELECT id, started_at, finished_at, outcome, report FROM run ORDER BY epoch DESC LIMIT ?", (limit,)
        )
        return [
            {
                "run": row[0],
                "started_at": row[1],
                "finished_at": row[2],
                "outcome": row[3],
                "report": json.loads(row[4] or "null"),
            }
            for row in rows
        ]


def counts(ledger: Ledger) -> dict[str, int]:
    """Documents, and points by what the ledger knows of them, in lower case."""
    with ledger.database.read() as transaction:
        documents = transaction.execute("SELECT COUNT(*) FROM document").scalar()
        states = transaction.execute("SELECT state, COUNT(*) FROM point GROUP BY state")
        found = {row[0].lower(): int(row[1]) for row in states}
    return {"documents": int(documents or 0), "live": 0, "pending": 0, "doomed": 0, "gone": 0, **found}


def quarantined(ledger: Ledger) -> list[dict[str, Any]]:
    """The documents that are set aside, and why."""
    with ledger.database.read() as transaction:
        rows = transaction.execute(
            "SELECT document, reason, message, attempts, since FROM quarantine ORDER BY document"
        )
        return [dict(zip(("document", "reason", "message", "attempts", "since"), row, strict=True)) for row in rows]


def _meta(transaction: Transaction, key: str) -> str | None:
    value = transaction.execute("SELECT value FROM meta WHERE key = ?", (key,)).scalar()
    return None if value is None else str(value)
