"""Makes a collection equal to its sources, as a tracked Prefect flow.

    python -m flows.sync config/examples/quickstart.yaml

The chain, for one window of documents after the other, four of them on their way at a time:

    list -> diff -> ( load -> chunk -> dedupe -> embed -> upsert ) -> guarded deletions -> report

Each stage is a task of its own name; `tasks.sync.run` says what happens round it, the same for a run without Prefect.
"""

import sys
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Failed

from config.options import SyncOptions
from config.read import read_pipeline
from flows.termination import told_to_prefect
from tasks.console.artifacts import ArtifactProgress
from tasks.console.summary import summary
from tasks.errors import HeadraceError
from tasks.runners.prefect import PrefectRunner, tracked_flow
from tasks.session import Session
from tasks.sync.rebuild import sync_or_rebuild
from tasks.sync.report import IncompleteRunError, Report
from tasks.sync.run import Run


@tracked_flow("sync")
def sync(config: str, options: SyncOptions = SyncOptions()) -> dict[str, Any] | State[Any]:  # noqa: B008 - frozen
    """Make the collection equal to the sources.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: What this one run may do beside its configuration.

    Returns:
        The report of `headrace sync --json`. A run that is not wholly done fails: never green over a wrong index.

    """
    pipeline = read_pipeline(Path(config))
    with told_to_prefect():
        report = sync_or_rebuild(pipeline, options, _sync)
    if report.exit_code:
        error = IncompleteRunError(report)
        return Failed(message=str(error), data=error)  # as if raised, without a traceback in the log
    return report.as_json()


def _sync(session: Session, options: SyncOptions) -> Report:
    with ArtifactProgress(session.pipeline.name) as progress:
        run = Run(session, options, PrefectRunner(), progress)
        try:
            report = run.run()
        except HeadraceError:
            if run.report.run:  # it had begun, so there is something to tell
                progress.end(summary(run.report))
            raise
        progress.end(summary(report, session.ledger.quarantined()))
    return report


if __name__ == "__main__":
    sync(sys.argv[1])
