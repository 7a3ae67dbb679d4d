"""What a sync would do, without an embedding call and without a write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from config import embedders
from config.options import SyncOptions
from tasks.dedupe.window import Differ
from tasks.embed.base import BatchEmbedder, Embedder
from tasks.embed.models import retirement_note
from tasks.errors import ConfigError
from tasks.ledger.lease import holder
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import LIVE
from tasks.passages import Content
from tasks.records import EmbeddingKey
from tasks.runners.chain import Chain
from tasks.runners.pace import Pace
from tasks.session import Session, check_space
from tasks.sync.decision import decide
from tasks.sync.deletions import Losses, count_deletions, count_withheld
from tasks.sync.incarnation import find_doubt, is_gone
from tasks.sync.listing import Survey, survey_sources
from tasks.sync.names import Names
from tasks.sync.owners import require_no_namesake, require_shards
from tasks.sync.progress import Progress
from tasks.sync.readers import foreseen
from tasks.sync.report import Outcome, Report
from tasks.sync.status import run_summaries
from tasks.windows import Deduped, DocumentChange, Refs, Spent

RUNS_CONSIDERED = 10


@dataclass(frozen=True, slots=True)
class PlanReport:
    """`report` counts as a sync would; `eta_seconds` is None while no run has shown how fast the embedder is."""

    report: Report
    eta_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """The shape that `plan --json` promises."""
        shape = self.report.as_json()
        for name in ("run", "outcome", "seconds", "generation", "switched", "runtime"):
            del shape[name]
        return {**shape, "eta_seconds": self.eta_seconds}


class _Unpaid:
    """What a sync would pay for. A text that an earlier window would pay for is free in a later one."""

    def __init__(self, embedder: Embedder) -> None:
        self.tokens = 0  # without those in batches, which are paid for
        self._sent = embedder.on_their_way() if isinstance(embedder, BatchEmbedder) else set[EmbeddingKey]()
        self._seen: set[EmbeddingKey] = set()

    def new(self, deduped: Deduped) -> dict[EmbeddingKey, tuple[Content, int]]:
        texts = {key: text for key, text in deduped.unpaid.items() if key not in self._seen}
        self._seen.update(texts)
        self.tokens += sum(tokens for key, (_, tokens) in texts.items() if key not in self._sent)
        return texts

    @property
    def notes(self) -> list[str]:
        sent = len(self._seen & self._sent)
        return [f"{sent:,} texts are on their way in batches; the cost is without them"] if sent else []


def plan_sync(session: Session, options: SyncOptions, progress: Progress) -> PlanReport:
    """Reads and chunks what a sync would read, and asks ledger and cache; `outcome` says what the guard would do."""
    report = Report(session.pipeline.name, model=session.embedder.model, names=Names(most=None))
    embedder = session.embedder
    report.notes += filter(None, [session.note, retirement_note(embedder.model), embedder.assumed])
    _tell_doubt(session, report)
    survey = survey_sources(session, report, options)
    progress.begin(survey.to_read, survey.size_bytes, lambda: report)
    spent, unpaid = Spent(), _Unpaid(embedder)
    differ = Differ(session.identity, session.ledger, session.cache)
    chain = Chain(session, differ, spent)
    losses = Losses(survey)
    for window in _windows(survey, differ, losses, lambda changes: report.count_granted(changes, spent)):
        deduped = chain.dedupe(chain.read(window))
        texts = unpaid.new(deduped)
        spent.add(texts, [tokens for _, tokens in texts.values()])
        report.count_read(deduped.tally)
        report.count_quarantined(deduped.failures)
        report.documents.served_old += session.ledger.served([failure.id for failure in deduped.failures])
        report.count_changes((change for change in deduped.changes if not change.waits), spent)
        report.count_spent(spent, unpaid.tokens * embedder.usd_per_million_tokens / 1e6)
        losses.see(deduped.changes)
        progress.advance(len(window.refs))
    report.tell_quarantined()
    report.tell_doubts(len(session.cache.damaged))
    report.notes += unpaid.notes
    _check_embedder(session, report)
    leavers = losses.leavers()
    report.count_changes(leavers.cleared, spent)
    for part, verdict in decide(session, leavers, survey, options):
        report.plan_hash = verdict.plan_hash
        if verdict.allowed:
            count_deletions(part, session.ledger.live_points(part.missing), report, spent)
        else:
            count_withheld(part, verdict, report, options)
    report.chunks.unwritten = spent.unwritten
    _check_money(session.pipeline.embedder, report)
    report.chunks.total = session.ledger.counts().live + report.chunks.written - report.chunks.removed
    return PlanReport(report, eta_seconds(session.ledger, report.tokens.embedded, report.chunks.embedded))


def _windows(
    survey: Survey, differ: Differ, losses: Losses, count_granted: Callable[[Sequence[DocumentChange]], None]
) -> Iterator[Refs]:
    for shard in survey.shards():
        count_granted(foreseen(shard.grants))
        differ.begin(shard.known)
        losses.begin(shard)
        yield from Pace().windows(shard.changes.to_read)


def _tell_doubt(session: Session, report: Report) -> None:
    """A plan mends nothing, so what it counts is what the ledger believes. A run that is going on is no doubt."""
    require_no_namesake(session)
    require_shards(session)
    sentinel = session.store.sentinel()
    check_space(session, sentinel)
    if is_gone(session.ledger, sentinel):
        lost = [row.embedding for row in session.ledger.rows().values() if row.state == LIVE]
        unpaid = len(session.cache.missing(lost))
        but = f"; {unpaid} of their texts are not in it, and are paid for again" if unpaid else ""
        text = f"the collection is gone; the next sync writes its {len(lost)} chunks again, from the cache{but}"
        report.notes.append(text)
        return
    if holder(session.ledger) is not None:
        return
    doubt = find_doubt(session, sentinel)
    if doubt:
        report.notes.append(
            f"{doubt}: the next sync mends that first, so it may write, delete and pay for other documents than these"
        )


def _check_embedder(session: Session, report: Report) -> None:
    """A plan needs no key; the sync that follows would stop at the first text."""
    if report.chunks.embedded:
        try:
            session.embedder.check()
        except ConfigError as error:
            report.notes.append(str(error))
        if session.pipeline.chunking.late:
            report.notes.append("chunking.late: a changed document is embedded anew as a whole, with all its tokens")


def _check_money(embedder: embedders.Embedder, report: Report) -> None:
    """What other runs of the day have spent is not asked: that needs the key."""
    if not isinstance(embedder, embedders.PaidEmbedder):
        return
    limits = {"max_usd": embedder.max_usd, "max_usd_per_day": embedder.max_usd_per_day}
    for name, limit in limits.items():
        if limit is not None and report.cost_usd > limit:
            report.outcome = Outcome.BUDGET
            report.notes.append(
                f"{name} is {limit:g}, and this costs ${report.cost_usd:.6f}: a sync stops before that, keeps what is"
                " paid for, and the next one goes on from there"
            )


def eta_seconds(ledger: Ledger, tokens: int, chunks: int) -> float | None:
    """What so much takes at the pace of the last runs; None where none of them has embedded.

    Pictures have no tokens: where there is nothing else, they are counted.
    """
    reports = [run.report for run in run_summaries(ledger, RUNS_CONSIDERED) if run.report]
    seen = sum(report.tokens.embedded if tokens else report.chunks.embedded for report in reports)
    seconds = sum(report.seconds.embed for report in reports)
    return round((tokens or chunks) * seconds / seen, 1) if seen else None
