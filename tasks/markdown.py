"""Headings and fences of Markdown, for loading, which wants a title, and for chunking, which cuts there."""

import re
import sys
from collections.abc import Iterator

from tasks.blocks import TAB, Block, find_blocks
from tasks.places import Heading
from tasks.titles import LONGEST, plain_markup, plain_title

# A line feed first: a pattern that begins with one fixed character is searched for at the speed of memory. Then a look
# at what follows, which turns most lines away before a group is opened.
_MARK = re.compile(
    r"\n(?= {0,3}[#=-]) {0,3}(?:(#{1,6})([ \t][^\n]*|(?=\n|\Z))"  # a number sign, its title
    r"|(=+|-+)[ \t]*(?=\n|\Z))"  # a line under a title
)
_TITLE, _UNDER = 2, 3  # groups of it
# A quote, a table, a list's item; a word in **bold** may begin a title.
_NO_TITLE = re.compile(r"[>|]|(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$)")
_ABOVE_TITLE = re.compile(r"#{1,6}(?=[ \t]|$)|([-*_=])(?:[ \t]*\1){2,}[ \t]*$")  # a heading, a rule
_DEFINED = re.compile(r"\n {0,3}\[([^\[\]\n]{1,300})\]:")
_ELEMENT = re.compile(r"<h([1-6])(?=[\s>])[^<>]*>", re.IGNORECASE)
FAR = 3_000  # characters in which a heading of HTML ends
_CLOSE = re.compile(r"</h([1-6])\s*>", re.IGNORECASE)
_ELEMENTS = re.compile(r"<[^<>]*>")
_END = Block(sys.maxsize, sys.maxsize, "code")


def find_headings(text: str) -> Iterator[Heading]:
    """Headings in order, with plain titles: number signs, underlined, or of HTML; code and comments have none."""
    padded, floor = "\n" + text, 0
    links: list[str] = []
    for block in (*find_blocks(text, 0, len(text)), _END):
        yield from _between(padded, floor, min(block.start, len(padded)), links)
        if block.form == "html":
            yield from _elements(text, block)
        floor = block.end


def find_fences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where fenced blocks begin and end; one that is never closed goes on to the end."""
    if text.find("```", start, end) < 0 and text.find("~~~", start, end) < 0:
        return  # most sections, and a search for fixed text is the quickest there is
    for block in find_blocks(text, start, end):
        if block.form == "code":
            yield block.start, block.end


def line_before(text: str, start: int) -> str:
    """The line above the one that begins at `start`, which is not the first."""
    return text[text.rfind("\n", 0, start - 1) + 1 : start - 1]


def _between(padded: str, start: int, end: int, links: list[str]) -> Iterator[Heading]:
    """The headings of a part of the text that no block is in; `padded` is the text behind a line feed."""
    floor = start  # a title that is underlined begins behind it
    for match in _MARK.finditer(padded, start, end):
        low, high = match.start(), match.end() - 1
        if match.lastindex != _UNDER:
            title = _heading_text(match[_TITLE])
            yield Heading(low, high, len(match[1]), _plain(padded, title, links))
        elif (begin := _paragraph(padded, floor, low)) < low:
            title = padded[begin + 1 : low + 1]
            yield Heading(begin, high, 1 if match[_UNDER][0] == "=" else 2, _plain(padded, title, links))
        floor = high


def _plain(padded: str, title: str, links: list[str]) -> str:
    """What the document defines is looked for once, by the first title that could be such a link."""
    if "[" in title and not links:
        links += ["", *(match[1] for match in _DEFINED.finditer(padded))]
    return plain_title(title, links)


def _paragraph(padded: str, floor: int, start: int) -> int:
    """Where the paragraph begins whose last line ends before `start`; `start` itself where none does."""
    begin, length = start, 0
    while begin > floor and length <= LONGEST:
        line = line_before(padded, begin + 1)
        words = line.strip()
        if not words or begin - 1 - len(line) < floor or _ABOVE_TITLE.match(words):
            break
        if _NO_TITLE.match(words):
            return start
        begin -= 1 + len(line)
        length += len(words)
    first = padded[begin + 1 : begin + 1 + TAB]
    return start if length > LONGEST or "\t" in first or first == " " * TAB else begin


def _elements(text: str, block: Block) -> Iterator[Heading]:
    """The headings of HTML that begin in a block, from its first line on where only elements stand before the first."""
    begin = block.start
    for match in _ELEMENT.finditer(text, block.start, block.end):
        close = _CLOSE.search(text, match.end(), match.end() + FAR)
        if close and close[1] == match[1]:
            is_first = not _ELEMENTS.sub("", text[begin : match.start()]).strip()
            title = plain_markup(text[match.end() : close.start()])
            yield Heading(begin if is_first else match.start(), close.end(), int(match[1]), title)
            begin = close.end()


def _heading_text(rest: str) -> str:
    """What stands after the number signs of a heading; such signs may close it, but alone they are its text."""
    text = rest.strip(" \t")
    if text.endswith("#"):
        open_text = text.rstrip("#")
        if open_text.endswith((" ", "\t")):
            text = open_text
    return text.strip()
