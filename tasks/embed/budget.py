"""Limits that are kept before they are hit: money per run, requests and tokens per minute."""

from tasks.embed.backoff import Clock
from tasks.errors import BudgetError


class Purse:
    """Money for one run: reserved before a request, settled after it, never overdrawn."""

    def __init__(self, max_usd: float | None, usd_per_million_tokens: float) -> None:
        """`max_usd` None: no limit."""
        self._max_usd = max_usd
        self._price = usd_per_million_tokens / 1e6
        self.spent_usd = 0.0

    def reserve(self, tokens: int) -> None:
        """Raise BudgetError when a request of so many tokens would pass the limit."""
        cost = tokens * self._price
        if self._max_usd is not None and self.spent_usd + cost > self._max_usd:
            raise BudgetError(
                f"max_usd is {self._max_usd:g}: ${self.spent_usd:.6f} are spent, the next request costs ${cost:.6f}"
            )

    def settle(self, tokens: int) -> float:
        """What the request cost, in USD."""
        cost = tokens * self._price
        self.spent_usd += cost
        return cost


class Bucket:
    """A token bucket: `per_minute` units a minute, at most a minute's worth at once."""

    def __init__(self, per_minute: int | None, clock: Clock) -> None:
        """`per_minute` None: no limit."""
        self._rate = per_minute / 60 if per_minute else None
        self._capacity = float(per_minute or 0)
        self._level = self._capacity
        self._clock = clock
        self._filled_at: float = clock.now()

    def take(self, units: int) -> None:
        """Wait until so many units are there; more than a minute's worth waits for a full bucket and owes the rest."""
        if self._rate is None:
            return
        now = self._clock.now()
        self._level = min(self._capacity, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now
        missing = min(float(units), self._capacity) - self._level
        if missing > 0:
            self._clock.sleep(missing / self._rate)
            self._level += missing
            self._filled_at = now + missing / self._rate
        self._level -= units
