"""What holds for files wherever they are used: time stamps, names that are no text, a user's cache and state."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_CAN_ASK = os.access in os.supports_effective_ids
RACY_NANOSECONDS = 2_000_000_000  # a file that changed so lately may change again within the same time stamp


def escaped(name: str) -> str:
    """A path, or a text that quotes one, without what stands for bytes that are no UTF-8: these become escapes."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def user_cache() -> Path:
    """What may be deleted at no cost but time; it need not exist, and it may not be writable."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"


def user_state() -> Path:
    """What one user's runs on this machine share, and want to keep; it need not exist."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "headrace"


def may_write(*paths: Path) -> bool:
    """Whether this account, and a file system that is not read-only, let all be written; what is missing counts not."""
    return all(os.access(path, os.W_OK, effective_ids=_CAN_ASK) for path in paths if path.exists())


def keep_private(path: Path) -> bool:
    """Take from others what rights an earlier version, or a copy, gave them; whether there was anything to take.

    Nothing happens to what is not there, is a link, belongs to another user, or lies where there are no rights.
    """
    with suppress(OSError):
        found = path.lstat()
        if not stat.S_ISLNK(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(stat.S_IMODE(found.st_mode) & 0o700)
            return True
    return False
