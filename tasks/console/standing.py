"""How far a run is, in words; and a clock that says so although nothing ends for minutes."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context

from tasks.durations import format_duration
from tasks.sync.report import Report

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Standing:
    """Documents count when their window is done, chunks as they are embedded."""

    def __init__(self, documents: int, size_bytes: int, look: Callable[[], Report]) -> None:
        """The counts with which a run begins; the time that is left is reckoned from here on."""
        self.documents = documents
        self.done = 0
        self._size_bytes = size_bytes
        self._look = look
        self._started = time.monotonic()

    @property
    def percent(self) -> float:
        """The share of the documents that is done."""
        return 100.0 * self.done / self.documents if self.documents else 100.0

    def first_line(self) -> str:
        """How much there is to do."""
        if not self.documents:
            return "no document to read: nothing has changed since the last run"
        size = f", {_size(self._size_bytes)}" if self._size_bytes else ""
        return f"{self.documents:,} {'document' if self.documents == 1 else 'documents'} to read{size}"

    def line(self) -> str:
        """What is done by now, what it cost, and how long the rest takes, where that is known."""
        report = self._look()
        parts = [
            f"{self.done:,} of {self.documents:,} documents",
            f"{report.chunks.embedded:,} chunks embedded",
            f"{report.tokens.embedded:,} tokens",
        ]
        if report.cost_usd:
            parts.append(f"${report.cost_usd:.4f}")
        if 0 < self.done < self.documents:
            pace = self.done / max(time.monotonic() - self._started, 0.001)
            parts.append(f"{pace:.{0 if pace >= 10 else 1}f} documents/s")
            parts.append(f"about {format_duration((self.documents - self.done) / pace)} left")
        return ", ".join(parts)


class Ticks:
    """Calls again and again, from a thread of its own that knows the caller's context, until it is ended."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        """The first call comes after so many `seconds`."""
        self._ended = threading.Event()
        self._thread = in_thread(lambda: self._run(seconds, call))

    def end(self) -> None:
        """Wait a second for a call that is going on: it may hang in a server that does not answer."""
        self._ended.set()
        self._thread.join(1.0)

    def _run(self, seconds: float, call: Callable[[], None]) -> None:
        while not self._ended.wait(seconds):
            call()


def in_thread(call: Callable[[], None]) -> threading.Thread:
    """Started, with the caller's context; it does not keep the process from ending."""
    thread = threading.Thread(target=copy_context().run, args=(call,), daemon=True)
    thread.start()
    return thread


def _size(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
