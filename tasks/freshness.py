"""How fresh a collection is, by the mark in it, and whether that is fresh enough for whoever asks."""

from dataclasses import dataclass

from tasks.durations import format_duration
from tasks.errors import CollectionError
from tasks.records import Sentinel


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the mark says; `complete_at` and `age_seconds` are None where no sync was complete since this is kept."""

    complete_at: float | None
    age_seconds: float | None
    withheld: int
    quarantined: int
    unknown: int

    @property
    def text(self) -> str:
        """One line that a person reads."""
        counts = {"withheld": self.withheld, "quarantined": self.quarantined, "not listed": self.unknown}
        lacks = "".join(f"; {count:,} {name}" for name, count in counts.items() if count)
        when = "no sync yet" if self.age_seconds is None else f"{format_duration(self.age_seconds)} ago"
        return f"{when}{lacks}"


def freshness(sentinel: Sentinel | None, now: float) -> Freshness:
    """A clock that was set back makes nothing fresher than it is now."""
    if sentinel is None:
        return Freshness(None, None, 0, 0, 0)
    at = sentinel.complete_at or None
    age = None if at is None else round(max(0.0, now - at), 3)
    return Freshness(at, age, sentinel.withheld, sentinel.quarantined, sentinel.unknown)


def require_fresh(name: str, sentinel: Sentinel | None, now: float, max_age_seconds: float) -> None:
    """CollectionError where the last complete sync of the pipeline is longer ago, or not known."""
    seen = freshness(sentinel, now)
    if seen.age_seconds is None or seen.age_seconds > max_age_seconds:
        raise CollectionError(
            f"the collection of {name!r} is too old for this question: its last complete sync was {seen.text}, and at"
            f" most {format_duration(max_age_seconds)} were asked for; run sync, or ask for less"
        )
