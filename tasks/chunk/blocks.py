"""The parts of a section that are cut in a way of their own: listings, tables, and lists below a sentence."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal, NamedTuple

from tasks.markdown import find_fences
from tasks.records import Format

LONGEST_SENTENCE = 300  # characters of a paragraph that is repeated before the items below it

_FLAGS = re.MULTILINE
_PIPED = re.compile(r"[ \t>]*+[^\s|>]?[^\n|]*+\|[^\n]*+(?:\n|\Z)")
_RULE = re.compile(r"([-=])\1{3,}")  # as long as its column is wide: for a tokenizer that is a word for each dash
_DASHES = re.compile(  # the line below a table's header
    r"\n(?=[ \t>]*+[|:-])[ \t>]*+\|?+[ \t]*+:?+-++:?+[ \t]*+(?:[|+][ \t]*+:?+-++:?+[ \t]*+)*+\|?+[ \t]*+(?:\n|\Z)"
)
_COLUMNS = re.compile(r"[|+]")
_DIRECTIVE = re.compile(r"^([ \t]*+)\.\.[ \t]++(?:code-block|sourcecode|code|highlight)::[^\n]*+\n", _FLAGS)
_ROWS_BELOW = re.compile(r"^([ \t]*+)\.\.[ \t]++(list|csv)-table::[^\n]*+\n", _FLAGS)
_LIST_ROW = re.compile(r"^[ \t]++\*[ \t]++-(?=\s)", _FLAGS)
_TEXT_LINE = re.compile(r"^[ \t]*+\S", _FLAGS)
_SOURCE = re.compile(  # of AsciiDoc and of Org
    r"^(?:(?:\[source[^\n\]]*+\]\n)?+(?P<fence>[-.]{4,})|[ \t]*+#\+(?P<word>begin|end)_src\b[^\n]*+)[ \t]*+(?:\n|\Z)",
    _FLAGS | re.IGNORECASE,
)
_BARS = re.compile(r"^\|={3,}[ \t]*+(?:\n|\Z)", _FLAGS)
_CELL = re.compile(r"(?:(?<=\s)|^)(?:(\d+)(?:\.\d+)?\+|\.\d+\+)?[<^>.aehlmsd]*\|(?!=)", _FLAGS)
_GRID = re.compile(r"^[ \t]*+\+(?:-++\+)++[ \t]*+\n", _FLAGS)
_GRID_LINE = re.compile(r"[ \t]*+[+|][^\n]*+(?:\n|\Z)")
_GRID_BORDER = re.compile(r"^[ \t]*+\+[-=+]++[ \t]*+(?:\n|\Z)", _FLAGS)
_SIMPLE = re.compile(r"^[ \t]*+=++(?:[ \t]++=++)++[ \t]*+(?:\n|\Z)", _FLAGS)
_LEAD = re.compile(r":[*_]{0,3}[ \t]*+\n(?:[ \t]*+\n)*+(?=[ \t]*+(?:[-+\u2022]|[*.]{1,5}|\d{1,9}[.)])[ \t])")
_ITEM = re.compile(r"[ \t]*+(?:[-+\u2022]|[*.]{1,5}|\d{1,9}[.)])[ \t][^\n]*+(?:\n|\Z)")
_ITEMS = re.compile(  # an item or a paragraph of one, which is indented
    r"(?:[ \t]*+\n)*+(?:[ \t]*+(?:[-+\u2022]|[*.]{1,5}|\d{1,9}[.)])[ \t]|[ \t]++(?=\S))[^\n]*+"
    r"(?:\n[ \t]*+[^\s][^\n]*+)*+(?:\n|\Z)"
)
_TEXT = re.compile(r"[^\n]++(?:\n|\Z)")
_LINE = re.compile(r"([ \t]*+)([^\n]?)[^\n]*+(?:\n|\Z)")
_WORD = re.compile(r"\w")


class Block(NamedTuple):
    """Characters `start` to `end`; what begins at `body` or later gets `repeated` before it.

    A table is cut before its `rows`, a listing before each of its lines.
    """

    start: int
    end: int
    body: int
    repeated: str
    shape: Literal["listing", "table", "list"]
    rows: tuple[int, ...] = ()


def find_blocks(text: str, start: int, end: int, form: Format) -> list[Block]:
    """The blocks of a section, in order of where they begin; source code has none."""
    if form == "code":
        return []
    listings: list[Block] = []
    tables: Iterator[Block] = iter(())
    if form == "markdown":
        listings = [_fenced(text, low, high) for low, high in find_fences(text, start, end)]
        tables = _tables(text, start, end)
    elif form == "rst":
        listings = list(_directives(text, start, end))
        tables = chain(_grids(text, start, end), _simple_tables(text, start, end), _row_lists(text, start, end))
    else:
        listings = list(_sources(text, start, end))
        tables = chain(_tables(text, start, end), _barred(text, start, end))
    others = _outside(listings, chain(tables, _lists(text, start, end)))
    return sorted([*listings, *others], key=lambda block: (block.start, -block.end))


def _outside(listings: list[Block], blocks: Iterable[Block]) -> Iterator[Block]:
    """A listing of Markdown shows tables and lists, and has none."""
    starts = [listing.start for listing in listings]
    for block in blocks:
        at = bisect_right(starts, block.start) - 1
        if at < 0 or listings[at].end <= block.start:
            yield block


def _fenced(text: str, start: int, end: int) -> Block:
    """A first line that names no language says nothing."""
    body = text.find("\n", start, end) + 1 or end
    return Block(start, end, body, text[start:body] if _WORD.search(text, start, body) else "", "listing")


def _tables(text: str, start: int, end: int) -> Iterator[Block]:
    """A line with a bar, a line of dashes, and all lines with a bar below them."""
    at = start if text.find("|", start, end) >= 0 else end  # most sections have none
    while dashes := _DASHES.search(text, at, end):
        at = max(dashes.end() - 1, dashes.start() + 1)
        begin = text.rfind("\n", start, dashes.start()) + 1 or start
        head = text[begin : dashes.end()]
        if "|" not in head[: dashes.start() - begin] or not _COLUMNS.search(text, *dashes.span()):
            continue
        rows = list(_run(_PIPED, text, dashes.end(), end))
        at = rows[-1] if rows else at
        repeated = _short(head) if _WORD.search(head) and head.endswith("\n") else ""
        # The first row stays with the header: alone that says nothing.
        yield Block(begin, rows[-1] if rows else dashes.end(), dashes.end(), repeated, "table", tuple(rows[:-1]))


def _short(header: str) -> str:
    return _RULE.sub(r"\1\1\1", header)


def _run(line: re.Pattern[str], text: str, start: int, end: int) -> Iterator[int]:
    """The ends of the lines of a kind that follow one another from `start` on."""
    while start < end and (match := line.match(text, start, end)) and match.end() > start:
        start = match.end()
        yield start


def _directives(text: str, start: int, end: int) -> Iterator[Block]:
    """A code block, and all that is indented deeper below it."""
    at = start
    while match := _DIRECTIVE.search(text, at, end):
        at = _indented(text, match.end(), end, len(match[1]))
        yield Block(match.start(), at, match.end(), match[0].lstrip(" \t") + "\n", "listing")
        if at >= end:
            return


def _indented(text: str, start: int, end: int, indent: int) -> int:
    """The end of the lines from `start` on that are blank, or indented by more than `indent`."""
    for line in _LINE.finditer(text, start, end):
        if line[2] and len(line[1]) <= indent:
            return line.start()
    return end


def _row_lists(text: str, start: int, end: int) -> Iterator[Block]:
    """Tables whose rows are items, or lines; the first one is taken for their header."""
    at = start
    while match := _ROWS_BELOW.search(text, at, end):
        at = _indented(text, match.end(), end, len(match[1]))
        kind = _LIST_ROW if match[2] == "list" else _TEXT_LINE
        rows = [row.start() for row in kind.finditer(text, match.end(), at)]
        if len(rows) > 1:
            repeated = match[0] + "\n" + text[rows[0] : rows[1]].rstrip() + "\n"
            yield Block(match.start(), at, rows[1], repeated, "table", tuple(rows[2:]))


def _sources(text: str, start: int, end: int) -> Iterator[Block]:
    """Listings that say what they are, up to the line that closes them."""
    opened: re.Match[str] | None = None
    for line in _SOURCE.finditer(text, start, end):
        word = (line["word"] or "").lower()
        if opened is None:
            opened = line if word == "begin" or line[0].startswith("[") else None
        elif word == "end" if opened["word"] else line["fence"] == opened["fence"]:
            yield Block(opened.start(), line.end(), opened.end(), opened[0], "listing")
            opened = None


def _barred(text: str, start: int, end: int) -> Iterator[Block]:
    """Tables of AsciiDoc: what stands below the opening line, up to a blank one, is the header."""
    opened: re.Match[str] | None = None
    for bars in _BARS.finditer(text, start, end):
        if opened is None:
            opened = bars
            continue
        blank = text.find("\n\n", opened.end(), bars.start()) + 2
        body = blank if blank > 1 and text[opened.end()] != "\n" else opened.end()
        columns = sum(int(cell[1] or 1) for cell in _CELL.finditer(text, opened.end(), body))
        starts: list[int] = []
        count, line, seen = 0, body, body
        for cell in _CELL.finditer(text, body, bars.start()):
            line, seen = text.rfind("\n", seen, cell.start()) + 1 or line, cell.start()
            if columns and not count % columns:
                starts.append(line)
            count += int(cell[1] or 1)
        header = text[opened.start() : body] if columns else ""
        yield Block(opened.start(), bars.end(), body, header, "table", tuple(dict.fromkeys(starts[1:])))
        opened = None


def _grids(text: str, start: int, end: int) -> Iterator[Block]:
    """Rows of several lines between borders; the one below the header is made of equals signs."""
    at = start
    while match := _GRID.search(text, at, end):
        at = max(_run(_GRID_LINE, text, match.end(), end), default=match.end())
        borders = [(border.end(), "=" in border[0]) for border in _GRID_BORDER.finditer(text, match.end(), at)]
        header = next((stop for stop, is_header in borders if is_header), 0)
        rows = tuple(stop for stop, _ in borders if header < stop < at)
        yield Block(
            match.start(), at, header or at, _short(text[match.start() : max(header, match.start())]), "table", rows
        )


def _simple_tables(text: str, start: int, end: int) -> Iterator[Block]:
    """What stands between lines of equals signs; after the last of them there is a blank one."""
    begin, header = -1, 0
    for border in _SIMPLE.finditer(text, start, end):
        stop = border.end()
        is_last = stop >= end or not text[stop : stop + 1].strip()
        if begin < 0:
            begin, header = border.start(), 0
        elif not is_last and not header:
            header = stop
        else:
            rows = list(_run(_TEXT, text, header or stop, border.start()))
            yield Block(begin, stop, header or stop, _short(text[begin:header]), "table", tuple(rows[:-1]))
            begin = -1


def _lists(text: str, start: int, end: int) -> Iterator[Block]:
    """Items below a paragraph that ends with a colon."""
    at = start
    while lead := _LEAD.search(text, at, end):
        at = max(_run(_ITEMS, text, lead.end(), end), default=lead.end())
        begin = _lead_in(text, start, lead.start())
        words = text[begin : lead.end()].strip()
        if _WORD.search(words):
            space = "\n\n" if lead[0].count("\n") > 1 else "\n"
            yield Block(begin, at, lead.end(), words + space, "list")


def _lead_in(text: str, start: int, colon: int) -> int:
    """Where the paragraph that ends there begins, or its last sentence where it is long; headings are no part of it."""
    line = text.rfind("\n", start, colon) + 1 or start
    if _ITEM.match(text, line):
        return line
    low = max(start, colon - LONGEST_SENTENCE)
    blank = text.rfind("\n\n", low, colon)
    if blank >= 0 or low == start:
        begin = blank + 2 if blank >= 0 else start
        heading = text.rfind("\n#", max(0, begin - 1), colon)
        if heading >= 0 or text.startswith("#", begin):
            begin = text.find("\n", max(begin, heading + 1), colon) + 1 or colon
        return begin
    return max(text.rfind(mark, low, colon) + 1 for mark in (". ", "! ", "? ", "\n")) or colon
