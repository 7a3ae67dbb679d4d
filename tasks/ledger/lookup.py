"""What the ledger knows of some documents, for whoever does not need all of them."""

from collections.abc import Sequence

from tasks.ledger.ledger import KnownDocument, Ledger
from tasks.records import DocumentId


def known_of(ledger: Ledger, documents: Sequence[DocumentId]) -> dict[DocumentId, KnownDocument]:
    """Those of them that the ledger knows."""
    sql = "SELECT id, version, hint, source, chunks, tokens, remark FROM document WHERE id IN ({})"
    known: dict[DocumentId, KnownDocument] = {}
    for shard, ids in ledger.split(documents):
        with shard.database.read() as transaction:
            known |= {DocumentId(row[0]): KnownDocument._make(row[1:]) for row in transaction.select_in(sql, ids)}
    return known


def count_documents(ledger: Ledger) -> int:
    """All that the ledger knows, without a look at their points."""
    return sum(_number(shard, "SELECT COUNT(*) FROM document") for shard in ledger.in_turn())


def stored_tokens(ledger: Ledger) -> int:
    """The tokens of all that the ledger knows to be in the collection."""
    return sum(_number(shard, "SELECT SUM(tokens) FROM document") for shard in ledger.in_turn())


def has_below(ledger: Ledger, folder: DocumentId) -> bool:
    """Whether there is a document in the folder, which ends in a slash."""
    sql = "SELECT 1 FROM document WHERE substr(id, 1, ?) = ? LIMIT 1"
    return any(_number(shard, sql, (len(folder), folder)) for shard in ledger.in_turn())


def samples(ledger: Ledger, documents: Sequence[DocumentId]) -> dict[DocumentId, bytes]:
    """Samples of their texts, without those that were written before samples were kept, and have not changed since."""
    sql = "SELECT id, sample FROM document WHERE sample IS NOT NULL AND id IN ({})"
    kept: dict[DocumentId, bytes] = {}
    for shard, ids in ledger.split(documents):
        with shard.database.read() as transaction:
            kept |= {DocumentId(row[0]): bytes(row[1]) for row in transaction.select_in(sql, ids)}
    return kept


def without_samples(ledger: Ledger) -> set[DocumentId]:
    """Documents whose text was never sampled."""
    lacking: set[DocumentId] = set()
    for shard in ledger.in_turn():
        with shard.database.read() as transaction:
            lacking.update(row[0] for row in transaction.execute("SELECT id FROM document WHERE sample IS NULL"))
    return lacking


def _number(shard: Ledger, sql: str, values: Sequence[object] = ()) -> int:
    with shard.database.read() as transaction:
        return int(transaction.execute(sql, values).scalar() or 0)
