"""Documents in quarantine: why, since when, and when they are tried again.

What is wrong with the document itself is tried again when the document or the way it is cut and embedded changes. What
may pass (a locked file, a slow server) is tried again after a delay that doubles with each attempt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.database.database import Transaction
from tasks.records import DocumentId
from tasks.windows import Quarantined

PASSING = frozenset({"unreadable", "unavailable", "missing", "parser-timeout"})
FIRST_DELAY_SECONDS = 300.0
LONGEST_DELAY_SECONDS = 86_400.0

_PUT = (
    "INSERT INTO quarantine (document, reason, message, attempts, since, hint, version, next_try)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (document) DO UPDATE SET reason = excluded.reason,"
    " message = excluded.message, attempts = excluded.attempts, since = excluded.since, hint = excluded.hint,"
    " version = excluded.version, next_try = excluded.next_try"
)


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """A document as it was quarantined; `is_due` says that it is to be tried again although it did not change."""

    reason: str
    message: str
    hint: str
    version: str
    is_due: bool


@dataclass(frozen=True, slots=True)
class QuarantinedDocument:
    """A document in quarantine, and why, for a person. `next_try` is None where only a change helps."""

    document: str
    reason: str
    message: str
    attempts: int
    since: float
    next_try: float | None


def put_quarantined(transaction: Transaction, failures: Sequence[Quarantined], now: float) -> None:
    """Attempts count as long as the document stays the same."""
    ids = [failure.id for failure in failures]
    sql = "SELECT document, attempts, since, hint, version FROM quarantine WHERE document IN ({})"
    before = {row[0]: row for row in transaction.select_in(sql, ids)}
    transaction.many(_PUT, [_row(failure, before.get(failure.id), now) for failure in failures])


def forget_quarantined(transaction: Transaction, documents: Iterable[DocumentId]) -> None:
    """These documents are well again, or left the source."""
    transaction.many("DELETE FROM quarantine WHERE document = ?", [(document,) for document in documents])


def quarantine_entries(transaction: Transaction, now: float) -> dict[DocumentId, QuarantineEntry]:
    """Everything in quarantine. A time for the next try that lies too far ahead was made by a wrong clock."""
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


def quarantined_documents(transaction: Transaction) -> list[QuarantinedDocument]:
    """All in quarantine, in order of their names."""
    sql = "SELECT document, reason, message, attempts, since, next_try FROM quarantine ORDER BY document"
    return [QuarantinedDocument(*row) for row in transaction.execute(sql)]


def _row(failure: Quarantined, before: Any, now: float) -> tuple[Any, ...]:
    attempts, since = 1, now
    if before is not None and (before[3] or "", before[4] or "") == (failure.hint, failure.version):
        attempts, since = before[1] + 1, before[2]
    delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempts - 1, 20))
    next_try = now + delay if failure.reason in PASSING else None
    return failure.id, failure.reason, failure.message, attempts, since, failure.hint, failure.version, next_try
