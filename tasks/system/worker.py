"""An object that lives elsewhere, as whoever calls it sees it: in a child process, or on another machine."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol


class WorkerDiedError(Exception):
    """The worker ended before it had answered; the message says how."""


class Worker(Protocol):
    """One object of ours, made there, for several threads; one that works at several calls answers in any order."""

    def call(self, method: str, *arguments: object) -> Any:
        """What the method returns or raises there; WorkerDiedError when the worker ends instead."""
        ...

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        """Begin the same without waiting for it. Where the object could not be made, every call raises why."""
        ...

    def close(self) -> None:
        """End the worker once it has answered what it was asked; nothing happens where it has ended."""
        ...


class StartWorkers(Protocol):
    """Starts workers of one kind, such as child processes, as many as there is room for."""

    def __call__(self, make: Callable[..., object], *arguments: object) -> Sequence[Worker]:
        """The workers, at least one, in each of which `make(*arguments)` runs; both must be picklable."""
        ...


class Workplace(Protocol):
    """Where a run's workers are; nothing starts before it is asked for."""

    @property
    def embed(self) -> StartWorkers | None:
        """Starts those that hold a model; None where it is held by this process, and its devices' own."""
        ...

    @property
    def parse(self) -> StartWorkers:
        """Starts those that cut documents."""
        ...

    @property
    def shards(self) -> StartWorkers | None:
        """Starts those that write shards side by side; None where they are worked off in turn. What dies comes back."""
        ...

    def close(self) -> None:
        """End all of them."""
        ...
