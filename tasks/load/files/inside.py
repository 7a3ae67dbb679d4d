"""Reading below a root, and nowhere else, even while somebody exchanges folders for links."""

import os
import stat
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

_ROOT = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)  # macOS has no O_PATH
_FOLDER = _ROOT | os.O_NOFOLLOW


def open_resolved(path: Path) -> FileIO:
    """Open a path that holds no link; OSError where one of its parts has become a link since it was resolved.

    Folder by folder, for O_NOFOLLOW only looks at the last part. A pipe or a device is an OSError too.
    """
    return _opened(os.open(path.anchor, _FOLDER), path.parts[1:])


def open_below(root: str, path: str) -> FileIO:
    """Open a relative path; OSError where a part of it below the root is a link."""
    return _opened(os.open(root, _ROOT), path.split("/"))


def _opened(folder: int, parts: Sequence[str]) -> FileIO:
    """`folder` is an open one, which is closed."""
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    return _regular(file)


def _regular(file: int) -> FileIO:
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise PermissionError(0, "it is no regular file")
    except BaseException:
        os.close(file)
        raise
    return os.fdopen(file, "rb", buffering=0)
