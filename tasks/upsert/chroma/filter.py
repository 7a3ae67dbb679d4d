"""A search's conditions in Chroma's words, as far as it has some.

Every record that passes the conditions passes the clause, and a few others do: whoever asks compares for himself.
"""

import sys
from collections.abc import Sequence
from typing import Any, cast

from tasks.records import Condition, Filter, Scalar
from tasks.upsert.chroma.records import UNJUDGED, is_field
from tasks.upsert.filters import is_of_dates

Clause = dict[str, Any]

_RANGES = {">=": "$gte", ">": "$gt", "<=": "$lte", "<": "$lt"}
_NOTHING: Clause = {"$or": []}


def where(conditions: Sequence[Condition]) -> Clause | None:
    """The clause that lets all of them through; None where Chroma can narrow nothing."""
    return _all([_condition(one) for one in conditions])


def _condition(condition: Condition) -> Clause | None:
    if isinstance(condition, Filter):
        return _filter(condition)
    return _any([_all([_filter(one) for one in alternative]) for alternative in condition.alternatives])


def _filter(one: Filter) -> Clause | None:
    texts: list[Scalar] = [value for value in one.values if isinstance(value, str)]
    truths: list[Scalar] = [value for value in one.values if isinstance(value, bool)]
    if not is_field(one.field):
        return None if one.operator == "not_in" else _unjudged(one)
    if one.operator == "not_in":  # numbers stay: some floats would be taken for their neighbours
        return _all([{one.field: {"$nin": group}} for group in (texts, truths) if group])
    if is_of_dates(one):
        return None
    if one.operator in _RANGES:
        return _any([_range(one.field, one.operator, cast(float, one.values[0])), _unjudged(one)])
    wholes, floats = _numbers(one)
    equal: list[Clause | None] = [{one.field: {"$in": group}} for group in (texts, truths, wholes) if group]
    near = [_all([_range(one.field, ">=", value), _range(one.field, "<=", value)]) for value in floats]
    items: list[Clause | None] = [{one.field: {"$contains": value}} for value in (*texts, *truths)]
    return _any([*equal, *near, *items, _unjudged(one)])


def _unjudged(one: Filter) -> Clause:
    return {UNJUDGED: {"$contains": one.field}}


def _all(clauses: Sequence[Clause | None]) -> Clause | None:
    """Those that are None pass everything."""
    narrowing = [clause for clause in clauses if clause is not None]
    if len(narrowing) < 2:
        return narrowing[0] if narrowing else None
    return {"$and": narrowing}


def _any(clauses: Sequence[Clause | None]) -> Clause | None:
    narrowing = [clause for clause in clauses if clause is not None]
    if len(narrowing) < len(clauses):
        return None
    if not narrowing:
        return _NOTHING
    return narrowing[0] if len(narrowing) == 1 else {"$or": narrowing}


def _numbers(one: Filter) -> tuple[list[Scalar], list[float]]:
    """Whole ones of 64 bits, which Chroma compares with floats, too, and others; beyond floats nothing is equal."""
    numbers = [value for value in one.values if not isinstance(value, str | bool) and abs(value) <= sys.float_info.max]
    wholes: list[Scalar] = [int(value) for value in numbers if _is_whole(value)]
    return wholes, [float(value) for value in numbers if not _is_whole(value)]


def _is_whole(value: float) -> bool:
    return value == int(value) and -(2**63) <= value < 2**63


def _range(field: str, operator: str, limit: float) -> Clause:
    """A little wider, since Chroma rounds some floats as it reads them."""
    most = sys.float_info.max
    number = float(max(-most, min(most, limit)))
    slack = abs(number) * 1e-15 + 1e-300
    wider = max(-most, number - slack) if operator.startswith(">") else min(most, number + slack)
    return {field: {_RANGES[operator]: wider}}
