"""Is the store the one that the ledger knows? A lost or restored store or ledger is noticed here, and mended.

The sentinel in the store says who marked it last: lineage and epoch of the ledger, the pipeline, and the place of its
configuration. The ledger remembers what it marked last.

store                                | ledger       | meaning                         | then
-------------------------------------|--------------|---------------------------------|----------
no sentinel, no records              | never marked | first run                       | go on
no sentinel, records                 | never marked | somebody else's collection      | refuse
no sentinel                          | marked       | store lost                      | repair
epoch below the ledger's             | marked       | store restored from a backup    | repair
epoch above the ledger's             | any          | ledger restored from a backup   | repair
marked elsewhere since, our lineage  | any          | a copy of this ledger is in use | refuse
other lineage, our name and place    | newer or new | ledger lost                     | repair
other lineage                        | any          | another pipeline's collection   | refuse
shared, without a mark of ours       | any          | as without a sentinel           |
shared, and we do not share          | any          | other pipelines' collection     | refuse
other vector space                   | any          | the model was changed           | refuse
as marked, too few records           | marked       | store damaged                   | repair
as marked                            | marked       | all is well                     | go on

Where the table says that the collection is somebody else's, a run may be told to take it over; it then repairs.
"""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from tasks.errors import CollectionError
from tasks.ledger.lease import Lease
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked, last_mark, lineage, remember_mark, require_own
from tasks.records import Sentinel
from tasks.session import Session, check_space
from tasks.sync.audit import audit, repair
from tasks.sync.owners import keep_place, refusal, require_no_namesake, require_shards, stranger
from tasks.upsert.marks import SHARED


def check_incarnation(session: Session, lease: Lease, *, take_over: bool = False) -> str:
    """Repair where the table says so, and mark ledger and store; returns what was wrong, "" when all is well."""
    ledger, name = session.ledger, session.pipeline.name
    require_own(ledger, name, take_over=take_over)
    require_no_namesake(session, take_over=take_over)
    require_shards(session)
    sentinel = session.store.sentinel()
    check_space(session, sentinel)
    doubt = find_doubt(session, sentinel, take_over=take_over)
    if not doubt and sentinel is not None and not lease.was_clean:
        doubt = "the machine went down during a run"
    if not doubt and lease.behind:
        doubt = f"the shard {lease.behind} of the ledger is an older copy, or was lost"
    session.store.ensure(session.embedder.space.dimension)
    if doubt:
        doubt = f"{doubt}: {_repair_all(session, take_over=take_over)}"
        leave_mark(session, lease.epoch)
    keep_place(session)
    return doubt


class Marks:
    """Those of one run: one before it writes to the store, and one at its end, which a run without changes has alone.

    Without the first, a ledger restored from a backup would not be noticed after a crash.
    """

    def __init__(self, session: Session, epoch: int) -> None:
        """Nothing is marked yet."""
        self._session, self._epoch = session, epoch
        self._is_left, self._turn = False, Lock()

    def before_writing(self) -> None:
        """The first call marks; several windows are written at a time."""
        with self._turn:
            if not self._is_left:
                leave_mark(self._session, self._epoch)
                self._is_left = True

    def at_the_end(self, state: Callable[[Sentinel], Sentinel]) -> None:
        """`state` adds to a mark what the run has found."""
        leave_mark(self._session, self._epoch, state)


def leave_mark(session: Session, epoch: int, state: Callable[[Sentinel], Sentinel] = lambda mark: mark) -> None:
    """Mark ledger and store; how complete the collection is stays as it was, but for what `state` says."""
    ledger, before = session.ledger, last_mark(session.ledger)
    at = before.at if before and before.epoch == epoch else round(session.clock(), 3)
    mark = Sentinel(lineage(ledger), epoch, session.space.fingerprint, session.pipeline.name, session.place, at)
    if before:
        kept = ("complete_at", "withheld", "quarantined", "unknown")
        mark = replace(mark, **{name: getattr(before, name) for name in kept})
    mark = state(mark)
    remember_mark(ledger, session.space, mark)
    session.store.mark(mark)


def is_gone(ledger: Ledger, sentinel: Sentinel | None) -> bool:
    """Whether the ledger remembers a mark that the store does not have."""
    return sentinel is None and epoch_marked(ledger) > 0


def find_doubt(session: Session, sentinel: Sentinel | None, *, take_over: bool = False) -> str:
    """What the table says of store and ledger, "" when all is well; CollectionError for somebody else's collection."""
    if sentinel is not None and (owner := stranger(session, sentinel)):
        if not take_over or sentinel.lineage == SHARED:
            raise refusal(session, sentinel, owner)
        return f"taken over from {owner}"
    if sentinel is None or sentinel.lineage == SHARED:
        return _unmarked(session)
    return _disagreement(session, sentinel)


def _unmarked(session: Session) -> str:
    if epoch_marked(session.ledger):
        return "the collection is gone or new"
    if records := session.store.count():
        raise CollectionError(
            f"the collection of {session.pipeline.name!r} holds {records} records that no run has marked as its own;"
            " name another `collection` under `store`"
        )
    return ""


def _disagreement(session: Session, sentinel: Sentinel) -> str:
    ledger = session.ledger
    if sentinel.lineage != lineage(ledger):
        return "the ledger is not the one that wrote the collection"
    marked, own = epoch_marked(ledger), last_mark(ledger)
    if sentinel.epoch != marked:
        return "the collection is older than the ledger" if sentinel.epoch < marked else "the ledger is an older copy"
    if own is not None and sentinel != own:
        return "the collection was marked from a copy of this ledger"
    lost = ledger.counts().live - session.store.count()
    return f"the collection has lost {lost} records" if lost > 0 else ""


def _repair_all(session: Session, *, take_over: bool) -> str:
    findings = audit(session, sample=0, anybodys=take_over)
    if findings.owners and not take_over:
        raise CollectionError(
            f"the collection belongs to the pipeline {min(findings.owners)!r}, not to {session.pipeline.name!r};"
            " name another `collection` under `store`, or take it over for good: headrace sync CONFIG --take-over"
        )
    repair(session, findings)
    foreign = f", {len(findings.foreign)} records of somebody else were left alone" if findings.foreign else ""
    lost, unknown = len(findings.missing), len(findings.orphaned)
    return f"{lost} lost points are to be written again, {unknown} unknown ones were adopted{foreign}"
