"""Which ledger this is and whose, what it last marked in the store, and of which vector space."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from tasks.database.database import Transaction
from tasks.errors import CollectionError
from tasks.ledger.ledger import Ledger
from tasks.records import Sentinel, VectorSpace

_PUT = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


def lineage(ledger: Ledger) -> str:
    """Names this ledger: a restored copy has the same one, a new ledger another; "" before it has one."""
    with ledger.database.read() as transaction:
        known = _meta(transaction, "lineage")
    if known or ledger.database.is_read_only:
        return known or ""
    with ledger.database.write() as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('lineage', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,)
        )
        return _meta(transaction, "lineage") or ""


def epoch_marked(ledger: Ledger) -> int:
    """The newest epoch that was, or was about to be, marked in the store; 0 before the first."""
    with ledger.database.read() as transaction:
        return int(_meta(transaction, "epoch_marked") or 0)


def last_mark(ledger: Ledger) -> Sentinel | None:
    """What was, or was about to be, marked in the store last; None before the first mark of this version."""
    with ledger.database.read() as transaction:
        text = _meta(transaction, "mark")
    return Sentinel(**json.loads(text)) if text else None


def require_own(ledger: Ledger, pipeline: str, *, take_over: bool = False) -> None:
    """Raise CollectionError where the ledger is another pipeline's: to this one, all its documents would have gone.

    Ledgers of earlier versions tell by the report of their newest run.
    """
    with ledger.database.read() as transaction:
        reports = "SELECT report FROM run WHERE report IS NOT NULL ORDER BY epoch DESC LIMIT 1"
        owner = _meta(transaction, "pipeline") or json.loads(transaction.execute(reports).scalar() or "{}").get(
            "pipeline"
        )
    if owner not in (None, pipeline) and not take_over:
        raise CollectionError(
            f"the ledger {ledger.database.name} is that of the pipeline {owner!r}, not of {pipeline!r}; give each"
            f" pipeline its own `state`, or leave `state` out; if {owner!r} is called {pipeline!r} from now on:"
            " headrace sync CONFIG --take-over"
        )


def own_space(ledger: Ledger, space: VectorSpace) -> VectorSpace:
    """The space with the frozen query prefix that this ledger first saw with the model.

    Fingerprints of old hold the query's prompt, so it cannot be left out of them; but the model's own files may change
    it at any time, and no vector here with it.
    """
    with ledger.database.read() as transaction:
        prefix = _meta(transaction, _prefix_key(space))
    return space if prefix is None else replace(space, frozen_query_prefix=prefix)


def remember_mark(ledger: Ledger, space: VectorSpace, mark: Sentinel) -> None:
    """Ledger first, store second: a crash between the two costs a needless verification, never a missed one."""
    rows = {"epoch_marked": str(mark.epoch), "mark": json.dumps(asdict(mark)), "pipeline": mark.pipeline}
    with ledger.fenced("mark") as transaction:
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (_prefix_key(space), space.frozen_query_prefix),
        )
        transaction.many(_PUT, list(rows.items()))


def keeper(ledger: Ledger) -> Mapping[str, Any] | None:
    """Which configuration synced last, where that is kept: see `tasks.sync.owners`."""
    with ledger.database.read() as transaction:
        kept: Mapping[str, Any] | None = json.loads(_meta(transaction, "keeper") or "null")
    return kept


def remember_keeper(ledger: Ledger, now: Mapping[str, Any]) -> None:
    """Keep it for the next run."""
    with ledger.fenced("keeper") as transaction:
        transaction.execute(_PUT, ("keeper", json.dumps(now)))


def kept_shards(ledger: Ledger) -> int | None:
    """The number of shards that the rows of documents are spread over; None while there are none."""
    with ledger.database.read() as transaction:
        if (count := _meta(transaction, "shards")) is not None:
            return int(count)
        return 1 if _meta(transaction, "epoch_marked") else None


def keep_shards(ledger: Ledger, count: int) -> None:
    """Keep it, before anything is in a shard."""
    with ledger.fenced("shards") as transaction:
        transaction.execute(_PUT, ("shards", str(count)))


def recollection(ledger: Ledger, source: str) -> str:
    """What a source wished to remember of its last listing; "" before the first."""
    with ledger.database.read() as transaction:
        return _meta(transaction, f"listing/{source}") or ""


def keep_recollection(ledger: Ledger, source: str, memory: str) -> None:
    """Keep it for the next run."""
    with ledger.fenced("listing") as transaction:
        transaction.execute(_PUT, (f"listing/{source}", memory))


def _prefix_key(space: VectorSpace) -> str:
    return f"query_prefix/{replace(space, frozen_query_prefix='').fingerprint}"


def _meta(transaction: Transaction, key: str) -> str | None:
    value = transaction.execute("SELECT value FROM meta WHERE key = ?", (key,)).scalar()
    return None if value is None else str(value)
