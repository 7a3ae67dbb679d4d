"""What a tracked run shows in the Prefect UI: its name, a progress bar and a log while it works, then a summary."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Self
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from tasks.console.history import history, savings
from tasks.console.progress import LINE_SECONDS
from tasks.console.standing import Standing, Ticks, in_thread
from tasks.console.states import mark_dead
from tasks.console.summary import summary
from tasks.console.text import report_text
from tasks.errors import HeadraceError
from tasks.session import Session
from tasks.sync.report import Outcome, Report

UPDATE_SECONDS = 3.0  # an update costs 13 ms here and as much on the server
PATIENCE_SECONDS = 15.0


class ArtifactProgress:
    """The server is talked to by threads of their own: one that is slow or away neither stops nor fails the run."""

    def __init__(self, session: Session, *, is_round: bool = False) -> None:
        """Call inside a flow run. Artifacts of one pipeline share a key, so the UI shows their history.

        A round of many says nothing of itself where there is nothing to read, and does not name the run before its end.
        """
        self._session = session
        self._is_round = is_round
        self._run = str(flow_run.id)
        self._name = f"{flow_run.flow_name} {session.pipeline.name}"
        self._key = re.sub(r"[^a-z0-9-]+", "-", session.pipeline.name.lower())
        self._log = get_run_logger()
        self._bar: Any = None  # the artifact's id
        self._ticks: tuple[Ticks, ...] = ()
        self._marking: threading.Thread | None = None
        self._standing: Standing | None = None
        self._shown = ""
        session.ledger.flow_run = self._run

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Log how much there is; the bar comes with the first update."""
        if dead := self._session.ledger.dead_flow_run:
            self._marking = in_thread(partial(mark_dead, dead))
        self._standing = Standing(documents, size_bytes, look)
        if documents or not self._is_round:
            self._log.info(self._standing.first_line())
        if documents:
            if not self._is_round:
                in_thread(partial(self._rename, f"{documents:,} to read"))
            self._ticks = (Ticks(LINE_SECONDS, self._tell), Ticks(UPDATE_SECONDS, self._show))

    def advance(self, documents: int, /) -> None:
        """Count; the threads show it."""
        if self._standing:
            self._standing.done += documents

    def end(self, report: Report) -> None:
        """Publish what the run came to, in log, name and Markdown, as far as the server takes it in time."""
        self._stop()
        self._log.info(report_text(report))
        page = [summary(report, self._session.ledger.quarantined())]
        with suppress(HeadraceError):  # the past is no reason to fail
            page.append(savings(self._session.ledger, report, self._session.embedder.usd_per_million_tokens))
            page.append(history(self._session))
        name = partial(self._rename, _told(report))
        in_thread(partial(self._publish, "\n\n".join(filter(None, page)), name)).join(PATIENCE_SECONDS)

    def publish(self, text: str, kind: str, told: str, below: str = "") -> None:
        """What is no sync came to this `text`, for log and page, and to what is `told` in the run's name.

        `below` is Markdown, for the page alone.
        """
        self._stop()
        self._log.info(text)
        name = partial(self._rename, told)
        in_thread(partial(self._publish, f"```\n{text}\n```\n\n{below}", name, kind)).join(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        if self._marking:
            self._marking.join(PATIENCE_SECONDS)

    def _stop(self) -> None:
        for ticks in self._ticks:
            ticks.end()

    def _tell(self) -> None:
        if self._standing:
            self._log.info(self._standing.line())

    def _show(self) -> None:
        if self._standing is None or (text := self._standing.line()) == self._shown:
            return
        percent = self._standing.percent
        with suppress(Exception):
            if self._bar is None:
                self._bar = create_progress_artifact(percent, key=f"{self._key}-progress", description=text)
            else:
                update_progress_artifact(self._bar, progress=percent, description=text)
            self._shown = text

    def _rename(self, what: str) -> None:
        with suppress(Exception), get_client(sync_client=True) as client:
            client.set_flow_run_name(UUID(self._run), f"{self._name}: {what}")

    def _publish(self, page: str, rename: Callable[[], None], kind: str = "summary") -> None:
        if self._ticks:
            self._show()
        rename()
        with suppress(Exception):
            create_markdown_artifact(page, key=f"{self._key}-{kind}")


def _told(report: Report) -> str:
    """`3 added, 12 changed`: what a list of runs should say of each; and what stopped it, if anything did."""
    documents = report.documents
    counts = {name: getattr(documents, name) for name in ("added", "changed", "deleted", "withheld", "quarantined")}
    told = [f"generation {report.generation} is live"] if report.switched else []
    told += [f"{count:,} {name}" for name, count in counts.items() if count]
    if report.outcome in (Outcome.BUDGET, Outcome.FAILED, Outcome.INTERRUPTED):
        told.append("money limit" if report.outcome is Outcome.BUDGET else report.outcome.value)
    return ", ".join(told) or "no change"
