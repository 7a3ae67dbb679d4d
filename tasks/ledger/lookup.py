"""What the ledger knows of some documents, for whoever does not need all of them."""

from collections.abc import Sequence

from tasks.ledger.ledger import KnownDocument, Ledger
from tasks.records import DocumentId


def known_of(ledger: Ledger, documents: Sequence[DocumentId]) -> dict[DocumentId, KnownDocument]:
    """Those of them that the ledger knows."""
    sql = "SELECT id, version, hint, source, chunks, tokens, remark FROM document WHERE id IN ({})"
    with ledger.database.read() as transaction:
        return {DocumentId(row[0]): KnownDocument._make(row[1:]) for row in transaction.select_in(sql, documents)}


def count_documents(ledger: Ledger) -> int:
    """All that the ledger knows, without a look at their points."""
    with ledger.database.read() as transaction:
        return int(transaction.execute("SELECT COUNT(*) FROM document").scalar() or 0)


def has_below(ledger: Ledger, folder: DocumentId) -> bool:
    """Whether there is a document in the folder, which ends in a slash."""
    sql = "SELECT 1 FROM document WHERE substr(id, 1, ?) = ? LIMIT 1"
    with ledger.database.read() as transaction:
        return transaction.execute(sql, (len(folder), folder)).scalar() is not None


def samples(ledger: Ledger, documents: Sequence[DocumentId]) -> dict[DocumentId, bytes]:
    """Samples of their texts, without those that were written before samples were kept, and have not changed since."""
    sql = "SELECT id, sample FROM document WHERE sample IS NOT NULL AND id IN ({})"
    with ledger.database.read() as transaction:
        return {DocumentId(row[0]): bytes(row[1]) for row in transaction.select_in(sql, documents)}
