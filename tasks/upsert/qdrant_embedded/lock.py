"""One process at a time has a collection open."""

from pathlib import Path

from tasks.errors import LockedError
from tasks.system.process_lock import ProcessLock


class FolderLock:
    """The engine has a lock of its own, but its message says neither what is locked nor by whom."""

    def __init__(self, folder: Path) -> None:
        """The lock is the file `lock` in `folder`."""
        self._folder = folder
        self._lock = ProcessLock(folder / "lock")

    @property
    def file(self) -> int | None:
        """Its descriptor, while the lock is held."""
        return self._lock.file

    def acquire(self, wait_seconds: float) -> None:
        """LockedError names the holder where it still has the lock after `wait_seconds`; a second call is idle."""
        holder = self._lock.acquire(wait_seconds)
        if holder:
            raise LockedError(
                f"the collection in {self._folder} is open in {holder}; one process at a time can have it"
                " open, so sync, search and verify exclude one another: wait for that one to end and try again"
            )

    def release(self) -> None:
        """Free the lock; nothing happens where it is not held."""
        self._lock.release()
