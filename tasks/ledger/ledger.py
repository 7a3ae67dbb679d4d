"""The ledger: a write-ahead record of what may be in the store.

Every write is one transaction that first checks the lease's epoch, so an overtaken run stops at its next commit.
Nothing is in the store that is not here first (intent), nothing is LIVE that the store has not acknowledged (flip),
and nothing is forgotten before the store was read and did not have it (forget absent).
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tasks.database.connection import Rows
from tasks.database.database import Database, Transaction
from tasks.errors import FencedError
from tasks.ledger.quarantine import (
    QuarantinedDocument,
    QuarantineEntry,
    forget_quarantined,
    put_quarantined,
    quarantine_entries,
    quarantined_documents,
)
from tasks.ledger.rows import Counts, KnownDocument, KnownPoint, Owned, Row, Stray
from tasks.ledger.tables import DOOMED, GONE, LEDGER, LIVE, PENDING
from tasks.records import DocumentId, PointId
from tasks.windows import DocumentChange, Quarantined, Remark

_EPOCH = "SELECT epoch FROM lease"
_PUT_POINT = (
    "INSERT INTO point (document, id, key, embedding, state) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (document, id) DO UPDATE SET state = excluded.state, gone_at = NULL"
)
_PUT_DOCUMENT = (
    "INSERT INTO document (id, source, version, hint, chunks, tokens, remark, sample, signature,"
    " near) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET source = excluded.source, version = excluded.version, hint = excluded.hint,"
    " chunks = excluded.chunks, tokens = excluded.tokens, remark = excluded.remark,"
    " sample = COALESCE(excluded.sample, document.sample),"
    " signature = excluded.signature, near = excluded.near"
)
_SOIL_DOCUMENT = (
    "INSERT INTO document (id, source, version, hint, chunks, tokens) VALUES (?, ?, NULL, '', 0, 0)"
    " ON CONFLICT (id) DO UPDATE SET version = NULL, hint = ''"
)
_DOUBT_POINT = "UPDATE point SET state = 'PENDING' WHERE document = ? AND id = ? AND state = 'LIVE'"
_DOOM_POINT = "UPDATE point SET state = 'DOOMED' WHERE document = ? AND id = ?"
_LOSE_POINT = "UPDATE point SET state = 'GONE', gone_at = ? WHERE document = ? AND id = ?"
_DELAY_POINT = "UPDATE point SET gone_at = ? WHERE document = ? AND id = ?"
_FORGET_POINT = "DELETE FROM point WHERE document = ? AND id = ? AND state = 'GONE'"


class Ledger:
    """One pipeline's ledger; `epoch` is set by the lease, and writes without it are refused."""

    def __init__(self, url: str, pipeline: str, generation: int = 1, *, read_only: bool = False) -> None:
        """`url` is a SQLAlchemy URL; on PostgreSQL each generation of a pipeline has a schema of its own.

        `read_only`: also one that this account may not write.
        """
        schema = schema_of(pipeline if generation == 1 else f"{pipeline}:{generation}")
        self.database = Database(url, LEDGER, schema, read_only=read_only)
        self.epoch: int | None = None
        self.flow_run = ""  # Prefect's id of the run that works with this ledger, for whoever finds it dead
        self.dead_flow_run = ""  # of the one that held the lease before and died; known once the lease is taken

    @property
    def shard_count(self) -> int:
        """How many ledgers this one is in truth: see `tasks.ledger.shards`."""
        return 1

    def in_turn(self) -> Iterator["Ledger"]:
        """Each shard, to be used before the next is asked for."""
        yield self

    def split(self, documents: Iterable[DocumentId]) -> Iterator[tuple["Ledger", Sequence[DocumentId]]]:
        """The shards that have some of these, each with its own."""
        yield self, list(documents)

    def fence(self) -> str:
        """Write the epoch into all shards; the name of one that is older than the rest, "" for none."""
        return ""

    def documents(self, only: Sequence[DocumentId] | None = None) -> dict[DocumentId, KnownDocument]:
        """Everything known, in one pass, or these alone."""
        sql = "SELECT id, version, hint, source, chunks, tokens, remark FROM document"
        with self.database.read() as transaction:
            rows = (
                transaction.execute(sql) if only is None else transaction.select_in(f"{sql} WHERE id IN ({{}})", only)
            )
            return {DocumentId(row[0]): KnownDocument._make(row[1:]) for row in rows}

    def points(self, documents: Sequence[DocumentId]) -> dict[DocumentId, list[KnownPoint]]:
        """Points of the given documents in every state; documents without points are left out."""
        points: dict[DocumentId, list[KnownPoint]] = {}
        if not documents:
            return points
        sql = "SELECT document, id, key, state, embedding FROM point WHERE document IN ({})"
        with self.database.read() as transaction:
            for owner, *rest in transaction.select_in(sql, documents):
                points.setdefault(owner, []).append(KnownPoint(*rest))
        return points

    def served(self, documents: Sequence[DocumentId]) -> int:
        """How many of these have a version in the collection."""
        points = self.points(documents)
        return sum(any(point.state == LIVE for point in known) for known in points.values())

    def live_points(self, documents: Sequence[DocumentId]) -> int:
        """How many points these have in the collection."""
        points = self.points(documents)
        return sum(point.state == LIVE for known in points.values() for point in known)

    def leaving(self, state: str, before: float | None = None) -> list[Owned]:
        """DOOMED or GONE points, those gone before the given time if one is given."""
        sql = "SELECT document, id FROM point WHERE state = ?"
        values: list[str | float] = [state]
        if before is not None:
            sql += " AND gone_at < ?"
            values.append(before)
        with self.database.read() as transaction:
            return [(document, point) for document, point in transaction.execute(sql, values)]

    def rows(self) -> dict[PointId, Row]:
        """Every point there is, in one pass; for verification only."""
        names: dict[str, DocumentId] = {}  # each once: the driver makes a new text for every row
        with self.database.read() as transaction:
            rows = transaction.execute("SELECT id, document, state, key, embedding FROM point")
            return {PointId(row[0]): Row(names.setdefault(row[1], row[1]), *row[2:]) for row in rows}

    def intend(self, changes: Sequence[DocumentChange]) -> None:
        """Make documents dirty and their new points PENDING, before the store is touched.

        Dirty matters: without it a source that goes back to the old version after a crash looks unchanged.
        """
        with self.fenced("intend") as transaction:
            transaction.many(_SOIL_DOCUMENT, [(change.id, change.source) for change in changes])
            transaction.many(_PUT_POINT, list(_point_rows(changes, PENDING)))

    def flip(self, changes: Sequence[DocumentChange]) -> None:
        """Make new points LIVE, old ones DOOMED and set the version, at one stroke, after the acknowledgement."""
        with self.fenced("flip") as transaction:
            transaction.many(_PUT_POINT, list(_point_rows(changes, LIVE)))
            doomed = [(change.id, point) for change in changes for point in change.doom]
            transaction.many(_DOOM_POINT, doomed)
            transaction.many(_PUT_DOCUMENT, [_document_row(change) for change in changes])
            forget_quarantined(transaction, [change.id for change in changes])

    def drop(self, documents: Sequence[DocumentId]) -> None:
        """The documents left the source, proven by the listing of their part of it: all their points are DOOMED."""
        ids = [(document,) for document in documents]
        with self.fenced("drop") as transaction:
            transaction.many("UPDATE point SET state = 'DOOMED' WHERE document = ? AND state <> 'GONE'", ids)
            transaction.many("DELETE FROM document WHERE id = ?", ids)
            forget_quarantined(transaction, documents)

    def mark_gone(self, points: Sequence[Owned], now: float) -> None:
        """The store acknowledged their deletion; the grace time starts."""
        with self.fenced("gone") as transaction:
            transaction.many(_LOSE_POINT, [(now, *point) for point in points])

    def correct(self, now: float) -> None:
        """The clock was set back: what is gone since a time that has not come yet is gone since now."""
        with self.database.read() as transaction:
            sql = "SELECT 1 FROM point WHERE state = 'GONE' AND gone_at > ? LIMIT 1"
            if transaction.execute(sql, (now,)).scalar() is None:
                return
        with self.fenced("correct") as transaction:
            transaction.execute("UPDATE point SET gone_at = ? WHERE state = 'GONE' AND gone_at > ?", (now, now))

    def forget_absent(self, absent: Sequence[Owned], back: Sequence[Owned], now: float) -> None:
        """Forget what is proven absent after the grace time; what came back starts its grace time again."""
        with self.fenced("forget absent") as transaction:
            transaction.many(_FORGET_POINT, absent)
            transaction.many(_DELAY_POINT, [(now, *point) for point in back])

    def mark_for_repair(self, wrong: Sequence[Owned]) -> None:
        """Points that the store lost or holds wrongly are PENDING again.

        Their documents become dirty, so the next windows write what is wanted and doom the rest.
        """
        with self.fenced("mark for repair") as transaction:
            transaction.many(_SOIL_DOCUMENT, list(dict.fromkeys((document, "") for document, _ in wrong)))
            transaction.many(_DOUBT_POINT, wrong)

    def adopt(self, strays: Sequence[Stray]) -> None:
        """Records of ours that the ledger does not know become PENDING points of dirty documents."""
        with self.fenced("adopt") as transaction:
            books = [book for _, book in strays]
            transaction.many(_SOIL_DOCUMENT, list(dict.fromkeys((book.document, book.source) for book in books)))
            transaction.many(_PUT_POINT, [(book.document, i, book.key, book.embedding, PENDING) for i, book in strays])

    def quarantine(self, failures: Sequence[Quarantined]) -> None:
        """Set documents aside: the last good version of them stays as it is."""
        now = self.database.now()
        with self.fenced("quarantine") as transaction:
            put_quarantined(transaction, failures, now)

    def forget_quarantined(self, documents: Sequence[DocumentId]) -> None:
        """These documents left the source."""
        if documents:
            with self.fenced("forget quarantined") as transaction:
                forget_quarantined(transaction, documents)

    def quarantine_entries(self) -> dict[DocumentId, QuarantineEntry]:
        """What is in quarantine, for a run to compare documents with."""
        now = self.database.now()
        with self.database.read() as transaction:
            return quarantine_entries(transaction, now)

    def quarantined(self) -> list[QuarantinedDocument]:
        """What is in quarantine, for a person."""
        with self.database.read() as transaction:
            return quarantined_documents(transaction)

    def remarks(self) -> list[Remark]:
        """What documents have that their chunks lack, by id."""
        with self.database.read() as transaction:
            sql = "SELECT id, remark FROM document WHERE remark IS NOT NULL ORDER BY id"
            return [Remark(DocumentId(document), remark) for document, remark in transaction.execute(sql)]

    def counts(self) -> Counts:
        """The counts of everything that the ledger knows."""
        with self.database.read() as transaction:
            documents = transaction.execute("SELECT COUNT(*) FROM document").scalar()
            states = transaction.execute("SELECT state, COUNT(*) FROM point GROUP BY state")
            points = {row[0].lower(): int(row[1]) for row in states}
        return Counts(documents=int(documents or 0), **points)

    @contextmanager
    def fenced(self, label: str) -> Generator[Transaction, None, None]:
        """One fenced transaction; `label` names the step in errors."""
        with self.database.write() as transaction:
            self._check(transaction.lock(_EPOCH), f"{label!r} was not committed")
            yield transaction

    def check(self) -> None:
        """Raise FencedError when another run has taken the lease."""
        with self.database.read() as transaction:
            self._check(transaction.execute(_EPOCH), "this run stops")

    def _check(self, epochs: Rows, consequence: str) -> None:
        newest = epochs.scalar()
        if self.epoch is None or newest != self.epoch:
            raise FencedError(f"another run took the lease (epoch {newest}, ours {self.epoch}); {consequence}")

    def remove(self) -> None:
        """Delete it for good."""
        self.database.remove()

    def close(self) -> None:
        """Release the file."""
        self.database.close()


def schema_of(pipeline: str) -> str:
    """The name of a ledger's schema: PostgreSQL cuts names at 63 bytes without a word."""
    name = f"headrace_{pipeline}"
    return name if len(name) < 64 else f"headrace_{hashlib.sha256(pipeline.encode()).hexdigest()[:16]}"


def _document_row(change: DocumentChange) -> tuple[Any, ...]:
    p = change
    texts = (p.remark or None, p.sample or None, p.signature or None, p.original)
    return p.id, p.source, p.version, p.hint, p.chunks, p.tokens, *texts


def _point_rows(changes: Sequence[DocumentChange], state: str) -> Iterator[tuple[Any, ...]]:
    for change in changes:
        for new in change.put:
            yield change.id, new.id, new.key, new.embedding, state


__all__ = [
    "DOOMED", "GONE", "LIVE", "PENDING", "Counts", "KnownDocument", "KnownPoint", "Ledger", "Owned", "Row", "Stray",
]  # fmt: skip
