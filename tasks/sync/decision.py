"""Which losses of a run the guard lets through, source by source."""

from collections.abc import Sequence
from dataclasses import replace

from config.options import SyncOptions
from tasks.session import Session
from tasks.sync.deletions import Leavers, weigh
from tasks.sync.guard import Circumstances, Verdict, judge
from tasks.sync.listing import Survey


def decide(
    session: Session, leavers: Leavers, survey: Survey, options: SyncOptions
) -> Sequence[tuple[Leavers, Verdict]]:
    """What may go, then what may not: a source that lost too much, or lists nothing, does not hold up the others.

    The limits hold for each source, by its own documents, and for all together; a source that was taken out of the
    configuration counts among all. A run that looked at some documents alone knows no source's number of them.
    """
    whole = weigh(session, leavers, survey, options)
    if survey.is_part:
        return [(leavers, whole)]
    reasons: dict[str, str] = {}
    for source in leavers.sources & {one.name for one in session.pipeline.sources}:
        if not whole.is_confirmed and (reason := _objection(session, source, leavers, survey)):
            reasons[source] = reason
    doubtful, rest = leavers.within(reasons), leavers.within(leavers.sources - {*reasons})
    going = weigh(session, rest, survey, options)
    if not reasons or not going.allowed or not (rest.documents or whole.allowed):
        return [(leavers, whole)]
    text = "; ".join(
        reason if reason.startswith("source ") else f"source {source!r}: {reason}"
        for source, reason in sorted(reasons.items())
    )
    kept = weigh(session, doubtful, survey, options)
    kept = replace(kept, allowed=kept.is_confirmed, reason=text)
    return [(rest, going), (doubtful, kept)] if rest.documents else [(doubtful, kept)]


def _objection(session: Session, source: str, leavers: Leavers, survey: Survey) -> str:
    """What the guard has against the losses of one source, "" for nothing."""
    lost = leavers.within({source})
    silent = (source,) if source in survey.silent and lost.missing else ()
    now = Circumstances(survey.known[source], survey.listed, moved=lost.moved, silent=silent)
    return judge(lost.documents, now, session.pipeline.deletions, None).reason
