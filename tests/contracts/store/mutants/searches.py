"""Bugs of scores and filters."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tasks.records import AnyOf, Condition, Filter, Hit, Query, Vector
from tests.contracts.store import filters, records
from tests.contracts.store.mutants.breaks import breaks
from tests.contracts.store.toy import ToyStore


@breaks(records.a_search_ranks_by_cosine_similarity)
class DotProduct(ToyStore):
    """The score depends on the query's length."""

    def score(self, query: Vector, held: Vector) -> float:
        return float(query @ held)


@breaks(records.a_search_ranks_by_cosine_similarity)
class FarthestFirst(ToyStore):
    """Distances are taken for similarities."""

    def score(self, query: Vector, held: Vector) -> float:
        return 1 - super().score(query, held)


@breaks(filters.filters_narrow_before_the_limit_is_applied)
class FilteredAfterTheLimit(ToyStore):
    """The nearest are taken first, and filtered then."""

    def search(self, query: Query, /) -> list[Hit]:
        nearest = super().search(Query(query.vector, query.limit * 10))
        return [hit for hit in nearest if self.passes(hit.payload["metadata"], query.conditions)][: query.limit]


@breaks(records.pages_of_a_search_are_parts_of_one_answer)
class OffsetIgnored(ToyStore):
    """Every page is the first."""

    def search(self, query: Query, /) -> list[Hit]:
        return super().search(replace(query, offset=0))


@breaks(records.pages_of_a_search_are_parts_of_one_answer)
class OffsetInPages(ToyStore):
    """The offset counts pages."""

    def search(self, query: Query, /) -> list[Hit]:
        return super().search(replace(query, offset=query.offset * query.limit))


@breaks(records.pages_of_a_search_are_parts_of_one_answer)
class OffsetWithinTheLimit(ToyStore):
    """What is left out is taken from the page."""

    def search(self, query: Query, /) -> list[Hit]:
        return super().search(replace(query, offset=0))[query.offset :]


@breaks(filters.a_filter_narrows_before_the_offset)
class OffsetBeforeTheFilter(ToyStore):
    """Records that do not pass are counted as left out."""

    def search(self, query: Query, /) -> list[Hit]:
        rest = super().search(Query(query.vector, 9999, offset=query.offset))
        return [hit for hit in rest if self.passes(hit.payload["metadata"], query.conditions)][: query.limit]


@breaks(records.equally_near_records_are_on_one_page_each)
class TiesAsTheyCome(ToyStore):
    """Equally near records stand in another order for every limit."""

    def search(self, query: Query, /) -> list[Hit]:
        end = query.offset + query.limit
        hits = super().search(Query(query.vector, 9999, query.conditions))
        dice = random.Random(end)
        return sorted(hits, key=lambda hit: (-hit.score, dice.random()))[query.offset : end]


class _Conditions(ToyStore):
    """Filters are not what they should be."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        raise NotImplementedError

    def passes(self, metadata: dict[str, Any], conditions: Sequence[Condition]) -> bool:
        return all(self._holds(metadata, one) for one in conditions)

    def _holds(self, metadata: dict[str, Any], condition: Condition) -> bool:
        if isinstance(condition, AnyOf):
            return any(self.passes(metadata, alternative) for alternative in condition.alternatives)
        answer = self.wrong(metadata, condition)
        return super().passes(metadata, [condition]) if answer is None else answer


@breaks(filters.a_filter_takes_values_by_type_and_its_opposite_the_rest)
class TruthIsOne(_Conditions):
    """As in Python."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        value = metadata.get(one.field)
        return value in one.values if one.operator == "in" and not isinstance(value, list) else None


@breaks(filters.a_filter_takes_values_by_type_and_its_opposite_the_rest)
class TextIsNumber(_Conditions):
    """Everything is compared as it is written."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        value = metadata.get(one.field)
        return str(value) in map(str, one.values) if one.operator == "in" and isinstance(value, str | int) else None


@breaks(filters.a_filter_takes_values_by_type_and_its_opposite_the_rest)
class MissingIsLeftOut(_Conditions):
    """`not_in` asks for the field."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        return False if one.operator == "not_in" and one.field not in metadata else None


@breaks(filters.a_filter_takes_values_by_type_and_its_opposite_the_rest)
class ListsAreNotLookedInto(_Conditions):
    """A list is never equal."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        return False if one.operator == "in" and isinstance(metadata.get(one.field), list) else None


@breaks(filters.one_field_may_have_several_conditions)
class ListsPassNegation(_Conditions):
    """`not_in` holds where one item is another."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        value = metadata.get(one.field)
        return (
            any(item not in one.values for item in value) if one.operator == "not_in" and value == ["a", "b"] else None
        )


@breaks(filters.a_range_takes_numbers_alone)
class RangesOfWholeNumbers(_Conditions):
    """A range loses what is behind the point."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        if one.operator not in (">", ">="):
            return None
        return super().passes(metadata, [Filter(one.field, one.operator, (int(one.values[0]),))])


@breaks(filters.a_range_takes_numbers_alone)
class BoundsIncluded(_Conditions):
    """`>` and `<` take the bound itself."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        wider = {">": ">=", "<": "<="}.get(one.operator)
        return super().passes(metadata, [Filter(one.field, wider, one.values)]) if wider else None  # type: ignore[arg-type]


@breaks(filters.a_range_of_dates_takes_instants_alone)
class DatesAsTexts(_Conditions):
    """Dates are compared as they are written."""

    def wrong(self, metadata: dict[str, Any], one: Filter) -> bool | None:
        value = metadata.get(one.field)
        both = isinstance(value, str) and isinstance(one.values[0], str) and one.operator == ">="
        return bool(value >= one.values[0]) if both else None  # type: ignore[operator]


@breaks(filters.ranges_of_dates_have_other_conditions_beside_them)
class OneRangeOfDates(ToyStore):
    """A second range of the same field replaces the first."""

    def passes(self, metadata: dict[str, Any], conditions: Sequence[Condition]) -> bool:
        last = {one.field if isinstance(one, Filter) else "": one for one in conditions}
        return super().passes(metadata, list(last.values()))


@breaks(filters.a_range_of_dates_narrows_before_limit_and_offset)
class DatesAfterTheLimit(ToyStore):
    """The nearest are taken first, and their dates compared then."""

    def search(self, query: Query, /) -> list[Hit]:
        nearest = super().search(Query(query.vector, query.offset + query.limit))
        return [hit for hit in nearest if self.passes(hit.payload["metadata"], query.conditions)][query.offset :]


@breaks(filters.all_conditions_must_hold)
class AnyConditionIsEnough(ToyStore):
    """Conditions are alternatives."""

    def passes(self, metadata: dict[str, Any], conditions: Sequence[Condition]) -> bool:
        return not conditions or any(super(AnyConditionIsEnough, self).passes(metadata, [one]) for one in conditions)
