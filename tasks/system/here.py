"""The workers of this machine."""

import os
from collections.abc import Callable

from tasks.system.child_process import ChildProcess

MOST_PROCESSES = 4  # more than one other thread of Python can feed, and use the answers of


def start_processes(make: Callable[..., object], *arguments: object) -> list[ChildProcess]:
    """Child processes for half of the cores: the other half has a model to run."""
    count = max(1, min(MOST_PROCESSES, (os.cpu_count() or 1) // 2))
    return [ChildProcess(make, *arguments) for _ in range(count)]


class Here:
    """A run on this machine alone: the model is held by its own process."""

    embed = None

    def __init__(self) -> None:
        self.parse = start_processes

    def close(self) -> None:
        """Whoever started processes ends them."""
