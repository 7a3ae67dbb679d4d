"""One token bucket as arithmetic: requests or tokens per minute."""

from dataclasses import dataclass, replace
from typing import Self

BURST_SECONDS = 10.0  # saved up at most: no minute ever sees more than 7/6 of the limit
SHORTEST_SECONDS = 0.001  # a wait below what the clock tells apart would never end


@dataclass(frozen=True, slots=True)
class Bucket:
    """`level` units were there at `at`; below zero they are owed. `per_minute` None: no limit."""

    per_minute: float | None
    level: float
    at: float

    @classmethod
    def full(cls, per_minute: float | None, now: float) -> Self:
        """A bucket that nobody has taken from."""
        return cls(per_minute, (per_minute or 0.0) / 60 * BURST_SECONDS, now)

    def wait(self, units: float, now: float) -> float:
        """Seconds until so many units may be taken; what exceeds a burst waits for a whole one and owes the rest."""
        if self.per_minute is None:
            return 0.0
        missing = min(units, self._burst) - self._level(now)
        seconds = missing / self._rate
        return seconds if seconds > SHORTEST_SECONDS else 0.0

    def taken(self, units: float, now: float) -> Self:
        """The bucket after so many units were taken."""
        return replace(self, level=self._level(now) - units, at=now)

    def learned(self, limit: float | None, remaining: float | None, now: float) -> Self:
        """The bucket with what the provider says: its limit, and that at most `remaining` is left of a minute's."""
        if limit is None or limit <= 0:
            return self
        known = replace(self, per_minute=limit)
        level = known._level(now) if self.per_minute else known._burst
        return replace(known, level=level if remaining is None else min(level, remaining), at=now)

    @property
    def _rate(self) -> float:
        return (self.per_minute or 0.0) / 60

    @property
    def _burst(self) -> float:
        return self._rate * BURST_SECONDS

    def _level(self, now: float) -> float:
        return min(self._burst, self.level + max(0.0, now - self.at) * self._rate)
