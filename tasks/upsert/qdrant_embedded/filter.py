"""`--filter KEY=VALUE` in the engine's words."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import ConfigError

if TYPE_CHECKING:
    from qdrant_edge import Filter

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # at most 18 digits always fit the engine's 64 bits
_BOOLEANS = {"true": True, "false": False}

Reading = str | int | bool


def as_filter(filters: Mapping[str, str]) -> "Filter | None":
    """All must hold. A value is text on the command line, so it is also tried as the integer or boolean it spells."""
    import qdrant_edge as engine

    if not filters:
        return None
    must: list[Any] = []
    for key, text in filters.items():
        path = _path(key)
        should: list[Any] = [
            engine.FieldCondition(path, match=engine.MatchValue(reading)) for reading in _readings(text)
        ]
        must.append(engine.Filter(should=should))
    return engine.Filter(must=must)


def _path(key: str) -> str:
    """Quoted, so that a dot or a blank in the key is a part of its name; the engine knows no escape within quotes."""
    if not key or '"' in key or "\\" in key:
        raise ConfigError(
            f"the filter key {key!r} names no metadata field; expected a name without quotes or backslashes"
        )
    return f'metadata."{key}"'


def _readings(text: str) -> list[Reading]:
    if _INTEGER.fullmatch(text):
        return [text, int(text)]
    if text in _BOOLEANS:
        return [
            text,
            cast(Reading, np.bool_(_BOOLEANS[text])),
        ]  # the engine takes Python's own for the integers 0 and 1
    return [text]
