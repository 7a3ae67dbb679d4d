"""reStructuredText: kept as it is, with its headings; what no reader sees is blank."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.load.parse.hidden import Span, absent, blanked
from tasks.load.parse.text import Parsed
from tasks.places import Extent, Heading
from tasks.titles import is_endless, short_title

LEAST = 4  # marks that underline a longer title too
_ADORNED = re.compile(r"([!-/:-@\[-`{-~])\1*$")
_EXPLICIT = re.compile(r"([ ]*)\.\.(?:[ ]+|$)")
_DIRECTIVE = re.compile(r"(?:\|[^|\n]+\|[ ]+)?([A-Za-z0-9]+(?:[-_.+:][A-Za-z0-9]+)*)[ ]?::(?:[ ]+|$)(.*)")
_TARGET = re.compile(r"_(?:`[^`]*`|[^:`]+):|__:")
_CITED = re.compile(r"\[[^\]]+\](?:[ ]|$)")
_REPLACED = re.compile(r"^\.\.[ ]+\|([^|\n]+)\|[ ]+replace::[ ]*([^\n]*(?:\n[ ]+\S[^\n]*)*)", re.MULTILINE)
_OPTION = re.compile(r"[ ]+:([\w-]+):(?:[ ]|$)")
_FIELD = re.compile(r":(?:orphan|nosearch|tocdepth|nocomments|no-search):")
_NESTED = {"include", "literalinclude", "automodule", "autoclass", "autofunction", "autosummary", "csv-table"}
_SILENT = {
    *("contents", "currentmodule", "default-domain", "default-role", "highlight", "index", "meta", "module"),
    *("py:currentmodule", "py:module", "sectnum", "tabularcolumns", "title", "toctree", "role", "raw"),
}
_LITERAL = {
    *("code", "code-block", "sourcecode", "parsed-literal", "math", "prompt", "doctest", "testcode", "testoutput"),
    *("literalinclude", "graphviz", "mermaid", "uml", "plantuml", "ipython", "jupyter-execute"),
}
_SHOWN_OPTIONS = {"alt", "caption", "title", "subtitle"}
_ROLE = re.compile(r":[\w.+:-]+:`([^`]*)`|`([^`]*)`(?::[\w.+:-]+:|__?)?|\b(\w[\w.-]*)__?(?=$|[\s'\")\]}>/:.,;!?-])")
_RAISED = re.compile(r"\\?[ ]?:sup(?:erscript)?:`([^`]*)`")
_PROGRAM = re.compile(r"<(?:script|style|template)\b|<!--|\bhidden\b|display\s*:\s*none", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ENTRY = re.compile(r"([ ]+\S.*?)[ ]*<[^<>]*>[ ]*$")
_LINKED = re.compile(r"(?s)(.*\S)\s*<[^<>]*>$")


class _Line(NamedTuple):
    start: int
    text: str


def parse_rst(text: str) -> Parsed:
    """The text without comments, targets and options; substitutions are made, and then it has no extent."""
    replaced = _substituted(text)
    lines, at = [], 0
    for line in replaced.split("\n"):
        lines.append(_Line(at, line))
        at += len(line) + 1
    reader = _Reader(lines)
    reader.read()
    headings = tuple(_headings(lines, reader.skipped))
    title = reader.title or next((heading.title for heading in headings), "")
    extent = Extent(line=1) if replaced == text else Extent()
    shown = blanked(replaced, reader.hidden)
    return Parsed(shown, title, headings=headings, remarks=absent(reader.files), extent=extent)


def _substituted(text: str) -> str:
    """Where the file itself says what `|name|` stands for."""
    if "replace::" not in text:
        return text
    values = {match[1].lower(): " ".join(match[2].split()) for match in _REPLACED.finditer(text)}
    if not values:
        return text
    names = re.compile(r"(?<!\.\. )\|(" + "|".join(map(re.escape, values)) + r")\|_{0,2}", re.IGNORECASE)
    return names.sub(lambda name: values[name[1].lower()], text)


class _Reader:
    """Goes through the lines once: `hidden` are spans, `skipped` lines that hold no title, `files` what is shown."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = lines
        self.hidden: list[Span] = []
        self.skipped: set[int] = set()
        self.files: list[str] = []
        self.title = ""

    def read(self) -> None:
        """Read all lines."""
        number = 0
        while number < len(self._lines):
            line = self._lines[number].text
            explicit = _EXPLICIT.match(line)
            if explicit:
                number = self._markup(number, len(explicit[1]), line[explicit.end() :])
            elif line.startswith("__ ") or _FIELD.match(line):
                self._hide(number, number + 1)
                number += 1
            elif line.rstrip().endswith("::") and line.strip():
                number = self._literal(number + 1, len(line) - len(line.lstrip()))
            else:
                number += 1

    def _literal(self, number: int, indent: int) -> int:
        """A listing: nothing in it is markup. It is what is indented more than the paragraph above."""
        stop = self._block(number, indent)
        self.skipped.update(range(number, stop))
        return max(stop, number)

    def _block(self, number: int, indent: int) -> int:
        """The line after the last one of those from `number` on that are indented by more than `indent`."""
        stop = number
        for at in range(number, len(self._lines)):
            line = self._lines[at].text
            if line.strip():
                if len(line) - len(line.lstrip()) <= indent:
                    break
                stop = at + 1
        return stop

    def _markup(self, number: int, indent: int, rest: str) -> int:
        directive = _DIRECTIVE.match(rest)
        if _CITED.match(rest):
            return number + 1
        if directive:
            return self._directive(number, indent, directive)
        after = self._lines[number + 1].text if number + 1 < len(self._lines) else ""
        stop = self._block(number + 1, indent) if rest.strip() or after.strip() else number + 1
        if _TARGET.match(rest) and number + 1 < stop and not after.strip():
            stop = number + 1  # what follows after a blank line is a quote
        self._hide(number, stop)
        self.skipped.update(range(number, stop))
        return stop

    def _directive(self, number: int, indent: int, directive: re.Match[str]) -> int:
        name, argument = directive[1].lower(), directive[2].strip()
        options = number + 1
        while options < len(self._lines) and (option := _OPTION.match(self._lines[options].text)):
            value = self._lines[options].text[option.end() :].strip()
            if option[1] == "file":
                self.files.append(value)
            if option[1] in _SHOWN_OPTIONS or (option[1] == "header" and name == "csv-table"):
                self.hidden.append((self._lines[options].start, self._lines[options].start + option.end()))
            else:
                self._hide(options, options + 1)
            options += 1
        if name == "title":
            self.title = short_title(argument)
        if name in _NESTED and name != "csv-table":
            self.files.append(argument)
            self._hide(number, number + 1)
        if name == "raw" and argument == "html" and "|" not in directive[0]:
            return self._raw(number, options, self._block(number + 1, indent))
        if name in _SILENT or directive[0].startswith("|"):
            stop = self._block(number + 1, indent)
            self._entries(number, options if name == "toctree" else stop, stop)
            self.skipped.update(range(number, stop))
            return stop
        return self._literal(options, indent) if name in _LITERAL else options

    def _entries(self, number: int, entries: int, stop: int) -> None:
        """Hide a directive but for what a table of contents calls others; what they call themselves is in these."""
        is_hidden = any(":hidden:" in line.text for line in self._lines[number:entries])
        self._hide(number, stop if is_hidden else max(entries, number + 1))
        for line in self._lines[entries : entries if is_hidden else stop]:
            called = _ENTRY.match(line.text)
            self.hidden.append((line.start + (called.end(1) if called else 0), line.start + len(line.text)))

    def _raw(self, number: int, options: int, stop: int) -> int:
        """HTML without its tags; with a program or a style in it, nothing of it."""
        text = "\n".join(line.text for line in self._lines[options:stop])
        if options >= stop or _PROGRAM.search(text):
            self._hide(number, max(stop, number + 1))
        else:
            self._hide(number, options)
            start = self._lines[options].start
            self.hidden += ((start + tag.start(), start + tag.end()) for tag in _TAG.finditer(text))
        self.skipped.update(range(number, stop))
        return max(stop, number + 1)

    def _hide(self, first: int, stop: int) -> None:
        last = self._lines[stop - 1]
        self.hidden.append((self._lines[first].start, last.start + len(last.text)))


