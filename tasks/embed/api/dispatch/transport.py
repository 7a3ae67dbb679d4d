"""Requests in threads. Everything but the waiting for an answer happens in the thread that calls `wait`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from queue import Empty, SimpleQueue
from typing import Literal, Protocol

from tasks.embed.api.dispatch.account import Reservation
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer
from tasks.embed.api.dispatch.requests import Request

Side = Literal["document", "query"]  # what the texts are: models embed the two differently
Call = Callable[[list[str], Side, float], Answer]  # the last: the seconds that it may take


@dataclass(frozen=True)
class InFlight:
    """A request on its way since `sent_at`, for `seconds` at most; `number` counts them."""

    request: Request
    reservation: Reservation
    number: int
    side: Side
    sent_at: float
    seconds: float
    landed_at: float = 0.0


Completed = tuple[InFlight, Answer | BaseException]


class Transport(Protocol):
    """Where requests fly; a simulation puts another sky here."""

    def send(self, in_flight: InFlight, texts: list[str]) -> None:
        """Return at once."""
        ...

    def wait(self, seconds: float | None) -> Completed | None:
        """The next that completed, or None after so long; None: as long as it takes."""
        ...

    def close(self) -> None:
        """Nothing is in_flight any more."""
        ...


class ThreadTransport:
    """One thread for each request on its way."""

    def __init__(self, call: Call, threads: int, clock: Clock) -> None:
        """`call` sends the texts and waits for the answer."""
        self._call = call
        self._threads = threads
        self._clock = clock
        self._completed: SimpleQueue[Completed] = SimpleQueue()
        self._flying = 0

    def send(self, in_flight: InFlight, texts: list[str]) -> None:
        """The answer, or what was raised in its place, comes out of `wait`."""
        self._flying += 1
        self._pool.submit(self._fly, in_flight, texts)

    def wait(self, seconds: float | None) -> Completed | None:
        """Wait for an answer; with nothing on its way this is a sleep."""
        if not self._flying:
            self._clock.sleep(seconds or 0.0)
            return None
        try:
            completed = self._completed.get(timeout=seconds)
        except Empty:
            return None
        self._flying -= 1
        return completed

    def close(self) -> None:
        """End the threads; they start again when needed."""
        if "_pool" in self.__dict__:
            self.__dict__.pop("_pool").shutdown()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, "request")

    def _fly(self, in_flight: InFlight, texts: list[str]) -> None:
        outcome: Answer | BaseException
        try:
            outcome = self._call(texts, in_flight.side, in_flight.seconds)
        except BaseException as error:
            outcome = error
        # Now, for whoever waits may come late, and would blame the server for it.
        self._completed.put((replace(in_flight, landed_at=self._clock.now()), outcome))
