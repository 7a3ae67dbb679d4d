"""Lets the disk work while the engine does.

A flush waits for every page that was changed since the one before; those that are on disk by then cost it nothing.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path

EARLY = 4000  # changes; a round with fewer writes many pages twice

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has the second only


class Writeback:
    """Writes the changed pages of a folder's files out in a thread of its own, one round at a time."""

    def __init__(self, folder: Path) -> None:
        """Nothing begins before EARLY changes."""
        self._folder = folder
        self._changes = 0
        self._round: threading.Thread | None = None

    def changed(self, records: int) -> None:
        """Begin a round where enough is new and the last one is done."""
        self._changes += records
        if self._changes >= EARLY and not (self._round and self._round.is_alive()):
            self._changes = 0
            self._round = threading.Thread(target=self._write_out, name="writeback", daemon=True)
            self._round.start()

    def _write_out(self) -> None:
        """The flush that follows reports what goes wrong; a file may be gone by now."""
        for folder, _, files in os.walk(self._folder):  # passes over folders that the engine has removed meanwhile
            for name in files:
                with suppress(OSError):
                    _sync_file(Path(folder, name))


def _sync_file(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _sync(file)
    finally:
        os.close(file)
