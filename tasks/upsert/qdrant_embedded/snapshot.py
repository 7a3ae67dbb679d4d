"""A copy of a shard that nobody writes to, for who may not write where it lies: the engine opens its files to write."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from tasks.errors import ServiceError

RESERVE_BYTES = 64 << 20


class Snapshot:
    """A folder of its own, gone when it is closed."""

    def __init__(self, shard: Path) -> None:
        """Made where the system keeps what is temporary; ServiceError where that is too full."""
        room = Path(tempfile.gettempdir())
        free, needed = shutil.disk_usage(room).free, disk_usage(shard) + RESERVE_BYTES
        if free < needed:
            raise ServiceError(
                f"{room} has {free >> 20} MB left, and a copy of {shard} to read from can need {needed >> 20} MB; free"
                " some space there, or set TMPDIR to another folder"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-", ignore_cleanup_errors=True)
        self.shard = Path(self._folder.name, "shard")
        try:
            shutil.copytree(shard, self.shard, copy_function=_copy)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take it away."""
        self._folder.cleanup()


def disk_usage(folder: Path) -> int:
    """Bytes on the disk, without holes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


def _copy(source: str, target: str) -> None:
    """Holes stay holes, where the system tells them: the engine's files are made longer than what they hold."""
    with open(source, "rb") as old, open(target, "wb") as new:  # noqa: PTH123 - names as copytree gives them
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        at = 0
        while at < size and (at := _next_data(old.fileno(), at)) < size:
            end = os.lseek(old.fileno(), at, os.SEEK_HOLE)
            old.seek(at)
            new.seek(at)
            while at < end:
                at += new.write(old.read(min(1 << 20, end - at)))


def _next_data(file: int, at: int) -> int:
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # a hole up to the end
            raise
        return os.fstat(file).st_size
