"""Keeps a collection in step with its sources, as one Prefect flow run that goes on until somebody cancels it.

python -m flows.watch config/examples/quickstart.yaml
"""

import sys
from pathlib import Path

from prefect.logging import get_run_logger

from config.options import SyncOptions, WatchOptions
from flows.tracked import pipeline_name, tracked_flow
from tasks.console.artifacts import ArtifactProgress
from tasks.console.events import announce, announce_sync
from tasks.console.news import News
from tasks.errors import kept_report
from tasks.runners.threads import ThreadRunner
from tasks.session import Session
from tasks.sync.report import Outcome, Report
from tasks.sync.run import run_sync
from tasks.sync.watch import Trouble
from tasks.sync.watch import watch as keep_watching


@tracked_flow("watch", about="sync")
def watch(config: str, options: WatchOptions = WatchOptions()) -> None:  # noqa: B008 - frozen
    """Keep the collection equal to the sources, until this run is cancelled.

    Each round is an ordinary sync, without task runs: an endless run would gather them for ever. What it did is in this
    run's log, page and name, where that is news, and in the same events.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: How often to list what cannot be watched.

    """
    rounds = _Rounds(config)
    keep_watching(Path(config), options.every_seconds, rounds.sync, rounds.tell)


class _Rounds:
    """`watch` asks for one after the other; `tell` comes while the session of the last one is still open."""

    def __init__(self, config: str) -> None:
        self._config = config
        self._news = News()
        self._shown: ArtifactProgress | None = None
        self._most_quarantined = 0

    def sync(self, session: Session, options: SyncOptions) -> Report:
        self._most_quarantined = session.pipeline.quarantine_alert
        with ArtifactProgress(session, is_round=True) as self._shown:
            return run_sync(session, options, ThreadRunner(), self._shown)

    def tell(self, told: Report | Trouble, /, *, is_whole: bool) -> None:
        is_news = self._news.is_in(told, is_whole=is_whole)
        if isinstance(told, Trouble):
            if is_news:
                get_run_logger().warning("%s; tried again in %g s", told.error, told.seconds)
                announce("sync.failed", pipeline_name(self._config), kept_report(told.error), str(told.error))
            return
        if is_news and self._shown:
            self._shown.end(told)
        if is_news or (is_whole and told.outcome is Outcome.DONE):
            announce_sync(told, self._most_quarantined)


if __name__ == "__main__":
    watch(sys.argv[1])
