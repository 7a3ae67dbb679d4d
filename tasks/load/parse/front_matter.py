"""What stands before a page in Markdown and is no text of it: a mapping in YAML, TOML or JSON."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import date, time
from typing import Any, NamedTuple

import yaml

from tasks.load.parse.text import NO_PROPERTIES
from tasks.records import Metadata, Scalar

MOST_CHARACTERS = 500_000
LONGEST_NAME, MOST_WORDS = 30, 3  # with blanks in it
_NAMED = {"title", "subtitle", "description", "summary", "abstract", "excerpt", "subject", "author", "authors"}
_WORDS = re.compile(r"\s*\S+(?:\s+\S+){4}")
_OPEN = re.compile(r"(---|\+\+\+)[ \t]*\n|(?=\{)")
_CLOSE = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*(?:\n|\Z)", re.MULTILINE),
}
_AFTER_JSON = re.compile(r"[ \t]*(?:\n|\Z)")
# Not quite YAML, as when a title has a colon in it: other tools read it, line by line.
_LINES = re.compile(r"(?:(?:[A-Za-z_][\w.-]*+[ \t]*+:(?:[ \t][^\n]*+)?|[ \t]+[^\n]*+|- [^\n]*+|#[^\n]*+)?\n)*+")
_TITLE = re.compile(r"^title[ \t]*+:([^\n]*+)", re.MULTILINE | re.IGNORECASE)
_SENTENCE = re.compile(r"\S+(?:\s+\S+){3,}[.!?]$")
DEEPEST = 50
_BRACKETS = re.compile(r"[\[\]{}]")
_MARKS = re.compile(rf"(?:[-?:][ \t]+){{{DEEPEST}}}")
_STOP = re.compile(r"[.!?,]")
_EMPTY = ("", "~", "null")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")
_BOOLEANS = {"true": True, "false": False}
_LINE = re.compile(r"^([A-Za-z_][\w.-]*+)[ \t]*+:([^\n]*+)", re.MULTILINE)
LONGEST_VALUE = 1_000

_ODD = re.compile(r"[^\w-]+")


class Plain(str):
    """A scalar without quotes, which may mean a number."""

    __slots__ = ()


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]  # the C library may be missing
    """Every scalar as it is written: a title 1.10 is no number."""

    def construct_scalar(self, node: yaml.ScalarNode) -> str:
        """Remembers whether it stood in quotes."""
        value = str(super().construct_scalar(node))
        return value if node.style else Plain(value)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, object]:
        """Two values of one name are none, for either may be meant."""
        values: dict[Any, object] = super().construct_mapping(node, deep=deep)
        if len(values) < len(node.value):
            names = Counter(str(key.value) for key, _ in node.value)
            return {name: [] if names[name] > 1 else value for name, value in values.items()}
        return values


class FrontMatter(NamedTuple):
    """`end` is the first character of the page itself; `texts` are the values that are no lists and no mappings.

    `fields` are all of them with their types. What is no value that a record can hold is an empty list.
    """

    end: int
    texts: Mapping[str, str]
    fields: Metadata = NO_PROPERTIES

    def text(self, name: str) -> str:
        """The value of that name in any case, "" for none."""
        value = next((value for key, value in self.texts.items() if key.lower() == name), "")
        return "" if value.strip().lower() in _EMPTY else " ".join(value.split())


NONE = FrontMatter(0, {})


def read_front_matter(text: str) -> FrontMatter:
    """NONE for a page without one, such as one that begins with a rule: the words below that are seen."""
    opened = _OPEN.match(text)
    if not opened:
        return NONE
    if not opened[1]:
        return _json(text)
    closed = _CLOSE[opened[1]].search(text, opened.end(), opened.end() + MOST_CHARACTERS)
    if not closed:
        return NONE
    inner = text[opened.end() : closed.start()]
    values = _toml(inner) if opened[1] == "+++" else _yaml(inner)
    if values is None or _is_prose(values):
        return NONE
    return FrontMatter(closed.end(), _texts(values), _fields(values))


def read_yaml(text: str) -> object:
    """What a small text in YAML says, all scalars as texts; None for none."""
    if _is_deep(text):
        return None
    try:
        return _loaded(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def typed(value: str) -> str | int | float | bool:
    """A number or a truth value where the text is how JSON writes one, and nothing of it would be lost."""
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    if not _NUMBER.fullmatch(value) or value == "-0":
        return str(value)
    return int(value) if "." not in value else (float(value) if repr(float(value)) == value else str(value))


def _is_deep(inner: str) -> bool:
    """Nested so deeply that the library, which is in C, would run out of its stack, and this process with it."""
    depth = 0
    for bracket in _BRACKETS.finditer(inner):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEEPEST:
            return True
    return bool(_MARKS.search(inner))


def _yaml(inner: str) -> Mapping[Any, object] | None:
    if _is_deep(inner):
        return None
    try:
        values = _loaded(inner)
    except (yaml.YAMLError, RecursionError, ValueError):
        if not _LINES.fullmatch(inner):
            return None
        names = Counter(line[1] for line in _LINE.finditer(inner))
        lines = {line[1]: Plain("" if names[line[1]] > 1 else line[2].strip()) for line in _LINE.finditer(inner)}
        title = _TITLE.search(inner)
        return {**lines, **({"title": title[1].strip(" \t\"'")} if title else {})}
    if values is None and not inner.strip():
        return {}
    return values if isinstance(values, dict) else None


def _loaded(inner: str) -> object:
    loader = _Loader(inner)
    try:
        values: object = loader.get_single_data()
    finally:
        loader.dispose()
    return values


def _toml(inner: str) -> Mapping[Any, object] | None:
    try:
        return dict(tomllib.loads(inner, parse_float=Plain))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return None


def _json(text: str) -> FrontMatter:
    """Hugo's: an object at the very beginning, and a page from the next line on: else it is a text of JSON."""
    decoder = json.JSONDecoder(parse_float=Plain, parse_int=Plain, strict=False)
    try:
        values, end = decoder.raw_decode(text[:MOST_CHARACTERS])
    except (ValueError, RecursionError):
        return NONE
    after = _AFTER_JSON.match(text, end)
    if not after or not values or not text[after.end() :].strip():
        return NONE
    return FrontMatter(after.end(), _texts(values), _fields(values))


