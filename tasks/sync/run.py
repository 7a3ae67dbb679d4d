"""One run, in order: lease, incarnation, listing, windows, deletions, report."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from config.options import SyncOptions
from tasks.dedupe.diff import without_ruled
from tasks.dedupe.window import Differ
from tasks.errors import BudgetError, HeadraceError, LockedError, keep_report
from tasks.ledger.lease import Lease, leased
from tasks.ledger.runs import finish_run, start_run
from tasks.records import DocumentId, DocumentRef, Sentinel
from tasks.runners.base import Pending, Runner
from tasks.runners.chain import Chain
from tasks.runners.pace import Pace
from tasks.runners.shards import ShardChain
from tasks.session import Session
from tasks.slices import batched, interleaved
from tasks.sync.ahead import pay_ahead
from tasks.sync.copies import frame_note, remember, without_original
from tasks.sync.decision import decide
from tasks.sync.deletions import Losses, carry_out, count_deletions, count_withheld, reap
from tasks.sync.generations import complete_switch, record
from tasks.sync.incarnation import Marks, check_incarnation
from tasks.sync.listing import Shard, Survey, joined, remember_listings, survey_sources
from tasks.sync.metrics import write_metrics
from tasks.sync.progress import Progress, RecordedProgress
from tasks.sync.readers import give_readers, grant
from tasks.sync.report import Outcome, Report
from tasks.sync.silence import tell_silence
from tasks.system.file_system import escaped
from tasks.upsert.window import write_changes
from tasks.windows import DocumentChange, Spent, Written

WINDOWS_IN_FLIGHT = 4  # one is read, one embedded, two are written
WORTH_WORKERS = 1000  # documents to read: with fewer a run is done before workers have started

_log = logging.getLogger("headrace")


def run_sync(session: Session, options: SyncOptions, runner: Runner, progress: Progress) -> Report:
    """Make the collection equal to the sources.

    A normal run is the recovery: what a killed run left behind is dirty or pending in the ledger, and is mended here.
    """
    return Run(session, options, runner, progress).run()


class Run:
    """One sync, to be run once; `report` is right whatever ends it."""

    def __init__(self, session: Session, options: SyncOptions, runner: Runner, progress: Progress) -> None:
        """The runner is closed when the windows are done."""
        generation = session.pipeline.generation
        self.report = Report(session.pipeline.name, generation=generation, model=session.embedder.model)
        self.report.notes += filter(None, [session.note])
        self._session = session
        self._options = options
        self._runner = runner
        self._progress: Progress = progress
        self._pace = Pace(runner.most_at_first)
        self._spent = Spent()
        self._news = set[str]()  # sources
        self._not_known: Sequence[DocumentRef] = ()  # whether the collection has them as they are
        self._marks: Marks | None = None  # until the collection was found to be ours
        self._spent_usd_before = session.embedder.spent_usd
        self._started = time.perf_counter()

    def run(self) -> Report:
        """All of it, under the lease; what stops it is recorded and raised, but for a spent budget."""
        report, ledger = self.report, self._session.ledger
        with leased(ledger, wait=self._options.wait) as lease:
            report.run = start_run(ledger)
            self._progress = RecordedProgress(ledger, report.run, self._progress)
            try:
                self._work(lease)
            except BudgetError as error:
                self._close_to_others()
                report.outcome = Outcome.BUDGET
                report.notes.append(f"{error}; what was paid for is kept, the next run goes on from here")
            except (KeyboardInterrupt, Exception) as error:
                report.outcome = _outcome(error)
                report.notes += filter(None, [escaped(str(error))])
                # An overtaken run keeps still.
                if isinstance(error, HeadraceError) and not isinstance(error, LockedError):
                    with suppress(HeadraceError):
                        self._close_to_others()
                with suppress(HeadraceError):  # what stopped the run matters more than that it cannot be recorded
                    self._record()
                keep_report(error, report.as_json())
                if report.cost_usd:
                    _log.info("this run has cost $%.6f; what was paid for is kept", report.cost_usd)
                raise
            self._record()
        return report

    def _work(self, lease: Lease) -> None:
        doubt = check_incarnation(self._session, lease, take_over=self._options.take_over)
        if doubt:
            self.report.notes.append(doubt)
        record(self._session)
        survey = survey_sources(self._session, self.report, self._options)
        remember_listings(self._session)
        remember(self._session, survey.copies)
        self._not_known = survey.doubtful
        losses, marks = Losses(survey), Marks(self._session, lease.epoch)
        self._marks = marks
        self._windows(survey, losses, marks)
        self._end(survey, losses, marks)
        self.report.notes += complete_switch(self._session)
        if not survey.is_part:
            marks.at_the_end(lambda mark: self._completed(mark, survey))

    def _grant(self, shard: Shard, marks: Marks) -> Shard:
        """New readers come first, and old records are not found any more; what is left of them is to be read."""
        if not shard.grants:
            return shard
        marks.before_writing()
        given: set[DocumentId] = set()
        for changes in grant(self._session, shard.grants):
            given.update(change.id for change in changes)
            self.report.count_changes(changes, self._spent)
        reap(self._session, marks.before_writing)
        return replace(shard, changes=without_ruled(shard.changes, given))

    def _completed(self, mark: Sentinel, survey: Survey) -> Sentinel:
        """What readers may know of how complete the collection is."""
        documents, unknown = self.report.documents, survey.unknown
        is_complete = not (documents.withheld or self.report.unlisted)
        at = round(self._session.clock(), 3) if is_complete else mark.complete_at
        withheld, quarantined = documents.withheld, documents.quarantined
        return replace(mark, complete_at=at, withheld=withheld, quarantined=quarantined, unknown=unknown)

    def _windows(self, survey: Survey, losses: Losses, marks: Marks) -> None:
        """Keep a few windows going, so memory stays flat however large the source is."""
        session = self._session
        self._progress.begin(survey.to_read, survey.size_bytes, self._look)
        pay_ahead(session, survey, self._spent)
        differ = Differ(session.identity, session.ledger, session.cache)
        session.chunker.expect(survey.size_bytes)
        chain = self._shard_chain(survey, differ, marks)
        at_once = len(chain.workers) if chain else 1
        alone = Chain(session, differ, self._spent, marks.before_writing)
        start = partial(self._runner.hand_over, chain) if chain else partial(self._runner.start, alone)
        going: deque[Pending] = deque()
        try:
            for turn in batched(survey.shards(), at_once):
                shards = [self._grant(shard, marks) for shard in turn]
                whole = joined(shards)
                differ.begin(whole.known)
                losses.begin(whole)
                for window in interleaved([self._pace.windows(shard.changes.to_read) for shard in shards]):
                    going.append(start(window))
                    if len(going) >= WINDOWS_IN_FLIGHT * at_once:
                        self._finish_first(going, losses)
                while going:  # what is read, and what it is compared with, is of these shards
                    self._finish_first(going, losses)
        finally:
            if chain:
                chain.stop()
            self._runner.close()
            if chain:
                chain.close()
                self.report.runtime = chain.runtime
            for pending in going:  # some may be written all the same, although the run ends here
                with suppress(Exception):
                    self._count(pending.result())

    def _shard_chain(self, survey: Survey, differ: Differ, marks: Marks) -> ShardChain | None:
        """None where shards are worked off in turn: nobody asked for more, or there is too little to read."""
        if not self._session.shard_workers or survey.to_read < WORTH_WORKERS:
            return None
        return ShardChain(self._session, differ, self._spent, marks.before_writing)

    def _finish_first(self, going: deque[Pending], losses: Losses) -> None:
        written = going[0].result()
        going.popleft()
        self._count(written)
        losses.see(written.changes)

    def _count(self, written: Written) -> None:
        if written.spent:
            self._spent.merge(written.spent)
        tally = written.tally
        self._pace.finished(tally.documents_seen, tally.slowest_seconds, tally.texts_paid, tally.points_to_put)
        self.report.count_written(written, self._spent)
        self._note_news(change.id for change in written.changes if change.is_new or not change.is_unchanged)
        self._count_spent()
        documents = self.report.documents
        documents.served_old += self._session.ledger.served([failure.id for failure in written.failures])
        self._progress.advance(tally.documents_seen)

    def _end(self, survey: Survey, losses: Losses, marks: Marks) -> None:
        session, report = self._session, self.report
        report.tell_quarantined()
        leavers = losses.leavers()
        if leavers.listed or leavers.cleared:
            marks.before_writing()
        self._write([change for change in leavers.cleared if not change.is_left_out])
        self._write(self._with_original(leavers.cleared, survey))
        for part, verdict in decide(session, leavers, survey, self._options):
            report.plan_hash = verdict.plan_hash
            self._note_news(part.missing)
            if verdict.allowed:
                lost = session.ledger.live_points(part.missing)
                carry_out(session, part, verdict)
                count_deletions(part, lost, report, self._spent)
            else:
                count_withheld(part, verdict, report, self._options)
        session.ledger.forget_quarantined(survey.left)
        if report.documents.served_old or report.documents.quarantined:  # a killed run may have half written them
            self._close_to_others()
        reap(session, marks.before_writing)

    def _write(self, changes: Sequence[DocumentChange]) -> None:
        session = self._session
        write_changes(session.store, session.ledger, session.cache, changes)
        self.report.count_changes(changes, self._spent)

    def _with_original(self, changes: Sequence[DocumentChange], survey: Survey) -> Sequence[DocumentChange]:
        """Copies that are left out; where their original was not written, they stay as they are for now."""
        copies = [change for change in changes if change.is_left_out]
        stay = without_original(self._session, survey.copies, copies)
        self.report.documents.held += len(stay)
        return [change for change in copies if change.id not in stay]

    def _close_to_others(self) -> None:
        """Old records that stay get their new readers, and records that were replaced go, however the run ends."""
        session = self._session
        if session.pipeline.has_readers and self._marks:
            self._marks.before_writing()
            if given := give_readers(session, self._not_known):
                old = "document is" if given == 1 else "documents are"
                self.report.notes.append(f"{given:,} {old} served as before, and read by those whom the rules name now")
            reap(session, self._marks.before_writing)

    def _note_news(self, documents: Iterable[DocumentId]) -> None:
        self._news.update(document.partition(":")[0] for document in documents)

    def _look(self) -> Report:
        """Show whoever watches, from another thread: what is embedded counts before its window is done."""
        self._count_spent()
        return self.report

    def _count_spent(self) -> None:
        cost_usd = self._session.embedder.spent_usd - self._spent_usd_before
        self.report.count_spent(self._spent, cost_usd)

    def _record(self) -> None:
        report, ledger = self.report, self._session.ledger
        self._count_spent()
        if self._session.pipeline.near_duplicates and report.chunks.written:
            report.notes += filter(None, [frame_note(self._session)])
        report.tell_doubts(len(self._session.cache.damaged), self._session.embedder.other_model)
        tell_silence(self._session, report, self._news)
        report.runtime = self._session.embedder.runtime or report.runtime
        report.seconds.total = time.perf_counter() - self._started
        report.chunks.total = ledger.counts().live
        finish_run(ledger, report.run, report.outcome, report.as_json())
        if path := self._session.pipeline.metrics:
            write_metrics(path, report, ledger)


def _outcome(error: BaseException) -> Outcome:
    match error:
        case KeyboardInterrupt():
            return Outcome.INTERRUPTED
        case LockedError():
            return Outcome.LOCKED
        case _:
            return Outcome.FAILED
