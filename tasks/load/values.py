"""Single values of databases and tables, as text and as metadata: each depends on itself alone, never on other rows."""

import json
import math
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import singledispatch
from typing import NamedTuple

import orjson

from tasks.load.decode import normalised
from tasks.records import Scalar


class Unfit(NamedTuple):
    """Stands for a value that cannot be used; `why` goes on after its column's name."""

    why: str


BINARY = (bytes, bytearray, memoryview)
_BITS_64 = range(-(2**63), 2**63)
_SURE = range(-(2**53), 2**53 + 1)  # where a float is exactly one integer


def text_of(value: object) -> str:
    """The value as it is read: no exponents, instants in UTC, lists with commas, other structures as JSON."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    return str(value) if kind is int else _text(value)


@singledispatch
def _text(value: object) -> str:
    return str(value)


@_text.register
def _(_value: None) -> str:
    return ""


@_text.register
def _(value: bool) -> str:
    return "true" if value else "false"


@_text.register
def _(value: Decimal) -> str:
    return format(value, "f")


@_text.register
def _(value: datetime) -> str:
    return (value.astimezone(UTC) if value.tzinfo else value).isoformat()


@_text.register(date)
@_text.register(time)
def _(value: date | time) -> str:
    return value.isoformat()


@_text.register
def _(value: dict) -> str:  # type: ignore[type-arg]
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=text_of)


@_text.register(list)
@_text.register(tuple)
@_text.register(set)
@_text.register(frozenset)
def _(value: Collection[object]) -> str:
    if any(isinstance(item, dict | list | tuple) for item in value):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=text_of)
    return ", ".join(map(text_of, value))


def metadata_of(value: object) -> Scalar | Sequence[Scalar] | None:
    """What a record keeps of it, None for nothing; text where no store would keep it exactly, as of a long integer."""
    match value:
        case None:
            return None
        case bool() | str() | int() | float() | Decimal():
            return _scalar(value)
        case list() | tuple() | set() | frozenset() if not any(isinstance(one, dict | list | tuple) for one in value):
            return [item for one in value if (item := _scalar(one)) is not None] or None
        case _:
            return normalised(text_of(value)) or None


def is_plain(value: object) -> bool:
    """Whether it says the same in every run: not binary, and no object that only tells its address."""
    kind = type(value)
    return not isinstance(value, BINARY) and not (kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__)


def missing_as_none(value: object) -> object:
    """None for a float that is no number, and for what pandas has for nothing; a whole float becomes an integer.

    Sheets and columns with gaps know no integers, so 3.0 there is the 3 that somebody wrote.
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and int(value) in _SURE else float(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value


def content_hint(values: Sequence[object]) -> bytes:
    """Bytes that differ wherever two rows do."""
    try:
        return orjson.dumps(values, default=_other)
    except TypeError:  # an integer or a text that JSON has no room for
        return repr(values).encode("utf-8", "backslashreplace")


def _other(value: object) -> object:
    if isinstance(value, BINARY):
        return ["binary", bytes(value).hex()]
    return [type(value).__name__, text_of(value)]


def _scalar(value: object) -> Scalar | None:
    match value:
        case None | bool():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case int() if value in _BITS_64:
            return int(value)
        case Decimal() if value.is_finite() and value.as_tuple().exponent == 0 and int(value) in _BITS_64:
            return int(value)
        case Decimal() if Decimal(repr(float(value))) == value:
            return float(value)
        case _:
            return normalised(text_of(value))
