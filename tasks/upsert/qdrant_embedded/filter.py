"""A search's conditions in the words of the embedded engine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.records import Condition
from tasks.upsert.qdrant_filter import translated_conditions

if TYPE_CHECKING:
    import qdrant_edge as engine


def as_filter(conditions: Sequence[Condition]) -> "engine.Filter | None":
    """All must pass; ConfigError for a field that the engine cannot name."""
    return translated_conditions(conditions, _EngineWords())


class _EngineWords:
    def every(self, parts: "list[engine.Filter]", /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=_conditions(parts))

    def some(self, parts: "list[engine.Filter]", /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(should=_conditions(parts))

    def opposite(self, part: "engine.Filter", /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must_not=[part])

    def nothing(self) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=[engine.HasIdCondition(set())])

    def equal(self, path: str, value: str | int, /) -> "engine.Filter":
        """The engine takes Python's truth values for the integers 0 and 1, and numpy's for what they are."""
        import qdrant_edge as engine

        given = cast(bool, np.bool_(value)) if isinstance(value, bool) else value
        return engine.Filter(must=[engine.FieldCondition(path, match=engine.MatchValue(given))])

    def within(self, path: str, limits: dict[str, float], /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=[engine.FieldCondition(path, range=engine.RangeFloat(**limits))])

    def dated(self, path: str, limits: dict[str, str], /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=[engine.FieldCondition(path, range=engine.RangeDateTime(**limits))])

    def several(self, path: str, /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=[engine.FieldCondition(path, values_count=engine.ValuesCount(gt=1))])

    def empty(self, path: str, /) -> "engine.Filter":
        import qdrant_edge as engine

        return engine.Filter(must=[engine.IsEmptyCondition(path)])


def _conditions(parts: "list[engine.Filter]") -> list[Any]:
    return list(parts)
