"""A search's conditions in the engine's words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import ConfigError
from tasks.records import Condition, Filter, Scalar

if TYPE_CHECKING:
    import qdrant_edge as engine

_RANGES = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_EXACT = 2**53  # whole numbers below it are the same as 64-bit floats, which the engine compares in ranges
_BITS_64 = range(-(2**63), 2**63)


def as_filter(conditions: Sequence[Condition]) -> "engine.Filter | None":
    """All must pass; ConfigError for a field that the engine cannot name."""
    import qdrant_edge as engine

    return engine.Filter(must=[_condition(one) for one in conditions]) if conditions else None


def _condition(condition: Condition) -> Any:
    import qdrant_edge as engine

    if isinstance(condition, Filter):
        return _filter(condition)
    every = [engine.Filter(must=[_filter(one) for one in alternative]) for alternative in condition.alternatives]
    return _any(every)


def _filter(one: Filter) -> "engine.Filter":
    import qdrant_edge as engine

    path = _path(one.field)
    if one.operator in _RANGES:
        limit = engine.RangeFloat(**{_RANGES[one.operator]: float(one.values[0])})
        return engine.Filter(must=[engine.FieldCondition(path, range=limit)])
    equal = _any([_equality(path, value) for value in one.values])
    return equal if one.operator == "in" else engine.Filter(must_not=[equal])


def _any(alternatives: list[Any]) -> "engine.Filter":
    """A filter that passes nothing without alternatives; the engine takes an empty list for no condition at all."""
    import qdrant_edge as engine

    return engine.Filter(should=alternatives or [engine.HasIdCondition(set())])


def _equality(path: str, value: Scalar) -> "engine.FieldCondition":
    """Numbers by ranges, which do not tell 1 from 1.0; the engine takes Python's truth values for the integers 0, 1."""
    import qdrant_edge as engine

    is_exact = isinstance(value, int) and abs(value) >= _EXACT and value in _BITS_64
    if isinstance(value, bool):
        return engine.FieldCondition(path, match=engine.MatchValue(cast(bool, np.bool_(value))))
    if isinstance(value, str) or is_exact:
        return engine.FieldCondition(path, match=engine.MatchValue(cast("str | int", value)))
    return engine.FieldCondition(path, range=engine.RangeFloat(gte=float(value), lte=float(value)))


def _path(key: str) -> str:
    """Quoted, so that a dot or a blank in the key is a part of its name; the engine knows no escape within quotes."""
    if not key or '"' in key or "\\" in key:
        raise ConfigError(
            f"the filter key {key!r} names no metadata field; expected a name without quotes or backslashes"
        )
    return f'metadata."{key}"'
