"""A document's sections: a chunk never crosses the start of one."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.markdown import heading_text
from tasks.records import Document

# A line feed first: a pattern that begins with one fixed character is searched for at the speed of memory. Then a look
# at what follows, which turns most lines away before a group is opened.
_MARK = re.compile(
    r"\n(?= {0,3}[#`~=-]) {0,3}(?:(#{1,6})([ \t][^\n]*|(?=\n|\Z))"  # a number sign, its title
    r"|(`{3,}|~{3,})([^\n]*)"  # a fence, what follows it
    r"|(=+|-+)[ \t]*(?=\n|\Z))"  # a line under a title
)
_TITLE, _FENCE, _UNDER = 2, 4, 5  # groups of it
_UNDERLINE = re.compile(r"\n(([!-/:-@\[-`{-~])\2{2,})[ \t]*(?=\n|\Z)")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_NO_TITLE = re.compile(r"[-*+>|#]|\d+[.)]")


class Section(NamedTuple):
    """Characters `start` to `end` of the text, below the titles `headings`."""

    start: int
    end: int
    headings: tuple[str, ...]


# Where it begins, where the text below it begins, its level and its title.
_Heading = tuple[int, int, int, str]


def find_sections(document: Document) -> list[Section]:
    """They cover the whole text, in order; a text without headings is one section."""
    text = document.text
    match document.format:
        case "markdown" | "html":
            headings = _markdown(text)
        case "rst":
            headings = list(_restructured(text))
        case _:
            headings = []
    return _between(text, headings)


def _between(text: str, headings: list[_Heading]) -> list[Section]:
    """A title without a body goes with the section that follows: alone it would be a chunk of three words."""
    found: list[Section] = []
    levels: list[int] = []
    titles: list[str] = []
    start = body = 0
    above: tuple[str, ...] = ()
    for begin, end, level, title in headings:
        if body < begin and not text[body:begin].isspace():
            found.append(Section(start, begin, above))
            start = begin
        body = end
        while levels and levels[-1] >= level:
            del levels[-1], titles[-1]
        levels.append(level)
        titles.append(title)
        above = tuple(filter(None, titles))
    found.append(Section(start, len(text), above))
    return found


def _markdown(text: str) -> list[_Heading]:
    found: list[_Heading] = []
    fence = ""
    for match in _MARK.finditer("\n" + text):
        start, end = match.span()
        end -= 1  # in the text without the line feed put before it
        kind = match.lastindex or 0
        if kind == _FENCE:
            fence = _fence_after(fence, match[_FENCE - 1], match[_FENCE])
        elif fence:
            continue
        elif kind <= _TITLE:
            found.append((start, end, len(match[1]), heading_text(match[_TITLE])))
        elif start and _is_paragraph_line(above := _line_before(text, start)):
            level = 1 if match[_UNDER][0] == "=" else 2
            found.append((start - 1 - len(above), end, level, above.strip()))
    return found


def _line_before(text: str, start: int) -> str:
    """The line above the one that begins at `start`, which is not the first."""
    return text[text.rfind("\n", 0, start - 1) + 1 : start - 1]


def _fence_after(fence: str, mark: str, rest: str) -> str:
    """The fence that is open after a line of backticks or tildes and a `rest`; "" for none."""
    if not fence:
        return mark
    closes = mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip()
    return "" if closes else fence


def _is_paragraph_line(line: str) -> bool:
    """What may stand above a setext underline: not a list item, a quote, a table or another heading."""
    stripped = line.strip()
    return bool(stripped) and not _NO_TITLE.match(stripped) and not line.startswith("    ")


def _restructured(text: str) -> Iterator[_Heading]:
    """Levels follow the order in which the styles of underlines appear."""
    styles: list[str] = []
    for found in _UNDERLINE.finditer(text):
        start, underline = found.start() + 1, found[1]
        title = _line_before(text, start)
        if not _is_title(title, underline):
            continue
        begin = start - 1 - len(title)
        over = _line_before(text, begin) if begin else ""
        style = found[2]
        if over.rstrip() == underline:
            style += "="
            begin -= 1 + len(over)
        if style not in styles:
            styles.append(style)
        yield begin, found.end(), styles.index(style) + 1, title.strip()


def _is_title(line: str, underline: str) -> bool:
    """Text, no line of punctuation, and no longer than what underlines it."""
    text = line.rstrip()
    return bool(text) and len(text) <= len(underline) and not _ADORNMENT.match(text)
