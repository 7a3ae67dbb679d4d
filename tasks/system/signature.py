"""Whose a process is, in words that nobody else has: a number alone is given again, and by every container anew."""

import os
import socket
from contextlib import suppress
from pathlib import Path


def signature(pid: int) -> str:
    """Machine, number and start of a process."""
    return f"{_machine()} {pid} {start_of(pid)}"


def has_ended(signed: str) -> bool:
    """Whether a process of this machine is no more; of others nobody here can tell."""
    machine, pid, _ = signed.split(" ", 2)
    return machine == _machine() and signature(int(pid)) != signed


def start_of(pid: int) -> str:
    """The time in the kernel's ticks, or a word where it does not tell them; empty for one that has ended."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state == "Z" else numbers[18]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"


def _machine() -> str:
    """Containers of one name count their processes apart, where the kernel says so."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink()).removeprefix("pid:")
    return f"{socket.gethostname()}{space}"
