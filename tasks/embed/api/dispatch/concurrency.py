"""How many requests are on their way at once, and how many may be retries."""

from collections import deque

from tasks.embed.api.dispatch.backoff import Clock

CUT = 0.7
EASE = 0.95
GROWTH_PER_SECOND = 0.003
MEASURED_SECONDS = 60.0
LEAST_MEASURED_SECONDS = 20.0
LEAST_SHARE = 0.1  # of the best rate: refusals that have nothing to do with our pace must not bring it down to nothing
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


class Throttle:
    """The tokens per second that a provider seems to allow, found by trying where it does not tell.

    Without it a limit that is lower than the configured one, or not configured, would be run into all the time.
    """

    def __init__(self, clock: Clock) -> None:
        """No limit before the first refusal."""
        self._clock = clock
        self._rate: float | None = None
        self._best = 0.0
        self._free_at = self._grown_at = clock.now()
        self._served: deque[tuple[float, int]] = deque()

    @property
    def is_on(self) -> bool:
        """Whether a limit was found."""
        return self._rate is not None

    def wait(self) -> float:
        """Seconds until the next request may be sent."""
        return max(0.0, self._free_at - self._clock.now()) if self._rate else 0.0

    def sent(self, tokens: int) -> None:
        """A request went out."""
        if self._rate:
            self._free_at = max(self._free_at, self._clock.now()) + tokens / self._rate

    def succeeded(self, tokens: int) -> None:
        """A little faster with time, or a limit that was raised would never be noticed."""
        now = self._clock.now()
        self._served.append((now, tokens))
        self._forget(now)
        if self._rate:
            self._rate *= 1 + GROWTH_PER_SECOND * min(SPAN_SECONDS, now - self._grown_at)
        self._grown_at = now

    def limited(self) -> None:
        """Not faster than what has just come through."""
        now = self._clock.now()
        self._forget(now)
        seconds = now - self._served[0][0] if self._served else 0.0
        if seconds < LEAST_MEASURED_SECONDS:
            return
        measured = sum(tokens for _, tokens in self._served) / seconds
        self._best = max(self._best, measured)
        self._rate = max(LEAST_SHARE * self._best, EASE * min(measured, self._rate or measured))

    def _forget(self, now: float) -> None:
        while self._served and self._served[0][0] < now - MEASURED_SECONDS:
            self._served.popleft()


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
