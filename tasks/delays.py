"""How long to wait before somebody is asked again: as he wishes, or by chance."""

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime

SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 60.0


def full_jitter(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Anything up to a ceiling that doubles with each attempt, from 0.5 s to 60 s."""
    return min(LONGEST_SECONDS, SHORTEST_SECONDS * 2.0**attempt) * chance()


def retry_after(given: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None where it says nothing."""
    if not given:
        return None
    if (seconds := not_negative(given)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - now)
    except ValueError:
        return None


def not_negative(text: str | None) -> float | None:
    """The number that the text is, at least 0; None where it is none."""
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
