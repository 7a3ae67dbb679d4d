"""Is the collection what the ledger says? And if not: mend it."""

from dataclasses import dataclass
from typing import Any

from config.options import SyncOptions, VerifyOptions
from tasks.errors import ConfigError
from tasks.ledger.lease import leased, undisturbed
from tasks.ledger.marks import epoch_marked
from tasks.runners.base import Runner
from tasks.session import Session, check_space
from tasks.sync.audit import Findings, audit, repair
from tasks.sync.owners import refusal, require_no_namesake, stranger
from tasks.sync.progress import Progress
from tasks.sync.report import Report
from tasks.sync.run import run_sync
from tasks.sync.settle import settle


@dataclass(frozen=True, slots=True)
class Verification:
    """`findings` before anything was mended; `left` and `sync` only where something was.

    `settled` texts were embedded again, since neither store nor cache could prove their vector. `cost_usd` is of all.
    """

    pipeline: str
    findings: Findings
    repaired: int = 0
    settled: int = 0
    cost_usd: float = 0.0
    left: Findings | None = None
    sync: Report | None = None

    @property
    def ok(self) -> bool:
        """Whether all is well now."""
        return (self.left or self.findings).ok and self.exit_code in (0, None)

    @property
    def exit_code(self) -> int | None:
        """The exit code of the sync that repaired; None where there was none."""
        return self.sync.exit_code if self.sync else None

    def as_json(self) -> dict[str, Any]:
        """The shape that `verify --json` promises."""
        shape = {"pipeline": self.pipeline, **self.findings.as_json(), "ok": self.ok, "repaired": self.repaired}
        shape |= {"settled": self.settled, "cost_usd": round(self.cost_usd, 9)}
        if self.left is not None and self.sync is not None:
            shape["left"] = self.left.as_json()
            shape["sync"] = self.sync.as_json()
        return shape


def verify(session: Session, options: VerifyOptions, runner: Runner, progress: Progress) -> Verification:
    """Hold the lease while reading, so that no run changes what is being compared.

    Repair marks what is wrong in the ledger; the sync that follows writes it again, from the cache where its check sum
    proves the vector. Where nothing proves one, the model is asked first.
    """
    findings = _audit(session, options)
    if findings.ok or not options.repair:
        return Verification(session.pipeline.name, findings)
    spent_usd = session.embedder.spent_usd
    with leased(session.ledger, wait=options.wait):
        session.store.ensure(session.embedder.space.dimension)
        settled = settle(session, findings)
        repaired = repair(session, findings, settled.wrong)
    report = run_sync(session, SyncOptions(wait=options.wait), runner, progress)
    return Verification(
        session.pipeline.name,
        findings,
        repaired,
        settled.texts,
        session.embedder.spent_usd - spent_usd,
        _audit(session, options),
        report,
    )


def _audit(session: Session, options: VerifyOptions) -> Findings:
    ledger = session.ledger
    with undisturbed(ledger) if ledger.database.is_read_only else leased(ledger, wait=options.wait):
        if not epoch_marked(session.ledger):
            raise ConfigError(f"{session.pipeline.name!r} was never synced, so there is nothing to verify; run sync")
        require_no_namesake(session)
        sentinel = session.store.sentinel()
        check_space(session, sentinel)
        if sentinel is not None and (owner := stranger(session, sentinel)):
            raise refusal(session, sentinel, owner)
        return audit(session, options.sample)
