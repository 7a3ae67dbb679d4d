"""A document's sections: a chunk never crosses the start of one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.records import Document

ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")


@dataclass(frozen=True, slots=True)
class Section:
    """Characters `start` to `end` of the text, below the titles `headings`."""

    start: int
    end: int
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Heading:
    """`body` is where the text below the title begins."""

    start: int
    body: int
    level: int
    title: str


def find_sections(document: Document) -> list[Section]:
    """They cover the whole text, in order; a text without headings is one section."""
    text = document.text
    match document.format:
        case "markdown" | "html":
            headings = list(_markdown(text))
        case "rst":
            headings = list(_restructured(text))
        case _:
            headings = []
    return _between(text, headings)


def _between(text: str, headings: list[_Heading]) -> list[Section]:
    """A title without a body goes with the section that follows: alone it would be a chunk of three words."""
    found: list[Section] = []
    path: list[_Heading] = []
    start = 0
    above: tuple[str, ...] = ()
    for number, heading in enumerate(headings):
        is_bare = number > 0 and not text[headings[number - 1].body : heading.start].strip()
        if not is_bare and text[start : heading.start].strip():
            found.append(Section(start, heading.start, above))
            start = heading.start
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
        above = tuple(entry.title for entry in path if entry.title)
    found.append(Section(start, len(text), above))
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _markdown(text: str) -> Iterator[_Heading]:
    fence = ""
    before_start, before = 0, ""
    for start, line in _lines(text):
        if opened := FENCE.match(line):
            fence = _fence_after(fence, opened, line)
        elif not fence:
            if atx := ATX.match(line):
                yield _Heading(start, start + len(line), len(atx.group(1)), (atx.group(2) or "").strip())
            elif (setext := SETEXT.match(line)) and _is_paragraph_line(before):
                yield _Heading(before_start, start + len(line), 1 if setext.group(1)[0] == "=" else 2, before.strip())
        before_start, before = start, "" if fence else line


def _fence_after(fence: str, mark: re.Match[str], line: str) -> str:
    """The fence that is open after a line of backticks or tildes; "" for none."""
    given = mark.group(1)
    if not fence:
        return given
    closes = given[0] == fence[0] and len(given) >= len(fence) and not line[mark.end() :].strip()
    return "" if closes else fence


def _is_paragraph_line(line: str) -> bool:
    """What may stand above a setext underline: not a list item, a quote, a table or another heading."""
    stripped = line.strip()
    return bool(stripped) and not re.match(r"([-*+>|#]|\d+[.)])", stripped) and not line.startswith("    ")


def _restructured(text: str) -> Iterator[_Heading]:
    """Levels follow the order in which the styles of underlines appear."""
    styles: list[str] = []
    lines = list(_lines(text))
    for number in range(1, len(lines)):
        start, line = lines[number]
        title_start, title = lines[number - 1]
        under = ADORNMENT.match(line)
        if not under or not _is_title(title, line):
            continue
        over = number > 1 and lines[number - 2][1].rstrip() == line.rstrip()
        style = under.group(1) + ("=" if over else "")
        if style not in styles:
            styles.append(style)
        begin = lines[number - 2][0] if over else title_start
        yield _Heading(begin, start + len(line), styles.index(style) + 1, title.strip())


def _is_title(line: str, underline: str) -> bool:
    """Text, no line of punctuation, and no longer than what underlines it."""
    text = line.rstrip()
    return bool(text) and len(text) <= len(underline.rstrip()) and not ADORNMENT.match(text)
