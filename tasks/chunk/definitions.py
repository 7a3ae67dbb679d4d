"""Which classes and functions each part of a file of source code stands in."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.places import Heading
from tasks.records import Document

DEEPEST = 8  # levels: what is nested deeper belongs to the level above
LONGEST_LINE = 500  # that is looked at for a definition: a file made smaller by a machine is one line

_LINE = re.compile(r"([ \t]*+)([^\n]*+)(?:\n|\Z)")
_DEFINITION = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub(?:\(\w+\))?|inline|virtual"
    r"|override|open|sealed|data|unsafe|extern|partial|declare|const)[ \t]++)*+"
    r"(?:def|class|func|function|fn|interface|struct|enum|impl|trait|module|namespace|object|protocol|extension|type|sub"
    r"|proc|package|macro_rules!|create[ \t]++(?:or[ \t]++replace[ \t]++)?+\w++)(?:<[^>\n]*+>|\*)?+[ \t]++"
    r"(?:\([^)\n]*+\)[ \t]*+)?+([\w$]++(?:(?:\.|::?)[\w$]++)*+)",
    re.IGNORECASE,
)
_CLOSES = re.compile(r"[\])}]|end\b|else\b|fi\b|done\b|esac\b", re.IGNORECASE)
_OPENS = re.compile(r"[{(]")  # below what it opens
_REMARK = re.compile(r"[@#*\[%]|//|/\*|--|\"\"\"|'''")  # comments, decorators, attributes: of what follows
_SPLIT = re.compile(r"\s+")


class Definition(NamedTuple):
    """Characters `start` to `end` with its comments and decorators; `parent` is a number among its like, or -1."""

    start: int
    end: int
    parent: int
    title: str
    signature: str


class Definitions:
    """Those of one file, in order; any two are apart, or one is inside the other."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.all = tuple(definitions)
        self._starts = [one.start for one in self.all]

    def within(self, start: int, end: int) -> Iterator[Definition]:
        """The outermost that begin and end there, but for one that is all of it."""
        number = bisect_right(self._starts, start - 1)
        while number < len(self.all) and (one := self.all[number]).start < end:
            if one.end > end or (one.start, one.end) == (start, end):
                number += 1
            else:
                yield one
                number = bisect_right(self._starts, one.end - 1, number + 1)

    def around(self, start: int, end: int) -> list[Definition]:
        """Those in which all of the characters stand, outermost first."""
        number = bisect_right(self._starts, start) - 1
        path: list[Definition] = []
        while number >= 0:
            one = self.all[number]
            if path or one.end >= end:
                path.append(one)
            number = one.parent
        return path[::-1]

    def titles(self, start: int, end: int) -> tuple[str, ...]:
        """The names of those around."""
        if not self.all:
            return ()
        return tuple(one.title for one in self.around(start, end))

    def signatures(self, number: int, most: int) -> str:
        """Those around and of one, a line each, in at most so many characters: the outermost are left out first."""
        lines: list[str] = []
        while number >= 0 and most > 0:
            one = self.all[number]
            lines.append(one.signature[: most - 1])
            most -= len(lines[-1]) + 1
            number = one.parent
        return "".join(f"{line}\n" for line in reversed(lines) if line)


NONE = Definitions(())


def find_definitions(document: Document) -> Definitions:
    """Those that the document's parser found; else what looks like some, in source code alone."""
    if document.format != "code":
        return NONE
    if document.headings is None:
        return by_indentation(document.text)
    return of_headings(document.text, document.headings)


def of_headings(text: str, headings: Iterable[Heading]) -> Definitions:
    """What a parser found: from where each begins to where its signature ends; one without a title ends another."""
    open_: list[tuple[int, int]] = []  # number and level
    found: list[Definition] = []
    for start, end, level, title in headings:
        while open_ and open_[-1][1] >= level:
            _end(found, open_.pop()[0], start)
        if title and level <= DEEPEST:
            parent = open_[-1][0] if open_ else -1
            open_.append((len(found), level))
            found.append(Definition(start, len(text), parent, title, _signature(text[start:end])))
    return Definitions(found)


def by_indentation(text: str) -> Definitions:
    """What lines that look like definitions hold: all that is indented deeper, and what closes it."""
    open_: list[tuple[int, int]] = []  # number and indentation
    found: list[Definition] = []
    remarks = -1  # where the comments right above begin
    for match in _LINE.finditer(text):
        indent, line = len(match[1].expandtabs(4)), match[2]
        named = _DEFINITION.match(line[:LONGEST_LINE])
        if not named and _REMARK.match(line):
            remarks = match.start() if remarks < 0 else remarks
            continue
        begin, remarks = (match.start() if remarks < 0 else remarks), -1
        if not line or (open_ and open_[-1][1] <= indent and _CLOSES.match(line)):
            continue
        if open_ and open_[-1][1] == indent and _OPENS.match(line):
            continue
        while open_ and open_[-1][1] >= indent:
            _end(found, open_.pop()[0], begin)
        if named and len(open_) < DEEPEST:
            parent = open_[-1][0] if open_ else -1
            open_.append((len(found), indent))
            found.append(Definition(begin, len(text), parent, named[1], _signature(line)))
    return Definitions(found)


def _end(found: list[Definition], number: int, end: int) -> None:
    found[number] = found[number]._replace(end=end)


def _signature(lines: str) -> str:
    """One line, without the comments and decorators above it."""
    kept = [line for line in lines[:LONGEST_LINE].split("\n") if not _REMARK.match(line.lstrip())]
    return _SPLIT.sub(" ", " ".join(kept or [lines[:LONGEST_LINE]])).strip()
