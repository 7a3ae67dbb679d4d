"""A search's conditions as Qdrant understands them, for its embedded engine and for its server.

Both are one engine, and compare alike; only the classes that say so have other names.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, timedelta
from sys import float_info
from typing import Protocol, TypeVar

from tasks.dates import instant
from tasks.errors import ConfigError
from tasks.records import Condition, Filter, Scalar
from tasks.upsert.filters import is_of_dates

_RANGES = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_EXACT = 2**53  # whole numbers below it are the same as 64-bit floats, which the engine compares in ranges
_SLACK = timedelta(seconds=2)  # a leap second, and what is smaller than a microsecond
_FIRST = "0001-01-01T00:00:00Z"
_BITS_64 = range(-(2**63), 2**63)

Part = TypeVar("Part")


class Words(Protocol[Part]):
    """What conditions are made of; `path` is a field of the payload."""

    def every(self, parts: list[Part], /) -> Part:
        """All hold."""
        ...

    def some(self, parts: list[Part], /) -> Part:
        """One or more hold; there is one at least."""
        ...

    def opposite(self, part: Part, /) -> Part:
        """It does not hold."""
        ...

    def nothing(self) -> Part:
        """What no record passes."""
        ...

    def equal(self, path: str, value: str | int, /) -> Part:
        """The very value, true and 1 being two."""
        ...

    def within(self, path: str, limits: dict[str, float], /) -> Part:
        """A number between limits, by their names: gt, gte, lt, lte."""
        ...

    def dated(self, path: str, limits: dict[str, str], /) -> Part:
        """What the engine takes for a date between limits."""
        ...

    def several(self, path: str, /) -> Part:
        """A list of two values or more."""
        ...

    def empty(self, path: str, /) -> Part:
        """No such field, or nothing in it."""
        ...


def translated_conditions(conditions: Sequence[Condition], words: Words[Part]) -> Part | None:
    """All must pass; None where there are none; ConfigError for a field that the engine cannot name."""
    return words.every([_condition(one, words) for one in conditions]) if conditions else None


def _condition(condition: Condition, words: Words[Part]) -> Part:
    if isinstance(condition, Filter):
        return _filter(condition, words)
    return _any([words.every([_filter(one, words) for one in every]) for every in condition.alternatives], words)


def _filter(one: Filter, words: Words[Part]) -> Part:
    path = _path(one.field)
    if is_of_dates(one):
        return _dates(path, one, words)
    if one.operator in _RANGES:
        return words.within(path, {_RANGES[one.operator]: _limit(one.values[0])})
    equal = _any([_equality(path, value, words) for value in one.values], words)
    return equal if one.operator == "in" else words.opposite(equal)


def _dates(path: str, one: Filter, words: Words[Part]) -> Part:
    """Also what the engine takes for no date, and lists, which may have some: whoever asks compares for himself."""
    limit = instant(str(one.values[0]))
    assert limit is not None
    with suppress(OverflowError):  # at the ends of all time
        limit = limit.astimezone(UTC) + (_SLACK if one.operator.startswith("<") else -_SLACK)
    other = words.some([words.empty(path), words.dated(path, {"gte": _FIRST})])
    near = words.dated(path, {_RANGES[one.operator]: limit.isoformat()})
    return words.some([near, words.several(path), words.opposite(other)])


def _any(alternatives: list[Part], words: Words[Part]) -> Part:
    """The engine takes an empty list for no condition at all."""
    return words.some(alternatives) if alternatives else words.nothing()


def _equality(path: str, value: Scalar, words: Words[Part]) -> Part:
    """Numbers by ranges, which do not tell 1 from 1.0."""
    is_exact = isinstance(value, int) and abs(value) >= _EXACT and value in _BITS_64
    if isinstance(value, bool | str) or (isinstance(value, int) and is_exact):
        return words.equal(path, value)
    return words.within(path, {"gte": _limit(value), "lte": _limit(value)})


def _limit(value: Scalar) -> float:
    """JSON knows no infinity: whatever is beyond all floats stands for the last of them."""
    try:
        return min(max(float(value), -float_info.max), float_info.max)
    except OverflowError:
        return float_info.max if isinstance(value, int) and value > 0 else -float_info.max


def _path(key: str) -> str:
    """Quoted, so that a dot or a blank in the key is a part of its name; the engine knows no escape within quotes."""
    if not key or '"' in key or "\\" in key:
        raise ConfigError(
            f"the filter key {key!r} names no metadata field; expected a name without quotes or backslashes"
        )
    return f'metadata."{key}"'
