"""One process at a time has a collection open."""

import time
from contextlib import AbstractContextManager
from pathlib import Path

from tasks.errors import LockedError
from tasks.system.process_lock import ProcessLock
from tasks.upsert.qdrant_embedded.readers import ask_to_leave

ASK_SECONDS = 0.25


class FolderLock:
    """The engine has a lock of its own, but its message says neither what is locked nor by whom.

    Who wants to write has a second lock while it waits, and readers leave the first one to it.
    """

    def __init__(self, folder: Path) -> None:
        """The locks are the files `lock` and `lock.next` in `folder`."""
        self._folder = folder
        self.path = folder / "lock"
        self._lock = ProcessLock(self.path)
        self._next = ProcessLock(folder / "lock.next")

    @property
    def file(self) -> int | None:
        """Its descriptor, while the lock is held."""
        return self._lock.file

    def acquire(self, wait_seconds: float) -> None:
        """Take the lock to write; LockedError names the holder where it still has it after `wait_seconds`.

        A second call is idle.
        """
        if self._lock.file is not None:
            return
        deadline = time.monotonic() + wait_seconds
        if self._next.acquire(wait_seconds):
            raise self.refusal()
        try:
            while self._lock.acquire(min(ASK_SECONDS, max(0.0, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    raise self.refusal()
                ask_to_leave(self._folder)
        finally:
            self._next.release()

    def acquire_to_read(self) -> str | None:
        """None when the lock is ours; else who holds it, or waits for it to write. Does not wait."""
        with self._next.watched() as writer:
            return writer or self._lock.acquire(0)

    def watched(self) -> AbstractContextManager[str | None]:
        """Who holds the lock; where nobody does, nobody takes it within the block. Writes nothing."""
        return self._lock.watched()

    def refusal(self) -> LockedError:
        """The error for who has waited long enough; it names the holder."""
        with self.watched() as holder, self._next.watched() as writer:
            other = holder or writer or "a process that has just ended"
        return LockedError(
            f"the collection in {self._folder} is open in {other}, which does not let go of it or does not answer; one"
            " process at a time can write to it: wait for that one to end and try again"
        )

    def release(self) -> None:
        """Free the lock; nothing happens where it is not held."""
        self._lock.release()
