"""How many requests are on their way at once, and how many may be retries."""

from collections import deque

from tasks.embed.backoff import Clock

CUT = 0.7
SPAN_SECONDS = 10.0
RETRY_SHARE = 0.2
FREE_RETRIES = 10
OPEN_SECONDS = 30.0


class Concurrency:
    """Additive increase, multiplicative decrease, as TCP does it."""

    def __init__(self, most: int) -> None:
        """Starts with `most` requests at once: the limits per minute are kept elsewhere."""
        self._most = float(most)
        self._window = float(most)
        self._cut_at = -1

    @property
    def window(self) -> int:
        """So many requests may be on their way."""
        return max(1, int(self._window))

    def succeeded(self) -> None:
        """One request more after a whole window of successes."""
        self._window = min(self._most, self._window + 1 / self._window)

    def limited(self, number: int, newest: int) -> bool:
        """Request `number` met a limit when `newest` was the last that was sent.

        True where it is news: those that were on their way together meet the same limit, and cut only once.
        """
        if number <= self._cut_at:
            return False
        self._window = max(1.0, self._window * CUT)
        self._cut_at = newest
        return True

    def collapse(self) -> None:
        """One at a time, until successes say otherwise."""
        self._window = 1.0


class RetryBudget:
    """Retries may be a fifth of the last seconds' requests; a server that fails more than that is left alone."""

    def __init__(self, clock: Clock) -> None:
        """Ten retries are always free, or the first failure of a small run would stop it."""
        self._clock = clock
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def sent(self) -> None:
        """A request went out."""
        self._requests.append(self._clock.now())

    def allows(self) -> bool:
        """Count one retry; False where there are too many of them."""
        now = self._clock.now()
        self._retries.append(now)
        for times in (self._requests, self._retries):
            while times and times[0] < now - SPAN_SECONDS:
                times.popleft()
        return len(self._retries) <= max(FREE_RETRIES, RETRY_SHARE * len(self._requests))
