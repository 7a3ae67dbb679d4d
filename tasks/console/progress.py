"""Progress on a terminal (a bar) and elsewhere (plain lines), always on stderr."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tasks.console.standing import Standing, Ticks
from tasks.sync.report import Report

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 60.0


class TerminalProgress:
    """A bar where stderr is a terminal; elsewhere a line at first and then one a minute; silence where `quiet`."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        """`label` names the pipeline."""
        self._label = label
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._ticks: Ticks | None = None
        self._standing: Standing | None = None
        self._look: Callable[[], Report] | None = None

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Show the bar, or the first line."""
        if self._quiet or not documents:
            return
        self._standing, self._look = Standing(documents, size_bytes, look), look
        # Not at the top: it takes 50 ms, and most runs have nothing to show.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=documents)
            self._ticks = Ticks(1.0, self._move)
        else:
            self._write(self._standing.first_line())
            self._ticks = Ticks(LINE_SECONDS, self._tell)

    def advance(self, documents: int, /) -> None:
        """Move the bar; a line waits for its minute."""
        if self._standing:
            self._standing.done += documents
            self._move()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticks:
            self._ticks.end()
        if self._bar:
            self._bar.stop()

    def _move(self) -> None:
        if self._bar and self._task is not None and self._standing and self._look:
            chunks = self._look().chunks
            text = f"{self._label}: {chunks.embedded:,} chunks embedded, {chunks.reused:,} reused"
            self._bar.update(self._task, completed=self._standing.done, description=text)

    def _tell(self) -> None:
        if self._standing:
            self._write(self._standing.line())

    def _write(self, text: str) -> None:
        sys.stderr.write(f"{self._label}: {text}\n")
        sys.stderr.flush()
