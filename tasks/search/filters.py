"""`--filter KEY=VALUE` as typed conditions: read here once, so that no store guesses."""

import math
import re
from collections.abc import Container, Iterator, Sequence
from typing import cast

from tasks.dates import is_date
from tasks.errors import ConfigError
from tasks.records import AnyOf, Condition, Filter, Operator, Scalar
from tasks.system.file_system import escaped

EXAMPLES = "--filter source=docs, --filter 'team!=sales,legal' or --filter 'year>=2024'"

_PAIR = re.compile(r"(.+?)(!=|>=|<=|=|>|<)(.*)", re.DOTALL)  # the key ends at the first operator
_ITEM = re.compile(r'"((?:[^"]|"")*)"(?=,|$)|([^",][^,]*|)(?=,|$)', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def read_filters(arguments: Sequence[str], sources: Container[str]) -> list[Condition]:
    """One or more conditions for each argument, all of which must hold; ConfigError for what is no condition.

    A bare value has every type it can be read as: `1` is the text and the number. A value in double quotes is the text
    between them. Where a document is named as results name it, `SOURCE:PATH`, both parts must fit; `sources` are known.
    """
    return [condition for argument in arguments for condition in _read(escaped(argument), sources)]


def _read(argument: str, sources: Container[str]) -> Iterator[Condition]:
    match = _PAIR.fullmatch(argument)
    if match is None:
        raise ConfigError(f"--filter {argument!r}: expected a field, an operator and a value, for example {EXAMPLES}")
    field, sign, text = match.groups()
    if sign in ("=", "!="):
        values = _values(argument, text)
        named = _documents(values, sources) if field == "document" else []
        yield from _equalities(field, "in" if sign == "=" else "not_in", values, named)
        return
    number = _number(text)
    if number is None and not is_date(text):
        raise ConfigError(
            f"--filter {argument!r}: expected a number after {sign}, for example 'year>=2024', or a date: 2024-01-31 or"
            " 2024-01-31T10:00:00+02:00"
        )
    yield Filter(field, cast(Operator, sign), (text if number is None else number,))


def _equalities(
    field: str, sign: Operator, values: tuple[Scalar, ...], named: Sequence[tuple[str, str]]
) -> Iterator[Condition]:
    """`named` are sources and paths of whole documents: it is not them where one of the two differs."""
    plain = Filter(field, sign, values)
    documents = [(Filter("source", sign, (source,)), Filter("document", sign, (path,))) for source, path in named]
    if sign == "in":
        yield AnyOf(((plain,), *documents)) if documents else plain
    else:
        yield plain
        yield from (AnyOf(((source,), (path,))) for source, path in documents)


def _documents(values: Sequence[Scalar], sources: Container[str]) -> list[tuple[str, str]]:
    parted = [str(value).partition(":") for value in values]
    return [(source, path) for source, colon, path in parted if colon and source in sources]


def _values(argument: str, text: str) -> tuple[Scalar, ...]:
    if text.startswith(("=", "<", ">")):
        raise ConfigError(
            f"--filter {argument!r}: expected one of the operators =, !=, >=, >, <= and <; a value that begins with one"
            " stands in double quotes"
        )
    values: list[Scalar] = []
    position = -1
    while position < len(text):
        item = _ITEM.match(text, position + 1)
        if item is None:
            raise ConfigError(
                f"--filter {argument!r}: expected a value in double quotes to end with one; two of them within it stand"
                " for one"
            )
        quoted, bare = item.groups()
        values += _readings(bare) if quoted is None else [quoted.replace('""', '"')]
        position = item.end()
    return tuple({(type(value), value): value for value in values}.values())  # in Python True is 1


def _readings(text: str) -> list[Scalar]:
    number = _number(text)
    others: list[Scalar | None] = [number, _BOOLEANS.get(text)]
    return [text, *(reading for reading in others if reading is not None)]


def _number(text: str) -> int | float | None:
    """None also where it is too large for a float."""
    match = _NUMBER.fullmatch(text)
    if match is None or not math.isfinite(float(text)):
        return None
    is_whole = not any(match.groups()) and -(2.0**63) <= float(text) < 2.0**63
    return int(text) if is_whole else float(text)
