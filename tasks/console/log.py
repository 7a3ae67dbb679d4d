"""What is worth a line while it happens, such as work that is done once for a model and takes up to a minute."""

import logging
import sys


class _Stderr(logging.Handler):
    """Looks for it each time: while there is a bar, lines are put above it."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{record.getMessage()}\n")


def show_log() -> None:
    """Show the log for the rest of the process."""
    log = logging.getLogger("headrace")
    log.setLevel(logging.INFO)
    log.handlers = [_Stderr()]
