"""A stderr that is closed, or full, is no failure of the run: what cannot be said there is dropped."""

import io
import os
import sys
from contextlib import suppress
from typing import cast


class _Lenient(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def keep_stderr_writable() -> None:
    """Call first in a process: a closed descriptor would go to the next file, and what is said there into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    raw = io.FileIO(2, "w", closefd=False)
    sys.stderr = _Lenient(cast("io.BufferedWriter", raw), encoding, "backslashreplace", write_through=True)


def keep_answer_apart() -> None:
    """Lead what child processes and libraries write to descriptor 1 to stderr; `sys.stdout` alone still ends there."""
    if sys.stdout:
        raw = io.FileIO(os.dup(1), "w")
        buffered = io.BufferedWriter(raw)
        os.dup2(2, 1)
        sys.stdout = io.TextIOWrapper(buffered, sys.stdout.encoding, sys.stdout.errors)
