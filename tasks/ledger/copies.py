"""What the ledger keeps to tell near-duplicates: signatures of texts, and which documents are treated as copies."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from tasks.ledger.ledger import Ledger
from tasks.records import DocumentId

MOST_TOLD = 100


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
        "SELECT embedding, MIN(document), COUNT(DISTINCT document) FROM point WHERE state = 'LIVE' GROUP BY embedding"
        " HAVING COUNT(DISTINCT document) > ?"
    )
    everywhere, total = defaultdict[bytes, list[tuple[str, int]]](list), 0
    for shard in ledger.in_turn():
        with shard.database.read() as transaction:
            documents = transaction.execute("SELECT COUNT(*) FROM document WHERE chunks > 0").scalar() or 0
            # Documents are in a shard by chance, so what is widespread among all is among those of each, more or less.
            least = max(2, share * documents) if ledger.shard_count == 1 else share * documents / 2
            for embedding, document, count in transaction.execute(sql, (least,)):
                everywhere[bytes(embedding)].append((document, int(count)))
            total += documents
    texts = [(min(places)[0], sum(count for _, count in places)) for places in everywhere.values()]
    most = sorted((-count, document) for document, count in texts if count > max(2, share * total))
    return [(DocumentId(document), -count) for count, document in most[:MOST_TOLD]]