def _headings(lines: Sequence[_Line], skipped: set[int]) -> Iterator[Heading]:
    """Levels follow the order in which the styles of underlines appear."""
    styles: list[str] = []
    free = True  # the line before is blank, or ends a title or a block: a paragraph may begin
    number = 0
    while number < len(lines):
        line = lines[number].text.rstrip()
        found = None if number in skipped or not free else _title(lines, number, line)
        if found:
            first, last, style, title = found
            if style not in styles:
                styles.append(style)
            yield Heading(lines[first].start, lines[last].start + len(lines[last].text), styles.index(style) + 1, title)
            number = last + 1
            continue
        free = not line or line[0] == " " or line.startswith("..") or number in skipped
        number += 1


def _title(lines: Sequence[_Line], number: int, line: str) -> tuple[int, int, str, str] | None:
    """First and last line, style and title; None where no title begins at this line."""
    after = [one.text.rstrip() for one in lines[number + 1 : number + 3]]
    over = _ADORNED.match(line)
    if over and len(after) > 1 and after[0].strip() and after[1] == line and not _ADORNED.match(after[0]):
        if _width(after[0].strip()) <= len(line) or len(line) >= LEAST:
            return number, number + 2, over[1] * 2, plain_rst(after[0])
        return None
    if not after or not line or line[0] in " \t" or (over and len(line) > 1):
        return None
    under = _ADORNED.match(after[0])
    if under and (len(after[0]) >= LEAST or _width(line) <= len(after[0])) and not line.startswith(".. "):
        return number, number + 1, under[1], plain_rst(line)
    return None


def _width(text: str) -> int:
    """Columns: a Chinese character takes two, an accent of its own none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def plain_rst(text: str) -> str:
    """The words of a title: of roles and links what they show, and no marks."""
    if is_endless(text):
        return short_title(text)
    text = _RAISED.sub(r"^\1", text)
    parts = text.split("``")
    for number in range(0, len(parts), 2):
        part = _ROLE.sub(_shown, parts[number])
        part = re.sub(r"\|([^|\s][^|]*)\|_{0,2}", r"\1", part)
        part = re.sub(r"(?<![\w*\\])\*{1,2}(?=\S)|(?<=[^\s\\])\*{1,2}(?![\w*])", "", part)
        parts[number] = re.sub(r"\\(.)", lambda escaped: escaped[1].strip(), part)
    return short_title("".join(parts))


def _shown(role: re.Match[str]) -> str:
    inner = next((part for part in role.groups() if part is not None), "")
    linked = _LINKED.match(inner)
    if linked or role[1] is None:
        return linked[1] if linked else inner
    return inner.rpartition(".")[2] if inner.startswith("~") else inner.lstrip("!")
