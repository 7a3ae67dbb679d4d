"""Markdown: kept as it is, for the chunker sees its structure; what no reader sees is blank."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from tasks.blocks import find_blocks
from tasks.load.parse.front_matter import read_front_matter
from tasks.load.parse.hidden import Span, blanked
from tasks.load.parse.text import Parsed
from tasks.markdown import find_headings
from tasks.places import Extent
from tasks.titles import plain_title

NEAR_LINES = 50  # above an indented comment, in which its list begins
_TICKS = re.compile(r"(?<!`)`+")
_COMMENT = re.compile("<!--")
_UNSEEN = re.compile(r"<(script|style)\b", re.IGNORECASE)
_ENDS = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")}
_NOTE = re.compile(r"^ {0,3}\[(?://|comment|_)[^\]\n]*\]:[^\n]*", re.MULTILINE | re.IGNORECASE)
_COMMENT_END = re.compile("-->")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_MARKS = re.compile(r"[ \t>\-*+0-9.)]*")  # before what a line says
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]")


def parse_markdown(text: str) -> Parsed:
    """The text without its front matter; the title is its `title`, or the first heading."""
    return read_page(text, unseen)


def read_page(text: str, hidden: Callable[[str], list[Span]]) -> Parsed:
    """A page in Markdown, or in a dialect of it, which says what of it is hidden."""
    front = read_front_matter(text)
    named = plain_title(front.text("title"))
    body = text[front.end :]
    body = blanked(body, hidden(body))
    title = named or next((heading.title for heading in find_headings(body) if heading.title), "")
    extent = Extent(front.end, 1 + text.count("\n", 0, front.end))
    return Parsed(body, title, extent=extent, properties=front.fields)


def unseen(text: str) -> list[Span]:
    """Comments, scripts and styles outside of code."""
    if "<" not in text and "[" not in text:
        return []
    spans: list[Span] = []
    floor = 0
    for block in find_blocks(text, 0, len(text)):
        spans += _comments(text, floor, block.start)
        if block.form == "html" or block.form == "verbatim":
            spans += _programs(text, block.start, block.end)
            spans += _in_markup(text, block.start, block.end)
        elif block.form == "comment":
            end = text.rfind("-->", block.start, block.end)
            spans.append((block.start, block.end if end < 0 or text[block.start :].lstrip()[:4] != "<!--" else end + 3))
        floor = block.end
    return [*spans, *_comments(text, floor, len(text))]


def _programs(text: str, start: int, end: int) -> Iterator[Span]:
    ends = {name: _Ahead(pattern, text, end) for name, pattern in _ENDS.items()}
    for match in _UNSEEN.finditer(text, start, end):
        close = ends[match[1].lower()].next(match.end())
        if match.start() >= start and close < end:
            start = text.index(">", close) + 1
            yield match.start(), start


def _in_markup(text: str, start: int, end: int) -> Iterator[Span]:
    while (start := text.find("<!--", start, end)) >= 0:
        close = text.find("-->", start + 4, end)
        stop = end if close < 0 else close + 3
        yield start, stop
        start = stop


def _comments(text: str, start: int, end: int) -> Iterator[Span]:
    """Those between blocks: in a line of text, and not in `code`; or as an item of a list."""
    yield from (match.span() for match in _NOTE.finditer(text, start, end))
    if text.find("<!--", start, end) < 0:
        return
    code = code_spans(text, start, end)
    starts = [low for low, _ in code]
    closes, blanks = _Ahead(_COMMENT_END, text, end), _Ahead(_BLANK_LINE, text, end)
    floor, seen, line_start = start, 0, 0
    for match in _COMMENT.finditer(text, start, end):
        at = match.start()
        line_start = text.rfind("\n", seen, at) + 1 or line_start
        is_block = line_start >= seen and _MARKS.fullmatch(text, line_start, at) is not None
        seen = at
        span = code[bisect_left(starts, at) - 1] if bisect_left(starts, at) else (0, 0)
        close = closes.next(match.end())
        if at < floor or at < span[1] or close == end:
            continue
        line = text[line_start:at].expandtabs(4) if is_block else ""
        if len(line) - len(line.lstrip()) >= 4 and not _is_in_list(text, at):
            continue  # code that shows a comment
        if is_block or blanks.next(at) >= close:
            floor = close + 3
            yield at, floor


def code_spans(text: str, start: int, end: int) -> list[Span]:
    """Where `code` stands: a row of ticks up to the next row as long in the same paragraph."""
    rows: dict[int, list[int]] = {}
    ticks = list(_TICKS.finditer(text, start, end))
    for match in ticks:
        rows.setdefault(len(match[0]), []).append(match.start())
    spans: list[Span] = []
    blanks = _Ahead(_BLANK_LINE, text, end)
    floor = start
    for match in ticks:
        if match.start() < floor:
            continue
        same = rows[len(match[0])]
        after = bisect_left(same, match.end())
        if after < len(same) and same[after] < blanks.next(match.end()):
            floor = same[after] + len(match[0])
            spans.append((match.start(), floor))
    return spans


class _Ahead:
    """The next match from a place that only moves on: each sign of the text is looked at once."""

    def __init__(self, pattern: re.Pattern[str], text: str, end: int) -> None:
        self._pattern, self._text, self._end = pattern, text, end
        self._at = -1

    def next(self, start: int) -> int:
        """Where it begins, the end of the text where there is none."""
        if self._at < start:
            match = self._pattern.search(self._text, start, self._end)
            self._at = match.start() if match else self._end
        return self._at


def _is_in_list(text: str, at: int) -> bool:
    """Whether the nearest line above that is less indented begins an item, or belongs to one."""
    for _ in range(NEAR_LINES):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return False
        line = text[text.rfind("\n", 0, at) + 1 : at].expandtabs(4)
        if line.strip() and len(line) - len(line.lstrip()) < 4:
            return bool(_ITEM.match(line)) or line.startswith(" ")
    return False
