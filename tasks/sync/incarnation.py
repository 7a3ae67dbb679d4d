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

from tasks.errors import CollectionError
from tasks.ledger.lease import Lease
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked, last_mark, lineage, remember_mark, require_own
from tasks.records import Sentinel
from tasks.session import Session, check_space
from tasks.sync.audit import audit, repair
from tasks.sync.owners import refusal, stranger
from tasks.upsert.marks import SHARED


def check_incarnation(session: Session, lease: Lease, *, take_over: bool = False) -> str:
    """Repair where the table says so, then mark ledger and store; returns what was wrong, "" when all is well."""
    ledger, name = session.ledger, session.pipeline.name
    require_own(ledger, name, take_over=take_over)
    sentinel = session.store.sentinel()
    check_space(session, sentinel)
    doubt = find_doubt(session, sentinel, take_over=take_over)
    if not doubt and sentinel is not None and not lease.was_clean:
        doubt = "the machine went down during a run"
    session.store.ensure(session.embedder.space.dimension)
    if doubt:
        doubt = f"{doubt}: {_repair_all(session, take_over=take_over)}"
    at = round(session.clock(), 3)
    mark = Sentinel(lineage(ledger), lease.epoch, session.space.fingerprint, name, session.place, at)
    remember_mark(ledger, session.space, mark)
    session.store.mark(mark)
    return doubt


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
