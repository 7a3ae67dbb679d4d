"""Syncs an index that is made to be measured: whole, or not at all."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.evaluate.beside import Sync
    from tasks.session import Session


def whole_sync(*, quiet: bool) -> "Sync":
    """One run without Prefect; BudgetError or ConfigError where it leaves something undone."""
    from config.options import SyncOptions
    from flows.commands.sync import shown_sync
    from tasks.errors import BudgetError, ConfigError
    from tasks.sync.report import Outcome

    run = shown_sync(quiet=quiet)

    def sync(session: "Session") -> None:
        report = run(session, SyncOptions())
        notes, model = "; ".join(report.notes), session.embedder.model
        if report.outcome is Outcome.BUDGET:
            raise BudgetError(f"not every document was embedded with {model!r}, so it is not measured: {notes}")
        if report.exit_code:
            raise ConfigError(f"not every document could be embedded with {model!r}: {notes}")

    return sync
