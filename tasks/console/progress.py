"""Progress on a terminal (a bar) and elsewhere (plain lines), always on stderr."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tasks.sync.report import Report, to_read

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 10.0


class TerminalProgress:
    """A bar where stderr is a terminal, a line every 10 s where it is not, silence where `quiet`."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        """`label` names the pipeline."""
        self._label = label
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._done = self._total = 0
        self._told = time.monotonic()

    def begin(self, documents: int) -> None:
        """Show the bar, or the first line."""
        self._total = documents
        if self._quiet or not documents:
            return
        # Not at the top: it takes 50 ms, and most runs have nothing to show.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=documents)
        else:
            self._line(f"{self._label}: {to_read(documents)}")

    def advance(self, documents: int, report: Report) -> None:
        """Move the bar, or say how far it is."""
        self._done += documents
        text = f"{report.chunks.embedded} chunks embedded, {report.chunks.reused} reused"
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self._done, description=f"{self._label}: {text}")
        elif not self._quiet and time.monotonic() - self._told >= LINE_SECONDS:
            self._line(f"{self._label}: {self._done} of {self._total} documents, {text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
