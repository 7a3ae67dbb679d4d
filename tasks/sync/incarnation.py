"""Is the store the one that the ledger knows? A lost or restored store or ledger is noticed here, and mended.

The sentinel in the store holds {lineage, epoch, space} of the newest run; the ledger remembers what it marked last.

store                        | ledger       | meaning                        | then
-----------------------------|--------------|--------------------------------|----------
no sentinel, no records      | never marked | first run                      | go on
no sentinel, records         | never marked | somebody else's collection     | refuse
no sentinel                  | marked       | store lost                     | repair
epoch below the ledger's     | marked       | store restored from a backup   | repair
epoch above the ledger's     | any          | ledger restored from a backup  | repair
other lineage, our records   | any          | ledger lost                    | repair
other lineage, other records | any          | another pipeline's collection  | refuse
other vector space           | any          | the model was changed          | refuse
as marked                    | marked       | all is well                    | go on
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from tasks.dedupe.history import epoch_marked, lineage, remember_mark
from tasks.dedupe.lease import Lease
from tasks.dedupe.tables import GONE, LIVE
from tasks.errors import CollectionError
from tasks.records import DocumentId, EmbeddingKey, Payload, PointId, Sentinel
from tasks.sync.session import Session

BATCH = 1000
Item = TypeVar("Item")


def check_incarnation(session: Session, lease: Lease) -> str:
    """Repair where the table says so, then mark ledger and store; returns what was found, "" when all is well."""
    sentinel = session.store.sentinel()
    check_space(session, sentinel)
    doubt = _doubt(session, sentinel, lease)
    session.store.ensure(session.embedder.space.dimension)
    if doubt:
        missing, adopted = _repair(session)
        doubt = f"{doubt}: {missing} lost points are written again, {adopted} unknown ones were adopted"
    remember_mark(session.ledger)
    session.store.mark(Sentinel(lineage(session.ledger), lease.epoch, session.embedder.space.fingerprint))
    return doubt


def check_space(session: Session, sentinel: Sentinel | None) -> None:
    """Raise CollectionError when the collection holds vectors of another model."""
    space = session.embedder.space
    if sentinel is not None and sentinel.space != space.fingerprint:
        raise CollectionError(
            f"the collection of {session.pipeline.name!r} holds vectors of another vector space ({sentinel.space}) than"
            f" {space.model!r} makes ({space.fingerprint}); go back to the model it was built with, or name a new"
            " `collection` under `store`"
        )


def _doubt(session: Session, sentinel: Sentinel | None, lease: Lease) -> str:
    marked = epoch_marked(session.ledger)
    if sentinel is None:
        if marked:
            return "the collection is gone or new"
        if session.store.count():
            raise CollectionError(
                f"the collection of {session.pipeline.name!r} holds {session.store.count()} records that Headrace did"
                " not write; name another `collection` under `store`"
            )
        return ""
    if sentinel.lineage != lineage(session.ledger):
        return "the ledger is not the one that wrote the collection"
    if sentinel.epoch != marked:
        return "the collection is older than the ledger" if sentinel.epoch < marked else "the ledger is an older copy"
    return "" if lease.was_clean else "the machine went down during a run"


def _repair(session: Session) -> tuple[int, int]:
    """Compare every id of the store with the ledger; what was paid for is kept in the cache."""
    states = session.ledger.states()
    held: set[PointId] = set()
    strays: list[tuple[PointId, Payload]] = []
    for point, payload in session.store.scan():
        held.add(point)
        if _is_ours(session, payload) and states.get(point, GONE) == GONE:
            strays.append((point, payload))
    missing = [point for point, state in states.items() if state == LIVE and point not in held]
    for part in _slices(missing):
        session.ledger.suspect(part, [])
    for found in _slices(strays):
        _keep_vectors(session, found)
        session.ledger.suspect([], [_as_row(point, payload) for point, payload in found])
    return len(missing), len(strays)


def _is_ours(session: Session, payload: Payload) -> bool:
    bookkeeping = payload.get("headrace")
    if not bookkeeping:
        return False
    if bookkeeping["pipeline"] != session.pipeline.name:
        raise CollectionError(
            f"the collection belongs to the pipeline {bookkeeping['pipeline']!r}, not to {session.pipeline.name!r};"
            " name another `collection` under `store`"
        )
    return True


def _keep_vectors(session: Session, strays: Sequence[tuple[PointId, Payload]]) -> None:
    """A stray's vector was paid for, so a ledger rebuilt from the store costs no tokens."""
    space = session.embedder.space.fingerprint
    wanted = {point: _embedding(payload) for point, payload in strays if payload["headrace"]["space"] == space}
    vectors = session.store.vectors(list(wanted))
    if vectors:
        keys = [wanted[point] for point in vectors]
        session.cache.put(keys, np.stack(list(vectors.values())), [0] * len(keys))


def _as_row(point: PointId, payload: Payload) -> tuple[PointId, DocumentId, str, str, EmbeddingKey]:
    bookkeeping = payload["headrace"]
    source = payload["metadata"]["source"]
    return point, DocumentId(bookkeeping["document"]), source, bookkeeping["key"], _embedding(payload)


def _embedding(payload: Payload) -> EmbeddingKey:
    return EmbeddingKey(bytes.fromhex(payload["headrace"]["embedding"]))


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
