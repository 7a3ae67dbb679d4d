"""The stages as plain calls in a few threads."""

from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import TypeVar

from tasks.errors import FencedError
from tasks.retry import with_retries
from tasks.runners.base import Pending
from tasks.runners.chain import Chain
from tasks.runners.pace import MOST_AT_FIRST
from tasks.runners.shards import MOST_IN_FLIGHT, ShardChain
from tasks.windows import Chunked, Deduped, Embedded, Loaded, Refs, Written

Result = TypeVar("Result")


class ThreadRunner:
    """Three lanes: read and chunk; dedupe and embed; write. The last takes two windows at a time, the others one.

    While one window is embedded, the next is read and those before are written: one of them is recorded in the ledger
    while the store takes the other. Dedupe shares the lane of embed, so it sees what the window before has just paid
    for. Once it has found something to write, the store is opened, while the model is still busy.
    """

    most_at_first = MOST_AT_FIRST

    def __init__(self) -> None:
        self._read, self._embed = ThreadPoolExecutor(1, "read"), ThreadPoolExecutor(1, "embed")
        self._write = ThreadPoolExecutor(2, "write")
        self._handed = ThreadPoolExecutor(MOST_IN_FLIGHT, "shards")
        self._broken = Event()

    def start(self, chain: Chain, window: Refs) -> Pending:
        """Queue the window on all three lanes."""
        chunked = self._read.submit(_retried, chain.read, window, self._pause)
        deduped = self._embed.submit(self._plan, chain, chunked)
        embedded = self._embed.submit(self._pay, chain, deduped)
        return self._write.submit(_write, chain, deduped, embedded)

    def hand_over(self, chain: ShardChain, window: Refs) -> Pending:
        """Queue the window to be read; a thread waits for its worker."""
        loaded = self._read.submit(_retried, chain.load, window, self._pause)
        return self._handed.submit(self._finish, chain, loaded, window)

    def _finish(self, chain: ShardChain, loaded: "Future[Loaded]", window: Refs) -> Written:
        with self._unbroken():
            return chain.finish(loaded.result(), window)

    def close(self) -> None:
        """Wait for what is running, the model up to its next batch; drop the rest."""
        self._broken.set()
        for lane in (self._read, self._embed, self._write, self._handed):
            lane.shutdown(wait=True, cancel_futures=True)

    def _pause(self, seconds: float) -> None:
        if self._broken.wait(seconds):
            raise CancelledError

    def _plan(self, chain: Chain, chunked: "Future[Chunked]") -> Deduped:
        with self._unbroken():
            return _retried(chain.dedupe, chunked.result())

    def _pay(self, chain: Chain, deduped: "Future[Deduped]") -> Embedded:
        with self._unbroken():
            return _retried(chain.embed, deduped.result(), _Fence(chain, self._broken))

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


class _Fence:
    """Ends a model that is busy for minutes: whoever interrupts a run need not wait for the window."""

    def __init__(self, chain: Chain, broken: Event) -> None:
        self._chain = chain
        self._broken = broken

    def check(self) -> None:
        """What is paid by then is kept, and what is left is for the next run."""
        if self._broken.is_set():
            raise FencedError("the run ends early, nothing more is paid")
        self._chain.check()


def _write(chain: Chain, deduped: "Future[Deduped]", embedded: "Future[Embedded]") -> Written:
    _retried(chain.announce, deduped.result())
    return _retried(chain.upsert, embedded.result())


def _retried(call: Callable[..., Result], *arguments: object) -> Result:
    return with_retries(partial(call, *arguments))
