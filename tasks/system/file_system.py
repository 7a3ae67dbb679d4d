"""What holds for files wherever they are used: time stamps, names that are no text, a user's cache and state."""

import os
from pathlib import Path

RACY_NANOSECONDS = 2_000_000_000  # a file that changed so lately may change again within the same time stamp


def readable(name: str) -> str:
    """A path, or a text that quotes one, without what stands for bytes that are no UTF-8: these become escapes."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def user_cache() -> Path:
    """What may be deleted at no cost but time; it need not exist, and it may not be writable."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"


def user_state() -> Path:
    """What one user's runs on this machine share, and want to keep; it need not exist."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "headrace"
