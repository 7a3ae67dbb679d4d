"""Headings and fences of Markdown, for loading, which wants a title, and for chunking, which cuts there."""

import re
from collections.abc import Iterator

from tasks.places import Heading

# A line feed first: a pattern that begins with one fixed character is searched for at the speed of memory. Then a look
# at what follows, which turns most lines away before a group is opened.
_MARK = re.compile(
    r"\n(?= {0,3}[#=-]) {0,3}(?:(#{1,6})([ \t][^\n]*|(?=\n|\Z))"  # a number sign, its title
    r"|(=+|-+)[ \t]*(?=\n|\Z))"  # a line under a title
)
_TITLE, _UNDER = 2, 3  # groups of it
# A quote, a table, a heading, a list's item or a rule; a word in **bold** may begin a title.
_NO_TITLE = re.compile(r"[>|]|(?:#{1,6}|[-*+]|\d{1,9}[.)])(?=[ \t]|$)|([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_TICKS = re.compile("```|~~~")
_FENCE = re.compile(  # where a line begins; what closes it may be longer than what opens it
    r" {0,3}(([`~])\2{2,})[^\n]*\n(?:[^\n]*\n)*?(?: {0,3}\1\2*[ \t]*$|[^\n]*\Z)", re.MULTILINE
)


def find_headings(text: str) -> Iterator[Heading]:
    """Marked by number signs or underlined, in order; those in fenced blocks are none."""
    fences = find_fences(text, 0, len(text))
    fence = next(fences, None)
    for match in _MARK.finditer("\n" + text):
        start, end = match.span()
        end -= 1  # in the text without the line feed put before it
        while fence and fence[1] <= start:
            fence = next(fences, None)
        if fence and fence[0] <= start:
            continue
        if match.lastindex != _UNDER:
            yield Heading(start, end, len(match[1]), _heading_text(match[_TITLE]))
        elif start and _is_paragraph_line(above := line_before(text, start)):
            level = 1 if match[_UNDER][0] == "=" else 2
            yield Heading(start - 1 - len(above), end, level, above.strip())


def find_fences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where fenced blocks begin and end; one that is never closed goes on to the end."""
    if text.find("```", start, end) < 0 and text.find("~~~", start, end) < 0:
        return  # most sections, and a search for fixed text is the quickest there is
    for ticks in _TICKS.finditer(text, start, end):
        if ticks.start() < start:
            continue  # inside the block before
        line = text.rfind("\n", max(0, start - 1), ticks.start()) + 1
        if line >= start and (fence := _FENCE.match(text, line, end)):
            yield fence.span()
            start = fence.end()
        else:
            start = ticks.end()


def begins_with_fence(text: str, start: int, end: int) -> bool:
    """Whether the part of the text is a fenced block, or begins with one."""
    return _FENCE.match(text, start, end) is not None


def line_before(text: str, start: int) -> str:
    """The line above the one that begins at `start`, which is not the first."""
    return text[text.rfind("\n", 0, start - 1) + 1 : start - 1]


def _heading_text(rest: str) -> str:
    """What stands after the number signs of a heading; such signs may close it, but alone they are its text."""
    text = rest.strip(" \t")
    if text.endswith("#"):
        open_text = text.rstrip("#")
        if open_text.endswith((" ", "\t")):
            text = open_text
    return text.strip()


def _is_paragraph_line(line: str) -> bool:
    """What may stand above a setext underline: not a list item, a quote, a table or another heading."""
    stripped = line.strip()
    return bool(stripped) and not _NO_TITLE.match(stripped) and not line.startswith("    ")
