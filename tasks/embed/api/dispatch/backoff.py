"""How long to wait before a paid request is sent again; the only place that decides it."""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tasks.retry import full_jitter, not_negative, retry_after

ATTEMPTS = 8  # over two minutes at most
LOST_ATTEMPTS = 6  # of a request that may have been paid for each time, or of an address that never answered
PATIENCE_SECONDS = 900.0  # with nothing but rate limits, or with one wish of the server
LONG_SECONDS = 10.0  # whoever watches is told of such a wait
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Clock:
    """Time and chance, so that a test can hold both in its hand."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.random)


def jitter(attempt: int, clock: Clock) -> float:
    """Full jitter, by this clock's chance."""
    return full_jitter(attempt, clock.chance)


def asked_delay(headers: Mapping[str, str], clock: Clock) -> float | None:
    """What the server asks for: Retry-After (seconds or a date), retry-after-ms, or the reset of an exhausted limit."""
    if milliseconds := not_negative(headers.get("retry-after-ms")):
        return milliseconds / 1000
    if (seconds := retry_after(headers.get("retry-after"), clock.now())) is not None:
        return seconds
    resets = [
        duration_seconds(headers[f"x-ratelimit-reset-{what}"])
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0" and f"x-ratelimit-reset-{what}" in headers
    ]
    return max(resets, default=None)


def limit_of(headers: Mapping[str, str], kind: str) -> tuple[float | None, float | None]:
    """The limit per minute of `kind` ("requests", "tokens"), and what is left of it; None where nothing is said."""
    limit, left = headers.get(f"x-ratelimit-limit-{kind}"), headers.get(f"x-ratelimit-remaining-{kind}")
    return not_negative(limit), not_negative(left)


def duration_seconds(text: str) -> float:
    """`6m0s`, `20ms`, `1.5s`, or a bare number of seconds; 0 for what is none of these."""
    if (seconds := not_negative(text)) is not None:
        return seconds
    return sum(float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(text))
