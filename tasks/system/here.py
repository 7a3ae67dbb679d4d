"""The workers of this machine."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from tasks.system.child_process import ChildProcess
from tasks.system.worker import StartWorkers

MOST_PROCESSES = 4  # more than one other thread of Python can feed, and use the answers of


def start_processes(make: Callable[..., object], *arguments: object) -> list[ChildProcess]:
    """Child processes for half of the cores: the other half has a model to run."""
    count = max(1, min(MOST_PROCESSES, (os.cpu_count() or 1) // 2))
    return [ChildProcess(make, *arguments) for _ in range(count)]


class LastingProcess:
    """A child process in whose place another one is started once it has died."""

    def __init__(self, make: Callable[..., object], *arguments: object) -> None:
        """`make(*arguments)` runs in each of them."""
        self._start = partial(ChildProcess, make, *arguments)
        self._process = self._start()
        self._turn = threading.Lock()

    def call(self, method: str, *arguments: object) -> Any:
        """What the method returns or raises there; WorkerDiedError when the process ends instead."""
        return self.ask(method, *arguments).result()

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        """Begin the same without waiting for it."""
        with self._turn:
            if self._process.has_ended:
                self._process = self._start()
            return self._process.ask(method, *arguments)

    def close(self) -> None:
        """End the process once it has answered what it was asked."""
        self._process.close()


class Here:
    """A run on this machine alone: the model is held by its own process, unless shards are worked off side by side."""

    embed = None

    def __init__(self, shards_at_once: int = 1) -> None:
        """Nothing is started yet."""
        self.parse = start_processes
        self._shards_at_once = shards_at_once

    @property
    def shards(self) -> StartWorkers | None:
        """So many processes."""
        if self._shards_at_once == 1:
            return None
        return lambda make, *arguments: [LastingProcess(make, *arguments) for _ in range(self._shards_at_once)]

    def close(self) -> None:
        """Whoever started processes ends them."""
