"""What a filter means, in Python: for stores that compare for themselves."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.records import Condition, Filter, Scalar

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
    is_number = isinstance(item, int | float) and not isinstance(item, bool)
    return is_number and bool(_COMPARISONS[one.operator](item, one.values[0]))
