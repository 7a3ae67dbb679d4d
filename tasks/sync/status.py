"""What a pipeline is like, from its ledger."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from config.labels import EVERYONE, GROUP, READERS
from tasks.embed.models import retirement_note
from tasks.evaluate.history import Kept, history
from tasks.freshness import Freshness, freshness
from tasks.ledger.copies import known_copies
from tasks.ledger.generations import LIVE
from tasks.ledger.lease import holder
from tasks.ledger.ledger import Counts, Ledger
from tasks.ledger.quarantine import QuarantinedDocument
from tasks.ledger.runs import RunProgress, current_run, last_runs
from tasks.records import Sentinel
from tasks.session import Session
from tasks.sync.names import Copy
from tasks.sync.report import Outcome, Report, report_from
from tasks.upsert.marks import MARK_PLACES
from tasks.windows import Remark

RUNS_SHOWN = 5
# What another reader has to ask for as well: one of these is in the field.
_READERS = {"field": f"metadata.{READERS}", "any_of": [EVERYONE, "USER", f"{GROUP}NAME"]}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One of the last runs; `outcome` and `report` are None while it is going on, and where it was killed."""

    run: str
    started_at: float
    finished_at: float | None
    outcome: Outcome | None
    report: Report | None

    def as_json(self) -> dict[str, Any]:
        """One of `runs` in `status --json`."""
        return {
            "run": self.run,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "outcome": self.outcome and self.outcome.value,
            "report": self.report and self.report.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Generation:
    """One physical collection and the vector space of what it holds."""

    generation: int
    live: bool
    space: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a pipeline; `running` says in words who works on it now, None where nobody does.

    `progress` is None as well where what runs is no sync.
    """

    pipeline: str
    store: str
    collection: str
    generations: Sequence[Generation]
    model: str
    dimension: int
    space: str
    counts: Counts
    running: str | None
    progress: RunProgress | None
    runs: Sequence[RunSummary]
    quarantine: Sequence[QuarantinedDocument]
    partial: Sequence[Remark]
    near_duplicates: Sequence[Copy]
    quality: Kept | None
    notes: Sequence[str]
    freshness: Freshness

    def as_json(self) -> dict[str, Any]:
        """The shape that `status --json` promises."""
        return {
            "pipeline": self.pipeline,
            "store": self.store,
            "collection": self.collection,
            "generations": [asdict(generation) for generation in self.generations],
            "model": self.model,
            "dimension": self.dimension,
            "space": self.space,
            "counts": asdict(self.counts),
            "running": self.running,
            "progress": self.progress and asdict(self.progress),
            "runs": [run.as_json() for run in self.runs],
            "quarantine": [asdict(document) for document in self.quarantine],
            "partial": [{"document": one.document, "remark": one.text} for one in self.partial],
            "near_duplicates": [copy._asdict() for copy in self.near_duplicates],
            "quality": self.quality and self.quality.as_json(),
            "notes": [*self.notes],
            "freshness": asdict(self.freshness),
        }


def describe(session: Session) -> Status:
    """Asks the ledger, and the store for its mark alone, so it answers while a run goes on."""
    pipeline, space = session.pipeline, session.space
    sentinel = session.store.sentinel()
    running = holder(session.ledger)
    return Status(
        pipeline=pipeline.name,
        store=pipeline.store.kind,
        collection=pipeline.collection,
        generations=_generations(session, sentinel),
        model=session.embedder.model,
        dimension=space.dimension,
        space=space.fingerprint,
        counts=session.ledger.counts(),
        running=running,
        progress=current_run(session.ledger) if running else None,
        runs=run_summaries(session.ledger, RUNS_SHOWN),
        quarantine=session.ledger.quarantined(),
        partial=session.ledger.remarks(),
        near_duplicates=[Copy(*pair) for pair in known_copies(session.ledger).items()],
        quality=next(iter(history(session.registry.database, 1)), None),
        notes=[*filter(None, [session.note, retirement_note(session.embedder.model)])],
        freshness=freshness(sentinel, session.clock()),
    )


def whereabouts(session: Session) -> dict[str, Any]:
    """The shape that `where --json` promises: how any other reader finds the live generation, and asks it."""
    pipeline, space = session.pipeline, session.space
    place = session.store.place(pipeline.live_name)
    return {
        "pipeline": pipeline.name,
        "kind": pipeline.store.kind,
        "address": place.address,
        "collection": place.collection,
        "alias": pipeline.live_name if place.published == pipeline.collection else None,
        "generation": pipeline.generation,
        "model": session.embedder.model,
        "dimension": space.dimension,
        "query_prefix": session.embedder.query_prefix,
        "space": space.fingerprint,
        "score": "cosine",
        **({"readers": _READERS} if pipeline.has_readers else {}),
        "mark": MARK_PLACES[pipeline.store.kind],
    }


def _generations(session: Session, sentinel: Sentinel | None) -> list[Generation]:
    rows = [Generation(one.number, one.state == LIVE, one.space) for one in session.registry.generations()]
    return rows or ([Generation(1, live=True, space=sentinel.space)] if sentinel else [])


def run_summaries(ledger: Ledger, limit: int) -> list[RunSummary]:
    """The newest runs, newest first."""
    return [
        RunSummary(
            run=run.id,
            started_at=run.started_at,
            finished_at=run.finished_at,
            outcome=Outcome(run.outcome) if run.outcome else None,
            report=report_from(run.report) if run.report else None,
        )
        for run in last_runs(ledger, limit)
    ]
