"""What stands before a page in Markdown and is no text of it: a mapping in YAML, TOML or JSON."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

MOST_CHARACTERS = 500_000
LONGEST_NAME = 30  # with blanks in it
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
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar as it is written: a title 1.10 is no number


class FrontMatter(NamedTuple):
    """`end` is the first character of the page itself; `texts` are the values that are no lists and no mappings."""

    end: int
    texts: Mapping[str, str]

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
    return FrontMatter(closed.end(), _texts(values))


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
        title = _TITLE.search(inner)
        return {"title": title[1].strip(" \t\"'")} if title and _LINES.fullmatch(inner) else None
    if values is None and not inner.strip():
        return {}
    return values if isinstance(values, dict) else None


def _loaded(inner: str) -> object:
    loader = _LOADER(inner)
    try:
        values: object = loader.get_single_data()
    finally:
        loader.dispose()
    return values


def _toml(inner: str) -> Mapping[Any, object] | None:
    try:
        return dict(tomllib.loads(inner, parse_float=str))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return None


def _json(text: str) -> FrontMatter:
    """Hugo's: an object at the very beginning, and the page from the next line on."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, strict=False)
    try:
        values, end = decoder.raw_decode(text[:MOST_CHARACTERS])
    except (ValueError, RecursionError):
        return NONE
    after = _AFTER_JSON.match(text, end)
    return FrontMatter(after.end(), _texts(values)) if after and values else NONE


def _is_prose(values: Mapping[Any, object]) -> bool:
    """`Note: read this first.` between two rules is a mapping too, but no program has such names or only sentences."""
    names = [str(name) for name in values]
    sentences = [isinstance(value, str) and bool(_SENTENCE.search(value)) for value in values.values()]
    if any(" " in name and (len(name) > LONGEST_NAME or _STOP.search(name)) for name in names):
        return True
    return bool(names) and all(sentences) and all(name[:1].isupper() for name in names)


def _texts(values: Mapping[Any, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items() if not isinstance(value, list | dict)}
