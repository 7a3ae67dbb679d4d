"""A runtime whose workers are elsewhere: here in threads of the test, where they can die."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tasks.embed.local.runtime import processes
from tasks.embed.local.runtime.processes import ElsewhereRuntime
from tasks.records import Vectors
from tasks.system.worker import Worker, WorkerDiedError

SECONDS = 60.0


class Threads:
    """Answers each call in a thread of its own, and dies in those that `deaths` counts."""

    def __init__(self, instance: Any, deaths: int = 0) -> None:
        self._instance, self._deaths = instance, deaths
        self._pool, self._lock = ThreadPoolExecutor(16), threading.Lock()

    def call(self, method: str, *arguments: object) -> Any:
        return self.ask(method, *arguments).result()

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        return self._pool.submit(self._answer, method, *arguments)

    def _answer(self, method: str, *arguments: object) -> Any:
        with self._lock:
            dies = self._deaths > 0
            self._deaths -= dies
        if dies:
            raise WorkerDiedError("its node is gone")
        return getattr(self._instance, method)(*arguments)

    def close(self) -> None:
        self._pool.shutdown(wait=False)


class Model:
    """Computes nothing before as many batches are there as `together` waits for."""

    def __init__(self, lanes: int, together: threading.Barrier | None = None) -> None:
        self._lanes, self._together = lanes, together

    def described(self) -> tuple[str, tuple[str, ...], int]:
        return "model", ("cpu",), self._lanes

    def forward(self, number: int) -> Vectors:
        if self._together:
            self._together.wait(SECONDS)
        return np.full((1, 2), number, np.float32)


def on(*workers: Threads) -> ElsewhereRuntime:
    def start(make: Callable[..., object], *arguments: object) -> list[Worker]:
        return [*workers]

    return ElsewhereRuntime(start, Model)


def test_each_worker_has_as_many_batches_as_it_computes_and_one_more() -> None:
    together = threading.Barrier(2 * (3 + 1))
    runtime = on(Threads(Model(3, together)), Threads(Model(3, together)))
    assert (runtime.lanes, runtime.name) == (8, "model, in 2 actors")
    with ThreadPoolExecutor(runtime.lanes) as pool:
        vectors = [*pool.map(runtime.forward, range(8))]  # ends only if all eight are there at once
    assert [int(one[0, 0]) for one in vectors] == [*range(8)]
    runtime.close()


def test_what_a_dead_worker_left_is_done_and_it_gets_no_more_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PAUSE_SECONDS", 0.0)
    runtime = on(Threads(Model(2), deaths=5), Threads(Model(2)))
    with ThreadPoolExecutor(runtime.lanes) as pool:
        vectors = [*pool.map(runtime.forward, range(50))]
    assert [int(one[0, 0]) for one in vectors] == [*range(50)]
    runtime.close()
