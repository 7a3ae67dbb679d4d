"""What a parser of foreign files may still do: compute, and answer."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from types import FrameType

MEMORY_BYTES = 2 * 1024**3
OPEN_FILES = 32
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def confine(memory_bytes: int = MEMORY_BYTES) -> None:
    """Bound this process for good: memory, files, network. What a system does not know is left out."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))
    _die_with_the_parent()
    _leave_the_network()


def allow_cpu(seconds: int) -> None:
    """Allow so much processor time from now on; one second more and the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _die_with_the_parent() -> None:
    """Linux also sends the signal when the thread that started this process ends: then it is passed over."""
    parent = os.getppid()

    def leave(_signal: int, _frame: FrameType | None) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGUSR1, leave)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)


def _leave_the_network() -> None:
    """A network name space without any interface; as an ordinary user it needs a user name space as well."""
    if sys.platform != "linux":
        return
    unshare = ctypes.CDLL(None).unshare
    if unshare(_CLONE_NEWNET) != 0:
        unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
