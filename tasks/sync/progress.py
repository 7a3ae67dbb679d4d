"""How far a run is, for whoever watches it, and in the ledger for whoever asks."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tasks.errors import ServiceError, TransientError
from tasks.ledger.ledger import Ledger
from tasks.ledger.runs import advance_run
from tasks.sync.report import Report

RECORD_SECONDS = 3.0  # between two records: each waits for a disk


class Progress(Protocol):
    """Shows a person how far the run is."""

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """So many documents will be read, of so many bytes as far as the sources tell.

        `look` returns what the run has done so far, at any time and to any thread.
        """
        ...

    def advance(self, documents: int, /) -> None:
        """So many more are done."""
        ...


class RecordedProgress:
    """Keeps the run's row in the ledger up to date besides showing it: `status` is asked from other processes."""

    def __init__(self, ledger: Ledger, run: str, shown: Progress) -> None:
        """`run` is the id of a run that was started."""
        self._ledger = ledger
        self._run = run
        self._shown = shown
        self._look: Callable[[], Report] | None = None
        self._total = self._done = 0
        self._recorded = -RECORD_SECONDS

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Record how much there is to do; a run that has nothing to read is over before anybody asks."""
        self._total = documents
        self._look = look
        self._shown.begin(documents, size_bytes, look)
        if documents:
            self._record()

    def advance(self, documents: int, /) -> None:
        """Record how much is done, at most once in 3 s."""
        self._done += documents
        self._shown.advance(documents)
        if time.monotonic() - self._recorded >= RECORD_SECONDS:
            self._record()

    def _record(self) -> None:
        self._recorded = time.monotonic()
        chunks = self._look().chunks.embedded if self._look else 0
        with suppress(TransientError, ServiceError):  # the run's own writes tell what is wrong with the ledger
            advance_run(self._ledger, self._run, self._done, self._total, chunks)
