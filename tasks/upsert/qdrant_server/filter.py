"""A search's conditions in the words of the server's interface."""

from collections.abc import Sequence

from qdrant_client import models

from tasks.records import Condition
from tasks.upsert.qdrant_filter import translated_conditions


def as_filter(conditions: Sequence[Condition]) -> models.Filter | None:
    """All must pass; ConfigError for a field that the server cannot name."""
    return translated_conditions(conditions, _ServerWords())


class _ServerWords:
    def every(self, parts: list[models.Filter], /) -> models.Filter:
        return models.Filter(must=[*parts])

    def some(self, parts: list[models.Filter], /) -> models.Filter:
        return models.Filter(should=[*parts])

    def opposite(self, part: models.Filter, /) -> models.Filter:
        return models.Filter(must_not=[part])

    def nothing(self) -> models.Filter:
        return models.Filter(must=[models.HasIdCondition(has_id=[])])

    def equal(self, path: str, value: str | int, /) -> models.Filter:
        return models.Filter(must=[models.FieldCondition(key=path, match=models.MatchValue(value=value))])

    def within(self, path: str, limits: dict[str, float], /) -> models.Filter:
        return models.Filter(must=[models.FieldCondition(key=path, range=models.Range(**limits))])

    def dated(self, path: str, limits: dict[str, str], /) -> models.Filter:
        within = models.DatetimeRange.model_validate(limits)
        return models.Filter(must=[models.FieldCondition(key=path, range=within)])

    def several(self, path: str, /) -> models.Filter:
        return models.Filter(must=[models.FieldCondition(key=path, values_count=models.ValuesCount(gt=1))])

    def empty(self, path: str, /) -> models.Filter:
        return models.Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key=path))])