def _is_prose(values: Mapping[Any, object]) -> bool:
    """`Note: read this first.` between two rules is a mapping too, but no program has such names or only sentences."""
    names = [str(name) for name in values]
    sentences = [isinstance(value, str) and bool(_SENTENCE.search(value)) for value in values.values()]
    if any(
        " " in name and (len(name.split()) > MOST_WORDS or len(name) > LONGEST_NAME or _STOP.search(name))
        for name in names
    ):
        return True
    if len(names) == 1 and names[0][:1].isupper() and names[0].lower() not in _NAMED:
        return bool(_WORDS.match(next(iter(_texts(values).values()), "")))
    return bool(names) and all(sentences) and all(name[:1].isupper() for name in names)


def _texts(values: Mapping[Any, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items() if not isinstance(value, list | dict)}


def _fields(values: Mapping[Any, object]) -> Metadata:
    """The values but the title, by names that a filter can ask for."""
    named = {_ODD.sub("_", str(name))[:100]: value for name, value in values.items() if str(name).lower() != "title"}
    return {name: _field(value) for name, value in named.items() if name.strip("_")}


def _field(value: object) -> Scalar | list[Scalar]:
    """No value, and what no record can hold, is an empty list: a rule that nobody can read must not look like none."""
    match value:
        case list():
            return [item for item in map(_field, value) if not isinstance(item, list)]
        case Plain() if value.lower() not in _EMPTY and len(value) <= LONGEST_VALUE:
            return typed(value)
        case str() if isinstance(value, Plain) or len(value) > LONGEST_VALUE:
            return []
        case str() | bool():
            return value
        case int():
            return value if abs(value) < 1 << 63 else str(value)
        case _:
            return value.isoformat() if isinstance(value, date | time) else []
