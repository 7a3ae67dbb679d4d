"""What the ledger keeps to tell near-duplicates: signatures of texts, and which documents are treated as copies."""

from collections.abc import Mapping
from typing import NamedTuple

from tasks.ledger.ledger import Ledger
from tasks.records import DocumentId


class Stored(NamedTuple):
    """`is_served`: the collection has it; a copy that was left out is not there."""

    signature: bytes
    version: str
    is_served: bool


def stored_signatures(ledger: Ledger) -> dict[DocumentId, Stored]:
    """Those of all documents that are whole and have one."""
    sql = "SELECT id, signature, version, chunks FROM document WHERE signature IS NOT NULL AND version IS NOT NULL"
    with ledger.database.read() as transaction:
        rows = transaction.execute(sql)
        return {DocumentId(row[0]): Stored(bytes(row[1]), str(row[2]), bool(row[3])) for row in rows}


def known_copies(ledger: Ledger) -> dict[DocumentId, DocumentId]:
    """The original of each document that is treated as its copy."""
    with ledger.database.read() as transaction:
        rows = transaction.execute("SELECT id, near FROM document WHERE near IS NOT NULL ORDER BY id")
        return {DocumentId(row[0]): DocumentId(row[1]) for row in rows}


def remember_signatures(ledger: Ledger, signatures: Mapping[DocumentId, bytes]) -> None:
    """Keep them for documents that are as the ledger knows them."""
    with ledger.fenced("signatures") as transaction:
        rows = [(one, document) for document, one in signatures.items()]
        transaction.many("UPDATE document SET signature = ? WHERE id = ?", rows)


def widespread(ledger: Ledger, share: float) -> list[tuple[DocumentId, int]]:
    """Texts that so large a share of the documents has: one of these each, and how many there are; most first."""
    sql = (
        "SELECT MIN(document), COUNT(DISTINCT document) FROM point WHERE state = 'LIVE' GROUP BY embedding"
        " HAVING COUNT(DISTINCT document) > ? ORDER BY 2 DESC, 1 LIMIT 100"
    )
    with ledger.database.read() as transaction:
        documents = transaction.execute("SELECT COUNT(*) FROM document WHERE chunks > 0").scalar() or 0
        rows = transaction.execute(sql, (max(2, share * int(documents)),))
        return [(DocumentId(row[0]), int(row[1])) for row in rows]
