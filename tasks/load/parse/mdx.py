"""MDX: Markdown with programs in it, of which a reader sees the words alone."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from tasks.blocks import find_blocks
from tasks.load.parse.hidden import Span
from tasks.load.parse.markdown import code_spans, read_page, unseen
from tasks.load.parse.text import Parsed

MOST_PARTS = 20  # between blank lines, of one `export`
_TOKEN = re.compile(
    r"^(?:import\s*(?:[\"']|[\w$*{][\w$*{},\s]*?\bfrom\s*[\"'])"
    r"|export\s+(?:default|const|let|var|function|class|async|type|interface|[{*]))"
    r"|\{/\*|\{[\"'`]\s*[\"'`]\}|</?(?:[A-Za-z]|>)",
    re.MULTILINE,
)
_BLANK_LINE = re.compile(r"\n[ \t]*\n|\Z")
_HEADING = re.compile(r"</?h[1-6]\b", re.IGNORECASE)
_ATTRIBUTE_PART = re.compile(r"[^<>\"'{}]+|\"[^\"]*\"|'[^']*'|(?P<brace>\{)|(?P<end>>)")
_BRACES = re.compile(r"[{}]")
# What a component shows of what it is given.
_SHOWN = re.compile(
    r"\b(?:title|label|summary|caption|alt|description|heading|header|text)\s*[=:]\s*\{?\s*"
    r"(?:\"([^\"{}]*)\"|'([^'{}]*)'|`([^`{}]*)`)"
)


def parse_mdx(text: str) -> Parsed:
    """The page without imports, exports, comments and elements; what these show of their attributes stays."""
    return read_page(text, _hidden)


def _hidden(text: str) -> list[Span]:
    spans, floor = unseen(text), 0
    for block in find_blocks(text, 0, len(text), only_code=True):
        spans += _programs(text, floor, block.start)
        floor = block.end
    return [*spans, *_programs(text, floor, len(text))]


def _programs(text: str, start: int, end: int) -> Iterator[Span]:
    """In a part of the page without fenced code."""
    code = code_spans(text, start, end)
    starts = [low for low, _ in code]
    closed = _closed_braces(text, start, end)
    floor = start
    for token in _TOKEN.finditer(text, start, end):
        at = token.start()
        number = bisect_right(starts, at)
        if at < floor or (number and at < code[number - 1][1]):
            continue
        if token[0][0] not in "<{":
            floor = _statement(text, at, end)
            yield at, floor
        elif token[0] == "{/*":
            close = text.find("*/}", at, end)
            floor = end if close < 0 else close + 3
            yield at, floor
        elif token[0][0] == "{":
            yield token.span()
        elif not _HEADING.match(text, at) and (close := _element(text, at, end, closed)):
            yield from _around(text, at, close)
            floor = close


def _statement(text: str, at: int, end: int) -> int:
    """Its end: the first blank line with as many braces closed as opened."""
    stop = at
    for _ in range(MOST_PARTS):
        blank = _BLANK_LINE.search(text, stop + 1, end)
        stop = blank.start() if blank else end
        part = text[at:stop]
        if stop >= end or all(part.count(low) <= part.count(high) for low, high in ("{}", "()", "[]")):
            break
    return min(stop, end)


def _element(text: str, at: int, end: int, closed: Mapping[int, int]) -> int:
    """The character after the element's mark that begins at `at`; 0 where it is none."""
    at += 1
    while part := _ATTRIBUTE_PART.match(text, at, end):
        at = part.end()
        if part["end"]:
            return at
        if part["brace"] and not (at := closed.get(at - 1, 0)):
            return 0
    return 0


def _closed_braces(text: str, start: int, end: int) -> dict[int, int]:
    """For each brace that is opened and closed again, the character behind the one that closes it."""
    closed: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACES.finditer(text, start, end):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            closed[opened.pop()] = brace.end()
    return closed


def _around(text: str, start: int, end: int) -> Iterator[Span]:
    """The parts of an element that are not shown."""
    for shown in _SHOWN.finditer(text, start, end):
        low, high = shown.span(shown.lastindex or 0)
        yield start, low
        start = high
    yield start, end
