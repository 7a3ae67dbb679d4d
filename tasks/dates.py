"""Dates in metadata, which are texts: what counts as one, and the instant that it names."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_DAY = (
    "(?:(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    "|(?:0[13578]|1[02])-31)|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
# As PostgreSQL understands it, too, which has to know that a cast cannot fail.
DATE = f"{_DAY}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?{_ZONE}?)?"
_IS_DATE = re.compile(DATE)


def is_date(text: str) -> bool:
    """Whether it is an ISO 8601 date or date-time, and nothing more."""
    return _IS_DATE.fullmatch(text) is not None


def is_limit(value: object) -> bool:
    """Whether a range can have it as its end: a number, or a date."""
    return type(value) in (int, float) or (isinstance(value, str) and is_date(value))


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime | None:
    """The moment that a date names, to the microsecond; None for any other text.

    A date alone is its midnight, and what names no zone is in UTC.
    """
    if not is_date(text):
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
