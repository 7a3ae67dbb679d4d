"""How many padded tokens go into one batch."""

import time
from collections.abc import Callable

CPU_TOKENS = 2048  # more only falls out of the cache
GPU_TOKENS = 16_384  # where the search begins
MOST_TOKENS = 1 << 20
LEAST_GAIN = 1.03
SETTLING, MEASURED = 2, 4  # batches after a change that tell nothing yet, and that are measured
FULL = 0.75  # of the size; a smaller batch says nothing about it


class BatchSize:
    """A fixed number, or one that doubles until tokens per second gain less than 3 %, or memory runs out."""

    def __init__(self, tokens: int, *, grows: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        """`tokens` is where it begins."""
        self.tokens = tokens
        self._grows = grows
        self._clock = clock
        self._best = 0.0
        self._begin()

    def finished(self, tokens: int) -> None:
        """A batch of so many padded tokens is done; several may be on their way at once, so only the flow counts."""
        if not self._grows or tokens < FULL * self.tokens:
            return
        self._batches += 1
        if self._batches == SETTLING:
            self._started = self._clock()
        elif self._batches > SETTLING:
            self._done += tokens
        if self._batches == SETTLING + MEASURED:
            self._judge(self._done / max(self._clock() - self._started, 1e-9))

    def refused(self, tokens: int) -> None:
        """The device had no memory for a batch of so many padded tokens."""
        self._grows = False
        self.tokens = max(1, min(self.tokens, tokens // 2))

    def _judge(self, rate: float) -> None:
        if rate < LEAST_GAIN * self._best:
            self.tokens //= 2
            self._grows = False
            return
        self._best = rate
        if self.tokens * 2 > MOST_TOKENS:
            self._grows = False
        else:
            self.tokens *= 2
        self._begin()

    def _begin(self) -> None:
        self._batches = self._done = 0
        self._started = 0.0
