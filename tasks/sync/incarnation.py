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
as marked, too few records   | marked       | store damaged                  | repair
as marked                    | marked       | all is well                    | go on
"""

from tasks.errors import CollectionError
from tasks.ledger.lease import Lease
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked, lineage, remember_mark
from tasks.records import Sentinel
from tasks.session import Session, check_space
from tasks.sync.audit import audit, repair
from tasks.upsert.base import VectorStore


def check_incarnation(session: Session, lease: Lease) -> str:
    """Repair where the table says so, then mark ledger and store; returns what was wrong, "" when all is well."""
    sentinel = session.store.sentinel()
    check_space(session, sentinel)
    doubt = find_doubt(session.store, session.ledger, sentinel, session.pipeline.name)
    if not doubt and sentinel is not None and not lease.was_clean:
        doubt = "the machine went down during a run"
    session.store.ensure(session.embedder.space.dimension)
    if doubt:
        doubt = f"{doubt}: {_repair_all(session)}"
    remember_mark(session.ledger, session.space)
    session.store.mark(Sentinel(lineage(session.ledger), lease.epoch, session.space.fingerprint))
    return doubt


def is_gone(ledger: Ledger, sentinel: Sentinel | None) -> bool:
    """Whether the ledger remembers a mark that the store does not have."""
    return sentinel is None and epoch_marked(ledger) > 0


def find_doubt(store: VectorStore, ledger: Ledger, sentinel: Sentinel | None, pipeline: str) -> str:
    """What the table says of store and ledger, "" when all is well; CollectionError for somebody else's collection."""
    if is_gone(ledger, sentinel):
        return "the collection is gone or new"
    if sentinel is None:
        if store.count():
            raise CollectionError(
                f"the collection of {pipeline!r} holds {store.count()} records that Headrace did not write;"
                " name another `collection` under `store`"
            )
        return ""
    if sentinel.lineage != lineage(ledger):
        return "the ledger is not the one that wrote the collection"
    marked = epoch_marked(ledger)
    if sentinel.epoch != marked:
        return "the collection is older than the ledger" if sentinel.epoch < marked else "the ledger is an older copy"
    lost = ledger.counts().live - store.count()
    return f"the collection has lost {lost} records" if lost > 0 else ""


def _repair_all(session: Session) -> str:
    findings = audit(session, sample=0)
    if findings.owners:
        raise CollectionError(
            f"the collection belongs to the pipeline {min(findings.owners)!r}, not to {session.pipeline.name!r};"
            " name another `collection` under `store`"
        )
    repair(session, findings)
    foreign = f", {len(findings.foreign)} records of somebody else were left alone" if findings.foreign else ""
    lost, unknown = len(findings.missing), len(findings.orphaned)
    return f"{lost} lost points are to be written again, {unknown} unknown ones were adopted{foreign}"
