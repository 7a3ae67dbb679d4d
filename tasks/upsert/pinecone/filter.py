"""A search's conditions in Pinecone's words: they let through every record that fits, and perhaps some that do not.

What cannot be said there the store decides for itself, with the payload at hand. A record lists in the field `ODD` what
of its metadata Pinecone cannot compare; conditions on such a field let it through.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from tasks.records import Condition, Filter, Scalar
from tasks.upsert.filters import is_of_dates
from tasks.upsert.pinecone.records import ODD, is_field

Words = dict[str, Any]
Meaning = Words | bool  # a filter, or that all or none pass

_RANGES = {">=": "$gte", ">": "$gt", "<=": "$lte", "<": "$lt"}


def as_filter(conditions: Sequence[Condition]) -> Meaning:
    """All of them."""
    return _joined("$and", [_condition(one) for one in conditions])


def _condition(condition: Condition) -> Meaning:
    if isinstance(condition, Filter):
        return _filter(condition)
    return _joined("$or", [as_filter(one) for one in condition.alternatives])


def _filter(one: Filter) -> Meaning:
    if one.operator == "not_in":
        return _rest(one) if is_field(one.field) else True
    odd: Words = {ODD: {"$in": [one.field]}}
    if not one.values:
        return False
    return _joined("$or", [*_wanted(one), odd]) if is_field(one.field) else odd


def _wanted(one: Filter) -> list[Meaning]:
    if is_of_dates(one):
        return [{one.field: {"$exists": True}}]
    if one.operator in _RANGES:
        limit = _number(one.values[0])
        is_exact = limit is not None and limit == one.values[0]
        return [{one.field: {_RANGES[one.operator]: limit} if is_exact else {"$exists": True}}]
    texts, numbers, truths = _by_type(one.values)
    parts: list[Meaning] = [{one.field: {"$in": values}} for values in (texts, numbers) if values]
    return [*parts, *({one.field: {"$eq": truth}} for truth in truths)]


def _rest(one: Filter) -> Meaning:
    texts, numbers, truths = _by_type(one.values)
    # A number that no float is equal to would take its neighbour away.
    numbers = [number for number in numbers if number in one.values]
    parts: list[Meaning] = [{one.field: {"$nin": values}} for values in (texts, numbers) if values]
    parts += [{one.field: {"$ne": truth}} for truth in truths]
    return _joined("$or", [_joined("$and", parts), {one.field: {"$exists": False}}])


def _by_type(values: Sequence[Scalar]) -> tuple[list[str], list[float], list[bool]]:
    """Pinecone takes lists of one type, and none of truth values."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [_number(value) for value in values if not isinstance(value, str | bool)]
    truths = [value for value in values if isinstance(value, bool)]
    return texts, [number for number in numbers if number is not None], truths


def _number(value: Scalar) -> float | None:
    """None for what no float comes near to."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _joined(word: str, parts: Sequence[Meaning]) -> Meaning:
    decided = word == "$or"  # what one part alone decides
    if any(part is decided for part in parts):
        return decided
    said = [part for part in parts if not isinstance(part, bool)]
    if not said:
        return not decided
    return said[0] if len(said) == 1 else {word: said}
