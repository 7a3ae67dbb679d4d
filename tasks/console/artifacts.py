"""What a tracked run shows in the Prefect UI: a progress bar and a log while it works, a summary when it is done."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Self

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from tasks.console.progress import LINE_SECONDS
from tasks.console.standing import Standing, Ticks, in_thread
from tasks.sync.report import Report

UPDATE_SECONDS = 3.0  # an update costs 13 ms here and as much on the server
PATIENCE_SECONDS = 15.0


class ArtifactProgress:
    """The server is talked to by threads of their own: one that is slow or away neither stops nor fails the run."""

    def __init__(self, pipeline: str) -> None:
        """Call inside a flow run. Artifacts of one pipeline share a key, so the UI shows their history."""
        self._key = re.sub(r"[^a-z0-9-]+", "-", pipeline.lower())
        self._log = get_run_logger()
        self._bar: Any = None  # the artifact's id
        self._ticks: tuple[Ticks, ...] = ()
        self._standing: Standing | None = None
        self._shown = ""

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Log how much there is; the bar comes with the first update."""
        self._standing = Standing(documents, size_bytes, look)
        self._log.info(self._standing.first_line())
        if documents:
            self._ticks = (Ticks(LINE_SECONDS, self._tell), Ticks(UPDATE_SECONDS, self._show))

    def advance(self, documents: int, /) -> None:
        """Count; the threads show it."""
        if self._standing:
            self._standing.done += documents

    def end(self, summary: str) -> None:
        """Publish what the run came to, in Markdown, as far as the server takes it in time."""
        self._stop()
        in_thread(partial(self._publish, summary)).join(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

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

    def _publish(self, summary: str) -> None:
        if self._ticks:
            self._show()
        with suppress(Exception):
            create_markdown_artifact(summary, key=f"{self._key}-summary")
