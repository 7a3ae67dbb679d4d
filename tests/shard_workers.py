"""Workers that write shards, in the test's own process, where they can be made to die at any moment."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any, ClassVar

from tasks.system.worker import WorkerDiedError

RUNNER = "runner: {shards_at_once: 2}\n"


def side_by_side(config: str) -> str:
    """The same pipeline, whose shards are worked off side by side, in a store that takes several writers."""
    return config.replace("kind: qdrant", "kind: lancedb") + RUNNER


class InThisProcess:
    """A worker like a process, which dies before or after its next calls, as `deaths` says, and is started again."""

    deaths: ClassVar[list[str]] = []  # "before" or "after" for each call of `write`, "" for one that goes well
    starts: ClassVar[int] = 0

    def __init__(self, make: Callable[..., Any], *arguments: object) -> None:
        self._make, self._arguments = make, arguments
        self._instance: Any = None
        self._turn = Lock()

    def call(self, method: str, *arguments: object) -> Any:
        with self._turn:
            if self._instance is None:
                InThisProcess.starts += 1
                self._instance = self._make(*self._arguments)
            death = InThisProcess.deaths.pop(0) if method == "write" and InThisProcess.deaths else ""
            answer = None if death == "before" else getattr(self._instance, method)(*arguments)
            if death:
                self._end()
                raise WorkerDiedError("it was ended by SIGKILL")
            return answer

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        raise NotImplementedError

    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._instance is not None:
            self._instance.close()
        self._instance = None
