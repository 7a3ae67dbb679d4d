"""Sources that have brought nothing new for too long: a crawler that is shut out looks like a quiet week."""

from collections.abc import Container

from config.sources import Source
from tasks.durations import format_duration
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import keep_recollection, recollection
from tasks.session import Session
from tasks.sync.report import Report


def tell_silence(session: Session, report: Report, news: Container[str]) -> None:
    """Remember when each source last had news, and say which have had none for as long as their configuration allows.

    The report names a source as silent once in that time, for an alert; its note says so every time.
    """
    for source in session.pipeline.sources:
        if source.silent_after_hours is not None:
            _tell(session.ledger, report, source, session.clock(), has_news=source.name in news)


def _tell(ledger: Ledger, report: Report, source: Source, now: float, *, has_news: bool) -> None:
    memory = f"{source.name}:news"  # no source has a colon in its name
    heard, told = map(float, (recollection(ledger, memory) or "0 0").split())
    if has_news or not heard:
        keep_recollection(ledger, memory, f"{now:.0f} 0")
        return
    most_seconds = (source.silent_after_hours or 0) * 3600
    if now - heard < most_seconds:
        return
    report.notes.insert(
        0,
        f"source {source.name!r} has brought nothing new for {format_duration(now - heard)}, and its"
        f" silent_after_hours is {source.silent_after_hours:g}; is it still fed, and may we still read all of it?",
    )
    if now - told >= most_seconds:
        report.silent.append(source.name)
        keep_recollection(ledger, memory, f"{heard:.0f} {now:.0f}")
