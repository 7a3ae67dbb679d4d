"""What holds for files wherever they are used: how far time stamps can be trusted, and where a user's cache is."""

import os
from pathlib import Path

RACY_NANOSECONDS = 2_000_000_000  # a file that changed so lately may change again within the same time stamp


def user_cache() -> Path:
    """What may be deleted at no cost but time; it need not exist, and it may not be writable."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
