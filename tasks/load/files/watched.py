"""What the operating system tells of changes below folders, from the moment they are watched."""

import threading
from collections.abc import Mapping, Set
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from tasks.errors import MissingExtraError, ServiceError

READY_SECONDS = 30.0
GATHER_MILLISECONDS = 50  # without another change end a burst
LONGEST_BURST_MILLISECONDS = 500
ROUND_MILLISECONDS = 200


class WatchedFolders:
    """Changed paths below each folder, by the name it was given.

    A thread gathers them, so none is lost while a run goes on; a signal finds the main thread awake.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """MissingExtraError without `watchfiles`; ServiceError where the system watches no more folders."""
        self._folders = {name: str(folder.resolve()) for name, folder in folders.items()}
        self._changes: SimpleQueue[set[str] | Exception] = SimpleQueue()
        self._end, self._is_ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._gather, name="watch", daemon=True)

    @property
    def names(self) -> Set[str]:
        """Those of the folders."""
        return self._folders.keys()

    def __enter__(self) -> Self:
        """Return once nothing can be missed any more."""
        if not self._folders:
            return self
        try:
            import_module("watchfiles")
        except ImportError as error:
            raise MissingExtraError("watch", "watch") from error
        self._thread.start()
        if not self._is_ready.wait(READY_SECONDS):
            raise ServiceError(f"{', '.join(self._folders.values())} cannot be watched within {READY_SECONDS:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the folders."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, seconds: float) -> dict[str, set[str]]:
        """Paths relative to their folders, as soon as one has changed; none when the time is up."""
        changes: set[str] = set()
        try:
            news = self._changes.get(timeout=seconds)
            while True:
                if isinstance(news, Exception):
                    raise ServiceError(f"folders cannot be watched: {news}; is one of them gone?") from news
                changes |= news
                news = self._changes.get_nowait()
        except Empty:
            return self._by_folder(changes)

    def _by_folder(self, changes: set[str]) -> dict[str, set[str]]:
        below = {
            name: {path[len(folder) :].strip("/") for path in changes if f"{path}/".startswith(f"{folder}/")}
            for name, folder in self._folders.items()
        }
        return {name: paths for name, paths in below.items() if paths}

    def _gather(self) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                *self._folders.values(),
                watch_filter=None,
                debounce=LONGEST_BURST_MILLISECONDS,
                step=GATHER_MILLISECONDS,
                stop_event=self._end,
                rust_timeout=ROUND_MILLISECONDS,
                yield_on_timeout=True,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self._is_ready.set()
                if changes:
                    self._changes.put({path for _, path in changes})
        except Exception as error:
            self._changes.put(error)
            self._is_ready.set()
