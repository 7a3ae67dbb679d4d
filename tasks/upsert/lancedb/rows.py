"""Records as rows, and what a search's conditions compare, which Lance cannot find in a JSON text.

`values` holds each metadata field's name with its value, or with each of its items where it is a list. A range needs no
more than a field's least and greatest number: `numbers` names the fields with some, `least` and `greatest` hold them;
and, under the name with an @ behind it, the seconds of its first and last date.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from tasks.dates import instant
from tasks.records import Condition, Filter, Payload, Points, Scalar
from tasks.upsert.filters import is_of_dates
from tasks.upsert.vectors import fit_for_halves, unstorable

Arrow = Any  # pyarrow ships no types

POINTER = pa.schema([("collection", pa.string())])  # of a table that leads to the live collection
PAYLOAD = ["id", "text", "metadata", "headrace"]
_DATED = "@"  # behind a field's name: its dates, as seconds
_NUMBERS = (int, float)
_PARTS = {"text", "metadata", "headrace"}
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_RANGES = {">=": "greatest", ">": "greatest", "<=": "least", "<": "least"}
# Of two writers that insert the same id at once, this makes the second one see it; else both would be there.
_KEY = {"lance-schema:unenforced-primary-key:position": "1"}


def schema(dimension: int = 1, precision: str = "float32") -> Arrow:
    """Columns of a table."""
    texts, floats = pa.list_(pa.string()), pa.list_(pa.float64())
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=_KEY),
            pa.field("vector", pa.list_(pa.type_for_alias(precision), dimension)),
            pa.field("text", pa.string()),
            pa.field("metadata", pa.string()),
            pa.field("headrace", pa.string()),
            pa.field("values", texts),
            pa.field("numbers", texts),
            pa.field("least", floats),
            pa.field("greatest", floats),
        ]
    )


def as_table(points: Points, precision: str = "float32") -> Arrow:
    """One row for each id; DocumentError names the document whose payload cannot be stored."""
    rows = list({point: row for row, point in enumerate(points.ids)}.values())
    texts: list[tuple[str | None, bytes | None, bytes | None]] = []
    compared = _Compared()
    for point, payload in ((points.ids[row], points.payloads[row]) for row in rows):
        try:
            texts.append(_texts(payload))
            compared.add(payload.get("metadata"))
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise unstorable(payload, point, error) from error
    vectors = fit_for_halves(points.vectors[rows]) if precision == "float16" else points.vectors[rows]
    vectors = np.ascontiguousarray(vectors, dtype=precision)
    columns = [
        [points.ids[row] for row in rows],
        pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        *zip(*texts, strict=True),
        *compared.columns(),
    ]
    return pa.table(columns, schema=schema(vectors.shape[1], precision))


def as_payload(row: Mapping[str, Any]) -> Payload:
    """The payload as it was written."""
    text = {} if row["text"] is None else {"text": row["text"]}
    return text | {part: json.loads(row[part]) for part in ("metadata", "headrace") if row[part] is not None}


def as_sql(conditions: Sequence[Condition]) -> str:
    """An expression that is true of the rows that pass all of them."""
    return " AND ".join(_condition(one) for one in conditions) or "true"


def one_of(column: str, texts: Sequence[str]) -> str:
    """An expression that is true where the column has one of the texts, of which there must be some."""
    return f"{column} IN ({', '.join(map(_quoted, texts))})"


def _condition(condition: Condition) -> str:
    if isinstance(condition, Filter):
        return _filter(condition)
    return "(" + (" OR ".join(f"({as_sql(one)})" for one in condition.alternatives) or "false") + ")"


def _filter(one: Filter) -> str:
    if is_of_dates(one):
        return _date_range(one)
    if one.operator in _RANGES:
        return _range(_name(one.field), one.operator, _as_float(one.values[0]))
    values = ", ".join(_quoted(_value(_name(one.field), value)) for value in one.values)
    equality = f"array_has_any(values, [{values}])" if values else "false"
    return equality if one.operator == "in" else f"NOT {equality}"


def _range(name: str, operator: str, limit: float) -> str:
    place = f"CAST(array_position(numbers, {_quoted(name)}) AS BIGINT)"
    return f"array_element({_RANGES[operator]}, {place}) {operator} CAST('{limit!r}' AS DOUBLE)"


def _date_range(one: Filter) -> str:
    """Some more than that: whoever asks compares for himself. A row of an older version has no seconds beside it."""
    moment, name = instant(str(one.values[0])), _name(one.field)
    assert moment is not None
    near = _range(name + _DATED, one.operator, moment.timestamp() + (1 if one.operator.startswith("<") else -1))
    begins = re.sub(r"[\\%_]", r"\\\g<0>", _value(name, ""))
    dated = f"array_to_string(values, '\n') LIKE {_quoted(f'%{begins}____-__-__%')}"
    return f"({near} OR (NOT array_has(numbers, {_quoted(name + _DATED)}) AND {dated}))"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class _Compared:
    """The columns that conditions ask, each as one flat list and the places where its rows end."""

    def __init__(self) -> None:
        self._values: list[str] = []
        self._value_ends = [0]
        self._numbers: list[str] = []
        self._least: list[float] = []
        self._greatest: list[float] = []
        self._number_ends = [0]

    def add(self, metadata: Any) -> None:
        """The next row."""
        for field, value in metadata.items() if isinstance(metadata, dict) else ():
            name = _name(field)
            items = value if type(value) is list else (value,)
            self._values += [_value(name, item) for item in items if isinstance(item, str | int | float)]
            self._compare(name, [_as_float(one) for one in items if type(one) in _NUMBERS])
            dates = [moment for one in items if type(one) is str and (moment := instant(one))]
            self._compare(name + _DATED, [one.timestamp() for one in dates])
        self._value_ends.append(len(self._values))
        self._number_ends.append(len(self._numbers))

    def _compare(self, name: str, numbers: Sequence[float]) -> None:
        if numbers:
            self._numbers.append(name)
            self._least.append(min(numbers))
            self._greatest.append(max(numbers))

    def columns(self) -> Iterator[Arrow]:
        """`values`, `numbers`, `least` and `greatest`."""
        yield pa.ListArray.from_arrays(self._value_ends, pa.array(self._values, pa.string()))
        yield pa.ListArray.from_arrays(self._number_ends, pa.array(self._numbers, pa.string()))
        for numbers in (self._least, self._greatest):
            yield pa.ListArray.from_arrays(self._number_ends, pa.array(numbers, pa.float64()))


def _texts(payload: Payload) -> tuple[str | None, bytes | None, bytes | None]:
    """The columns `text`, `metadata` and `headrace`."""
    if payload.keys() - _PARTS:
        raise ValueError(f"a payload has the parts {sorted(_PARTS)}, not {sorted(payload)}")
    text = payload.get("text")
    if text is not None and not text.isascii():
        text.encode()  # which refuses half a character
    return text, _encoded(payload.get("metadata")), _encoded(payload.get("headrace"))


def _value(name: str, value: Scalar) -> str:
    """The same for equal values alone; the name ends at the first quotation mark that is not escaped."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
        return f"{name}'{value}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{name}{value!r}"


@lru_cache(maxsize=1024)
def _name(field: str) -> str:
    return json.dumps(field)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _encoded(value: Any) -> bytes | None:
    """JSON; ValueError for what is no plain JSON, which orjson writes as null."""
    if value is None:
        return None
    try:
        text = orjson.dumps(value, option=_PLAIN)
        if b"null" not in text:
            return text
    except TypeError:  # also for whole numbers of more than 64 bits
        pass
    return json.dumps(value, allow_nan=False).encode()
