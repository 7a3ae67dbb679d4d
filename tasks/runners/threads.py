"""How the five stages are run: here as plain calls in a few threads, in `flows.sync` as Prefect tasks."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Protocol, TypeVar

from tasks.chunk.window import chunk_window
from tasks.dedupe.window import Planner
from tasks.embed.base import Fence
from tasks.embed.window import embed_window
from tasks.errors import FencedError
from tasks.load.window import load_window
from tasks.retry import with_retries
from tasks.runners.pace import MOST_AT_FIRST
from tasks.session import Session
from tasks.upsert.window import write_window
from tasks.windows import Chunked, Embedded, Planned, Refs, Written

Result = TypeVar("Result")


class Pending(Protocol):
    """A window on its way."""

    def result(self) -> Written:
        """Wait for it; raises what stopped it."""
        ...


class Stages(Protocol):
    """load -> chunk -> dedupe -> embed -> upsert, for one window after the other."""

    @property
    def most_at_first(self) -> int:
        """Chunks in one window, until many are done."""
        ...

    def start(self, session: Session, planner: Planner, window: Refs) -> Pending:
        """Begin with the window and return at once, or when it is done."""
        ...

    def close(self) -> None:
        """Wait for what is running; windows that did not begin are dropped."""
        ...


class DirectStages:
    """Three lanes: read and chunk; dedupe and embed; write. The last takes two windows at a time, the others one.

    While one window is embedded, the next is read and those before are written: one of them is recorded in the ledger
    while the store takes the other. Dedupe shares the lane of embed, so it sees what the window before has just paid
    for. Once it has found something to write, the store is opened, while the model is still busy.
    """

    most_at_first = MOST_AT_FIRST

    def __init__(self) -> None:
        self._read, self._embed = ThreadPoolExecutor(1, "read"), ThreadPoolExecutor(1, "embed")
        self._write = ThreadPoolExecutor(2, "write")
        self._broken = Event()

    def start(self, session: Session, planner: Planner, window: Refs) -> Pending:
        """Queue the window on all three lanes."""
        read = self._read.submit(_retried, read_window, session, planner, window, self._pause)
        planned = self._embed.submit(self._plan, planner, read)
        paid = self._embed.submit(self._pay, session, planned)
        return self._write.submit(_write, session, planned, paid)

    def _pause(self, seconds: float) -> None:
        if self._broken.wait(seconds):
            raise CancelledError

    def _plan(self, planner: Planner, read: "Future[Chunked]") -> Planned:
        with self._unbroken():
            return _retried(planner.plan_window, read.result())

    def _pay(self, session: Session, planned: "Future[Planned]") -> Embedded:
        with self._unbroken():
            fence = _Fence(session.ledger, self._broken)
            return _retried(embed_window, session.embedder, session.cache, fence, planned.result())

    @contextmanager
    def _unbroken(self) -> Generator[None]:
        """Nothing more is paid after a failure: what cannot be kept would be paid again."""
        if self._broken.is_set():
            raise CancelledError
        try:
            yield
        except BaseException:
            self._broken.set()
            raise

    def close(self) -> None:
        """Wait for what is running, the model up to its next batch; drop the rest."""
        self._broken.set()
        for lane in (self._read, self._embed, self._write):
            lane.shutdown(wait=True, cancel_futures=True)


class _Fence:
    """For a model that is busy for minutes: whoever interrupts a run need not wait for the window."""

    def __init__(self, ledger: Fence, broken: Event) -> None:
        self._ledger = ledger
        self._broken = broken

    def check(self) -> None:
        """What is paid by then is kept, and what is left is for the next run."""
        if self._broken.is_set():
            raise FencedError("the run ends early, nothing more is paid")
        self._ledger.check()


class InlineStages:
    """Everything in the caller's thread, one window after the other."""

    most_at_first = MOST_AT_FIRST

    def start(self, session: Session, planner: Planner, window: Refs) -> Pending:
        """Return when the window is written."""
        done: Future[Written] = Future()
        planned = planner.plan_window(_retried(read_window, session, planner, window))
        embedded = embed_window(session.embedder, session.cache, session.ledger, planned)
        done.set_result(write_window(session.store, session.ledger, session.cache, embedded))
        return done

    def close(self) -> None:
        """Nothing is running."""


def read_window(
    session: Session, planner: Planner, window: Refs, pause: Callable[[float], None] = time.sleep
) -> Chunked:
    """Load and chunk, without retries: for a run that writes nothing."""
    return chunk_window(session.chunker, load_window(session.sources, planner, window, pause))


def _write(session: Session, planned: "Future[Planned]", paid: "Future[Embedded]") -> Written:
    points = sum(len(plan.put) for plan in planned.result().plans if not plan.loses_content)
    if points:
        _retried(session.store.prepare, points)
    return _retried(write_window, session.store, session.ledger, session.cache, paid.result())


def _retried(call: Callable[..., Result], *arguments: object) -> Result:
    return with_retries(partial(call, *arguments))
