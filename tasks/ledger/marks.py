"""Which ledger this is, what it last marked in the store, and of which vector space: how a lost one is noticed."""

import uuid
from dataclasses import replace

from tasks.database.database import Transaction
from tasks.ledger.ledger import Ledger
from tasks.records import VectorSpace


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


def own_space(ledger: Ledger, space: VectorSpace) -> VectorSpace:
    """The space with the frozen query prefix that this ledger first saw with the model.

    Fingerprints of old hold the query's prompt, so it cannot be left out of them; but the model's own files may change
    it at any time, and no vector here with it.
    """
    with ledger.database.read() as transaction:
        prefix = _meta(transaction, _prefix_key(space))
    return space if prefix is None else replace(space, frozen_query_prefix=prefix)


def remember_mark(ledger: Ledger, space: VectorSpace) -> None:
    """Ledger first, store second: a crash between the two costs a needless verification, never a missed one."""
    with ledger.fenced("mark") as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (_prefix_key(space), space.frozen_query_prefix),
        )
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('epoch_marked', ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (str(ledger.epoch),),
        )


def _prefix_key(space: VectorSpace) -> str:
    return f"query_prefix/{replace(space, frozen_query_prefix='').fingerprint}"


def _meta(transaction: Transaction, key: str) -> str | None:
    value = transaction.execute("SELECT value FROM meta WHERE key = ?", (key,)).scalar()
    return None if value is None else str(value)
