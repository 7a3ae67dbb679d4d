"""Org: kept as it is, with its headings; what is not exported is blank."""

import re

from tasks.load.parse.hidden import Span, absent, blanked
from tasks.load.parse.text import Parsed
from tasks.places import Extent, Heading
from tasks.titles import is_endless, short_title

_HEADING = re.compile(r"(\*+)[ \t]+(.*)")
_KEYWORD = re.compile(r"(?:TODO|DONE|NEXT|WAITING|HOLD|CANCELLED|CANCELED|STARTED)[ \t]+")
_PRIORITY = re.compile(r"\[#[A-Z0-9]\][ \t]*")
_TAGS = re.compile(r"[ \t]+(:[\w@#%:]+:)[ \t]*$")
_COOKIE = re.compile(r"[ \t]*\[\d*(?:/\d*|%)\]")
_LINK = re.compile(r"\[\[[^\[\]]*\](?:\[([^\[\]]*)\])?\]|<<+[^<>]*>>+")
_MARKED = re.compile(r"(?<!\w)([*/_=~+])(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)")
_SETTING = re.compile(r"[ \t]*#\+([\w-]+)(?:\[[^\]]*\])?:[ \t]*")
_BLOCK = re.compile(r"[ \t]*#\+(begin|end)_(\w+)", re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]*#(?:[ \t].*)?")
_DRAWER = re.compile(r"[ \t]*:([\w-]+):[ \t]*")
_SHOWN = {"title", "subtitle", "author", "caption", "description"}
_PLANNED = re.compile(r"[ \t]*(?:SCHEDULED|DEADLINE|CLOSED|CLOCK):.*")


def parse_org(text: str) -> Parsed:
    """The text without comments, drawers, settings, and the parts that their author left out of every export."""
    reader = _Reader(_drawers(text))
    at = 0
    for line in text.split("\n"):
        reader.line(at, line)
        at += len(line) + 1
    title = reader.title or next((heading.title for heading in reader.headings), "")
    shown = blanked(text, reader.hidden)
    return Parsed(shown, title, headings=tuple(reader.headings), remarks=absent(reader.files), extent=Extent(line=1))


def _drawers(text: str) -> frozenset[int]:
    """Where those begin that have an end before the next heading: others are words like all else."""
    opened, found, at = -1, set[int](), 0
    for line in text.split("\n"):
        drawer = _DRAWER.fullmatch(line)
        if _HEADING.fullmatch(line):
            opened = -1
        elif drawer and drawer[1].upper() == "END":
            found |= {opened} if opened >= 0 else set()
            opened = -1
        elif drawer and opened < 0:
            opened = at
        at += len(line) + 1
    return frozenset(found)


class _Reader:
    """What of the lines so far is hidden, which headings they have, and which other files they show."""

    def __init__(self, drawers: frozenset[int]) -> None:
        self._drawers = drawers
        self.hidden: list[Span] = []
        self.headings: list[Heading] = []
        self.files: list[str] = []
        self.title = ""
        self._block = ""  # its name, between begin and end
        self._drawer = False
        self._left_out = 0  # the level of a heading that is not exported with all below it

    def line(self, at: int, line: str) -> None:
        """Take the next line, which begins at the character `at`."""
        end = at + len(line)
        heading = _HEADING.fullmatch(line)
        block = _BLOCK.match(line)
        if heading and not self._block:
            self._heading(at, end, heading)
        elif self._block:
            if block and block[1].lower() == "end" and block[2].lower() == self._block:
                self._hide(at, end, is_hidden=self._block == "comment")
                self._block = ""
            else:
                self._hide(at, end, is_hidden=self._block == "comment")
        elif block and block[1].lower() == "begin":
            self._block = block[2].lower()
            self._hide(at, end, is_hidden=self._block == "comment")
        else:
            self._plain(at, end, line)

    def _heading(self, at: int, end: int, heading: re.Match[str]) -> None:
        level, rest = len(heading[1]), heading[2]
        self._drawer = False
        tags = _TAGS.search(rest)
        if self._left_out and level > self._left_out:
            self._hide(at, end, is_hidden=True)
            return
        is_out = rest.startswith("COMMENT") or bool(tags and ":noexport:" in tags[1])
        self._left_out = level if is_out else 0
        if is_out:
            self._hide(at, end, is_hidden=True)
        else:
            self.headings.append(Heading(at, end, level, plain_org(rest)))

    def _plain(self, at: int, end: int, line: str) -> None:
        setting, drawer = _SETTING.match(line), _DRAWER.fullmatch(line)
        if self._drawer or (drawer and (at in self._drawers or drawer[1].upper() == "END")):
            self._drawer = not (drawer and drawer[1].upper() == "END")
            self._hide(at, end, is_hidden=True)
        elif setting:
            name, value = setting[1].lower(), line[setting.end() :].strip()
            if name == "title":
                self.title = short_title(f"{self.title} {plain_org(value)}")
            if name == "include":
                self.files.append(value.split('"')[1] if value.count('"') > 1 else value)
            self._hide(at, at + setting.end() if name in _SHOWN else end, is_hidden=True)
        else:
            self._hide(at, end, is_hidden=bool(_COMMENT.fullmatch(line) or _PLANNED.fullmatch(line)))

    def _hide(self, at: int, end: int, *, is_hidden: bool) -> None:
        if is_hidden or self._left_out:
            self.hidden.append((at, end))


def plain_org(text: str) -> str:
    """The words of a title, without its state, priority, tags, links and marks."""
    if is_endless(text):
        return short_title(text)
    text = _COOKIE.sub("", _TAGS.sub("", _PRIORITY.sub("", _KEYWORD.sub("", text, count=1), count=1)))
    text = _LINK.sub(lambda link: link[1] or link[0].strip("[]<>"), text)
    return short_title(_MARKED.sub(r"\2", text))
