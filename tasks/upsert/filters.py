"""What a filter means, in Python: for stores that compare for themselves."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tasks.dates import instant
from tasks.records import AnyOf, Condition, Filter, Hit, Scalar

PIPELINE = "headrace_pipeline"  # the metadata field that names the pipeline, in a collection that several share

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def of_pipeline(pipeline: str) -> tuple[Filter, ...]:
    """What the records of one pipeline pass, in a collection that several share; all pass it for none."""
    return (Filter(PIPELINE, "in", (pipeline,)),) if pipeline else ()


def passes(metadata: Mapping[str, Any], conditions: Sequence[Condition]) -> bool:
    """True where all of them hold."""
    return all(_holds(metadata, condition) for condition in conditions)


def judged(nearest: Callable[[int], list[Hit]], conditions: Sequence[Condition]) -> Callable[[int], list[Hit]]:
    """The nearest that pass, where the store may let through some whose dates do not.

    It is asked for more until there are enough.
    """
    filters = [one for part in conditions for one in ([part] if isinstance(part, Filter) else _inner(part))]
    if not any(is_of_dates(one) for one in filters):
        return nearest

    def passing(limit: int) -> list[Hit]:
        wanted = limit
        while True:
            hits = nearest(wanted)
            fitting = [hit for hit in hits if passes(hit.payload.get("metadata") or {}, conditions)]
            if len(fitting) >= limit or len(hits) < wanted:
                return fitting[:limit]
            wanted *= 4

    return passing


def is_of_dates(one: Filter) -> bool:
    """Whether it is a range of dates."""
    return one.operator in _COMPARISONS and isinstance(one.values[0], str)


def _inner(part: AnyOf) -> Iterator[Filter]:
    return (one for alternative in part.alternatives for one in alternative)


def _holds(metadata: Mapping[str, Any], condition: Condition) -> bool:
    if isinstance(condition, Filter):
        return _fits(metadata.get(condition.field), condition)
    return any(all(_holds(metadata, one) for one in alternative) for alternative in condition.alternatives)


def _fits(field: Any, one: Filter) -> bool:
    items = field if isinstance(field, list) else [field]
    match one.operator:
        case "in":
            return any(_equal(item, value) for item in items for value in one.values)
        case "not_in":
            return not any(_equal(item, value) for item in items for value in one.values)
        case _:
            return any(_compares(item, one) for item in items)


def _equal(item: Any, value: Scalar) -> bool:
    """Whether both are the same value of the same type: in Python True is 1."""
    return isinstance(item, bool) == isinstance(value, bool) and bool(item == value)


def _compares(item: Any, one: Filter) -> bool:
    limit = one.values[0]
    if isinstance(limit, str):
        moment = instant(item) if isinstance(item, str) else None
        return moment is not None and _COMPARISONS[one.operator](moment, instant(limit))
    is_number = isinstance(item, int | float) and not isinstance(item, bool)
    return is_number and _COMPARISONS[one.operator](item, limit)
