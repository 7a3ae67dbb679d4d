"""What a run needs of a runner."""

from typing import Protocol

from tasks.runners.chain import Chain
from tasks.runners.shards import ShardChain
from tasks.windows import Refs, Written


class Pending(Protocol):
    """A window on its way."""

    def result(self) -> Written:
        """Wait for it; raises what stopped it."""
        ...


class Runner(Protocol):
    """Decides where each stage of the chain is called, and how many windows are on their way at a time."""

    @property
    def most_at_first(self) -> int:
        """Chunks in one window, until many are done."""
        ...

    def start(self, chain: Chain, window: Refs) -> Pending:
        """Begin with the window and return at once, or when it is done."""
        ...

    def hand_over(self, chain: ShardChain, window: Refs) -> Pending:
        """Begin to read the window, for the worker of its shard to do the rest; return at once, or when it is done."""
        ...

    def close(self) -> None:
        """Wait for what is running; windows that did not begin are dropped."""
        ...
