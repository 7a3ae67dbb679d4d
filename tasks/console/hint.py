"""What is worth saying to a person once, and to a program never."""

import sys
from contextlib import suppress

from tasks.system.file_system import user_state

_TRACKING = "This run is not tracked. To see runs in Prefect's UI: `prefect server start`, then set PREFECT_API_URL"


def hint_at_tracking() -> None:
    """Say it on the terminal, once for each user of a machine; a file in the user's state folder remembers that."""
    if not (sys.stderr and sys.stderr.isatty()):
        return
    with suppress(OSError, RuntimeError):  # a home that is not there, or cannot be written to, hears it again
        marker = user_state() / "hinted-at-tracking"
        if marker.exists():
            return
        marker.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker.touch(mode=0o600)
    sys.stderr.write(f"{_TRACKING}\n")
