"""Reading below a root, and nowhere else, even while somebody exchanges folders for links."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)  # macOS has no O_PATH


def is_relative(path: str) -> bool:
    """Whether the path names something below a root without any detour."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def open_resolved(path: Path) -> BinaryIO:
    """Open a path that holds no link; OSError where one of its parts has become a link since it was resolved.

    Folder by folder, for O_NOFOLLOW only looks at the last part. A pipe or a device is an OSError too.
    """
    folder = os.open(path.anchor, _FOLDER)
    try:
        for part in path.parts[1:-1]:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        file = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    return _regular(file)


def _regular(file: int) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise PermissionError(0, "it is no regular file")
    except BaseException:
        os.close(file)
        raise
    return os.fdopen(file, "rb")
