"""One run, in order: lease, incarnation, listing, windows, deletions, report."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from config.options import SyncOptions
from tasks.dedupe.window import Differ
from tasks.errors import BudgetError
from tasks.ledger.history import counts, finish_run, forget_quarantined, start_run
from tasks.ledger.lease import leased
from tasks.runners.base import Pending, Runner
from tasks.runners.chain import Chain
from tasks.runners.pace import Pace
from tasks.session import Session
from tasks.sync.deletions import Losses, carry_out, count_deletions, reap, weigh
from tasks.sync.incarnation import check_incarnation
from tasks.sync.listing import Survey, served, survey
from tasks.sync.report import Report
from tasks.system.file_system import readable
from tasks.windows import Written

WINDOWS_IN_FLIGHT = 4  # one is read, one embedded, two are written


class Progress(Protocol):
    """Shows a person how far the run is."""

    def begin(self, documents: int) -> None:
        """So many documents will be read."""
        ...

    def advance(self, documents: int, report: Report) -> None:
        """So many more are done."""
        ...


def run_sync(session: Session, options: SyncOptions, runner: Runner, progress: Progress) -> Report:
    """Make the collection equal to the sources.

    A normal run is the recovery: what a killed run left behind is dirty or pending in the ledger, and is mended here.
    """
    started = time.perf_counter()
    report = Report(pipeline=session.pipeline.name)
    with leased(session.ledger, wait=options.wait) as lease:
        report.run = start_run(session.ledger)
        try:
            doubt = check_incarnation(session, lease)
            if doubt:
                report.notes.append(doubt)
            _work(session, options, runner, (report, progress))
        except BudgetError as error:
            report.outcome = "budget"
            report.notes.append(f"{error}; what was paid for is kept, the next run goes on from here")
        except (KeyboardInterrupt, Exception) as error:
            report.outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            report.notes += filter(None, [readable(str(error))])
            finish_run(session.ledger, report.run, report.outcome, report.as_json())
            raise
        report.runtime = session.embedder.runtime
        report.chunks.total = counts(session.ledger)["live"]
        report.seconds.total = time.perf_counter() - started
        finish_run(session.ledger, report.run, report.outcome, report.as_json())
    return report


def _work(session: Session, options: SyncOptions, runner: Runner, told: tuple[Report, Progress]) -> None:
    report, progress = told
    found = survey(session, report, options)
    progress.begin(len(found.changes.to_read))
    losses = Losses(found)
    for written in _windows(session, runner, found):
        report.count_written(written)
        report.documents.served_old += served(session, [failure.id for failure in written.failures])
        losses.see(written.changes)
        progress.advance(written.embedded.deduped.documents, report)
    report.tell_aside()
    leavers = losses.leavers()
    verdict = weigh(session, leavers, found, options)
    count_deletions(session, leavers, verdict, report)
    if verdict.allowed:
        carry_out(session, leavers, verdict)
    forget_quarantined(session.ledger, found.left)
    reap(session)


def _windows(session: Session, runner: Runner, found: Survey) -> Iterator[Written]:
    """Keep a few windows going, so memory stays flat however large the source is."""
    pace = Pace(runner.most_at_first)
    chain = Chain(session, Differ(session.identity, session.ledger, session.cache, found.held))
    session.chunker.prepare(sum(ref.size_bytes for ref in found.changes.to_read))
    going: deque[Pending] = deque()
    try:
        for window in pace.windows(found.changes.to_read):
            going.append(runner.start(chain, window))
            if len(going) >= WINDOWS_IN_FLIGHT:
                yield _finished(going.popleft(), pace)
        while going:
            yield _finished(going.popleft(), pace)
    finally:
        runner.close()


def _finished(window: Pending, pace: Pace) -> Written:
    written = window.result()
    embedded = written.embedded
    deduped = embedded.deduped
    slowest = max(deduped.load_seconds + deduped.chunk_seconds, embedded.embed_seconds, written.upsert_seconds)
    pace.finished(deduped.documents, slowest, embedded.texts, sum(len(plan.put) for plan in deduped.changes))
    return written
