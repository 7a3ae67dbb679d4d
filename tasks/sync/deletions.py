"""The end of a run: what left the source leaves the store, if the guard agrees."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.schema import SyncOptions
from tasks.dedupe.guard import Verdict, judge
from tasks.dedupe.plan import Changes
from tasks.dedupe.tables import DOOMED, GONE, LIVE
from tasks.records import DocumentId
from tasks.sync.report import Report
from tasks.sync.session import Session
from tasks.windows import DocumentPlan

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Leavers:
    """`missing` documents were not listed any more; `emptied` ones are listed, but have no content left."""

    missing: Sequence[DocumentId]
    emptied: Sequence[DocumentPlan]
    known: int
    listed: int

    @classmethod
    def of(cls, changes: Changes, emptied: Sequence[DocumentPlan], known: int) -> "Leavers":
        """`known` counts the documents that the ledger had before the run."""
        return cls(changes.missing, emptied, known, len(changes.unchanged) + len(changes.to_read))


def weigh(session: Session, leavers: Leavers, options: SyncOptions) -> Verdict:
    """Ask the guard about both kinds of deletion together."""
    doomed = [*leavers.missing, *(plan.id for plan in leavers.emptied)]
    limits = session.pipeline.deletions
    return judge(doomed, leavers.known, limits, listed=leavers.listed, confirmed=options.confirm_deletes)


def count_deletions(session: Session, leavers: Leavers, verdict: Verdict, report: Report) -> None:
    """Put the verdict into the report; writes nothing."""
    report.plan_hash = verdict.plan_hash
    if not verdict.allowed:
        report.documents.withheld = len(leavers.missing) + len(leavers.emptied)
        report.outcome = "withheld"
        report.notes.append(
            f"deletions withheld: {verdict.reason}; nothing was deleted."
            f" If they are meant, run sync with --confirm-deletes {verdict.plan_hash}"
        )
        return
    points = session.ledger.points(leavers.missing)
    report.documents.deleted = len(leavers.missing)
    report.chunks.removed += sum(point.state == LIVE for held in points.values() for point in held)
    report.chunks.removed += sum(len(plan.doom) for plan in leavers.emptied)


def carry_out(session: Session, leavers: Leavers) -> None:
    """Doom what the guard let through."""
    if leavers.missing:
        session.ledger.drop(leavers.missing)
    if leavers.emptied:
        session.ledger.flip(leavers.emptied)


def reap(session: Session) -> None:
    """Delete doomed points from the store; forget them only when they are proven absent after the grace time.

    A request of a dead process may land after our delete: what came back is deleted again, and its grace time restarts.
    """
    now = session.clock()
    earlier = session.ledger.leaving(GONE, before=now)
    doomed = session.ledger.leaving(DOOMED)
    for start in range(0, len(doomed), BATCH):
        part = doomed[start : start + BATCH]
        session.store.delete(part)
        session.ledger.mark_gone(part, now)
    if not earlier:
        return
    back = session.store.present(earlier)
    if back:
        session.store.delete(list(back))
    ripe = [point for point in session.ledger.leaving(GONE, before=now - session.grace_seconds) if point not in back]
    session.ledger.settle(ripe, list(back), now)
