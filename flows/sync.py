"""Makes a collection equal to its sources, as a tracked Prefect flow.

    python -m flows.sync config/examples/quickstart.yaml

The chain, for one window of documents after the other, four of them on their way at a time:

    list -> diff -> ( load -> chunk -> dedupe -> embed -> upsert ) -> guarded deletions -> report

Each stage is a task of its own name; `tasks.sync.run` says what happens round it, the same for a run without Prefect.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from config.options import SyncOptions
from config.pipeline import Pipeline
from config.read import read_pipeline
from flows.tracked import tracked_flow
from tasks.console.artifacts import ArtifactProgress
from tasks.console.events import announce_sync
from tasks.console.states import state_of
from tasks.console.text import plan_text
from tasks.errors import HeadraceError
from tasks.generations import as_synced
from tasks.runners.prefect import PrefectRunner
from tasks.session import Session, open_session
from tasks.sync.plan import plan_sync
from tasks.sync.rebuild import sync_or_rebuild
from tasks.sync.report import Report
from tasks.sync.run import Run


@tracked_flow("sync")
def sync(config: str, options: SyncOptions = SyncOptions()) -> dict[str, Any] | State[Any]:  # noqa: B008 - frozen
    """Make the collection equal to the sources.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: What this one run may do beside its configuration.

    Returns:
        The report of `headrace sync --json`. A run that is not wholly done fails: never green over a wrong index. One
        that finds another at work is skipped.

    """
    return followed(config, options)


def followed(config: str, options: SyncOptions) -> dict[str, Any] | State[Any]:
    """What `options` ask for, as the final state of a flow run."""
    pipeline = read_pipeline(Path(config))
    if options.dry_run:
        return _planned(pipeline, options)
    report = sync_or_rebuild(pipeline, options, synced)
    if options.rebuild:  # its syncs have told of themselves
        with suppress(HeadraceError), open_session(pipeline, read_only=True) as session:
            ArtifactProgress(session).end(report)
    announce_sync(report, pipeline.quarantine_alert)
    return state_of(report)


def _planned(pipeline: Pipeline, options: SyncOptions) -> dict[str, Any]:
    with (
        open_session(pipeline, choose=as_synced, read_only=True) as session,
        ArtifactProgress(session) as progress,
    ):
        planned = plan_sync(session, options, progress)
        progress.publish(plan_text(planned), "plan", "plan")
    return planned.as_json()


def synced(session: Session, options: SyncOptions) -> Report:
    """One run, its stages as task runs, its report in the log and as an artifact; call inside a flow run."""
    with ArtifactProgress(session) as progress:
        run = Run(session, options, PrefectRunner(), progress)
        try:
            report = run.run()
        except HeadraceError:
            if run.report.run:  # it had begun, so there is something to tell
                progress.end(run.report)
            raise
        progress.end(report)
    return report


if __name__ == "__main__":
    sync(sys.argv[1])
