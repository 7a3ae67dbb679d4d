"""When something is tried again: a stage, the same for a tracked run and a direct one, or a request."""

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tasks.errors import TransientError

RETRY_DELAYS_SECONDS = (2.0, 10.0, 30.0)
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 60.0
JITTER = 0.5  # a delay is lengthened by up to this share of itself

Result = TypeVar("Result")


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help."""
    return isinstance(error, TransientError)


def with_retries(call: Callable[[], Result], sleep: Callable[[float], None] = time.sleep) -> Result:
    """Call again after a TransientError, as often as there are delays; a service's own wish for a delay is honoured."""
    for delay in RETRY_DELAYS_SECONDS:
        try:
            return call()
        except TransientError as error:
            wished = error.retry_after_seconds or 0.0
            sleep(max(wished, delay) * (1 + JITTER * random.random()))  # noqa: S311 - jitter is no secret
    return call()


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
