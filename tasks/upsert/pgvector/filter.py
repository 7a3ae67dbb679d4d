"""A search's conditions as SQL; what the user gives travels as parameters alone."""

import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.sql import SQL, Composable
from psycopg.types.json import Jsonb

from tasks.dates import DATE, instant
from tasks.records import Condition, Filter, Operator, Scalar
from tasks.upsert.filters import is_of_dates
from tasks.upsert.pgvector.rows import encoded, escaped

Parameter = str | Jsonb | list[Jsonb] | list[str]
_TRUE, _FALSE = SQL("TRUE"), SQL("FALSE")
# The value itself and, of a list, its items; in its lax mode PostgreSQL would look into lists within the list as well.
_NUMBERS = """'strict $ ? (@.type() != "object").**{{0 to 1}} ? (@.type() == "number" && @ {} $limit)'"""
_SIGNS: tuple[LiteralString, ...] = (">=", ">", "<=", "<")
_RANGES = {sign: SQL(_NUMBERS.format(sign)) for sign in _SIGNS}
# Only what is a date is cast, which therefore cannot fail; the server would round what we cut off.
_DATES = r"""EXISTS (SELECT FROM (SELECT metadata -> %s::text) AS field (held), jsonb_array_elements_text(
CASE jsonb_typeof(held) WHEN 'array' THEN jsonb_path_query_array(held, 'strict $[*] ? (@.type() == "string")')
WHEN 'string' THEN jsonb_build_array(held) END) AS item (date)
WHERE CASE WHEN date ~ '^(?:DATE)$' THEN (regexp_replace(date, '([.][0-9]{6})[0-9]+', '\1')
|| CASE WHEN substr(date, 11) ~ '[Z+-]' THEN '' ELSE 'Z' END)::timestamptz SIGN %s::timestamptz END)"""
_DATE_RANGES = {sign: SQL(_DATES.replace("SIGN", sign).replace("DATE", DATE)) for sign in _SIGNS}
# What an index can hold of a field, which narrows a range: the number, or the day. Lists stand behind all of them.
NUMBER = """(CASE jsonb_typeof(metadata -> {0}) WHEN 'number' THEN (metadata -> {0})::numeric
WHEN 'array' THEN 'NaN' END)"""
DAY = """(CASE jsonb_typeof(metadata -> {0}) WHEN 'string' THEN left(metadata ->> {0}, 10)
WHEN 'array' THEN '~' END COLLATE "C")"""
_LISTS = {NUMBER: "NaN", DAY: "~"}
# A JSON list contains each of its items, and a value that is no list contains itself alone.
_EQUALITY = SQL("(metadata -> %s::text) @> ANY(%s::jsonb[])")
_BEYOND_FLOATS = 10**400


def as_sql(conditions: Sequence[Condition]) -> tuple[Composable, list[Parameter]]:
    """An expression over the column `metadata`, and its parameters in order."""
    parameters: list[Parameter] = []
    return _all(conditions, parameters), parameters


def tenants(conditions: Sequence[Condition], field: str) -> list[str] | None:
    """The texts one of which the field of a record has that passes, unless it has none; None where nobody is named."""
    for one in conditions:
        if isinstance(one, Filter) and (one.field, one.operator) == (field, "in"):
            return [escaped(value) for value in one.values if isinstance(value, str)]
    return None


def _all(conditions: Sequence[Condition], parameters: list[Parameter]) -> Composable:
    parts = [_condition(one, parameters) for one in conditions]
    return SQL(" AND ").join(parts) if parts else _TRUE


def _condition(condition: Condition, parameters: list[Parameter]) -> Composable:
    if isinstance(condition, Filter):
        return _filter(condition, parameters)
    parts = [SQL("({})").format(_all(one, parameters)) for one in condition.alternatives]
    return SQL("({})").format(SQL(" OR ").join(parts)) if parts else _FALSE


def _filter(one: Filter, parameters: list[Parameter]) -> Composable:
    field = escaped(one.field)
    if (moment := instant(str(one.values[0])) if is_of_dates(one) else None) is not None:
        narrow, wanted = _narrow(DAY, one.operator, field, _day(moment, one.operator))
        parameters += [*wanted, field, str(moment)]
        return SQL("({} AND {})").format(narrow, _DATE_RANGES[one.operator])
    if one.operator in _RANGES:
        limit = _finite(one.values[0])
        narrow, wanted = _narrow(NUMBER, one.operator, field, str(limit))
        parameters += [*wanted, field, _json({"limit": limit})]
        exact = SQL("jsonb_path_exists(metadata -> %s::text, {}, %s) IS TRUE").format(_RANGES[one.operator])
        return SQL("({} AND {})").format(narrow, exact)
    parameters.append(field)
    parameters.append([_json(value) for value in one.values if value == _finite(value)])
    # Without `IS TRUE`: an index serves the bare expression alone, and NULL passes no filter either.
    return _EQUALITY if one.operator == "in" else SQL("({}) IS NOT TRUE").format(_EQUALITY)


def _narrow(held: LiteralString, operator: Operator, field: str, limit: str) -> tuple[Composable, list[Parameter]]:
    """What an index decides: every record that passes is among those."""
    kept = SQL(held).format(SQL("%s::text"))
    names: list[Parameter] = [field] * held.count("{0}")
    if operator.startswith(">"):
        return SQL("{} {} %s").format(kept, SQL(operator)), [*names, limit]
    return SQL("({0} {1} %s OR {0} = %s)").format(kept, SQL(operator)), [*names, limit, *names, _LISTS[held]]


def _day(moment: datetime, operator: str) -> str:
    """A day beyond the limit in whatever zones it and the record's date are."""
    is_last = operator.startswith("<")
    with suppress(OverflowError):
        return str(moment.date() + timedelta(2 if is_last else -2))
    return "9~" if is_last else "0"


def _json(value: object) -> Jsonb:
    return Jsonb(value, dumps=encoded)


def _finite(value: Scalar) -> Scalar:
    """JSON knows no infinity, so no record has it: any number beyond all floats compares alike."""
    if isinstance(value, float) and math.isinf(value):
        return _BEYOND_FLOATS if value > 0 else -_BEYOND_FLOATS
    return value
