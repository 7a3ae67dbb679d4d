"""Blocks of Markdown whose lines are no paragraphs: fenced code, comments, and HTML.

Every line is looked at a bounded number of times: somebody's file has a megabyte of backticks in one.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Form = Literal["code", "comment", "verbatim", "html"]

NEAR = 2_000  # characters behind a list's item in which the end of its fence is looked for
TAB = 4
UNDECIDED = 20  # rows behind one that may end a block, after which it does
_START = re.compile(r"```|~~~|<(?=[A-Za-z/!?])")
_MARKS = re.compile(r"([ \t]*+)((?:>[ \t]?)*+)((?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*+)[ \t]*+")
_MARKED = re.compile(r"[ \t]*+(?:[-*+>]|\d{1,9}[.)])")
_ROW = r"\n([ \t>]*+)((?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*+)"
_RUNS = {"`": re.compile(_ROW + r"(`{3,})([^\n]*+)"), "~": re.compile(_ROW + r"(~{3,})([^\n]*+)")}
# What stands behind a mark that closes a block in a hurry: words or a full stop, and no name of a language.
_TRAILING = re.compile(r"[ \t]*[.,;:!)]|[ \t]+[^\s={}]+[ \t]+[^\s={}]+[ \t]+[^={}]+$")
_VERBATIM = re.compile(r"<(?:pre|script|style|textarea)(?=[\s>]|\Z)", re.IGNORECASE)
_VERBATIM_END = re.compile(r"</(?:pre|script|style|textarea)>", re.IGNORECASE)
_ENDS = (("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">"))
_BLOCK = re.compile(
    r"</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl"
    r"|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main"
    r"|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title"
    r"|tr|track|ul)(?=[\s>]|/>|\Z)",
    re.IGNORECASE,
)
_ALONE = re.compile(r"<(?:/[A-Za-z][\w-]*\s*|[A-Za-z][\w-]*(?:\s+[^<>\n]*)?/?)>[ \t]*(?=\n|\Z)")
_KEPT = (("<!--", "-->"), ("<pre", "</pre>"), ("<script", "</script>"), ("<style", "</style>"))
_BLANK = re.compile(r"\n[ \t]*+(?=\n|\Z)")


class Block(NamedTuple):
    """Characters `start` to `end`, the line feed of the last line left out but for `code` that is never closed."""

    start: int
    end: int
    form: Form


class _Fence(NamedTuple):
    """`offset` is the column at which the lines of its list's item stand, 0 for one outside of lists."""

    mark: str
    length: int
    column: int
    offset: int
    is_quoted: bool


def find_blocks(text: str, start: int, end: int, *, only_code: bool = False) -> Iterator[Block]:
    """The blocks in order; what is never closed goes on to the end, as in a browser."""
    while start < end and (candidate := _START.search(text, start, end)):
        line = max(start, text.rfind("\n", start, candidate.start()) + 1)
        if candidate[0] != "<":
            block = _fenced(text, line, candidate.start(), end)
        else:
            block = None if only_code else _markup(text, line, candidate.start(), end)
        if block:
            yield block
            start = block.end
        elif only_code and candidate[0] == "<":
            start = candidate.end()
        else:
            after = text.find("\n", candidate.end(), end)
            start = end if after < 0 else after + 1


def _fenced(text: str, line: int, at: int, end: int) -> Block | None:
    """The block that a row of ticks opens, where nothing but the marks of lists and quotes stands before it."""
    marks = _MARKS.fullmatch(text, line, at)
    after = text.find("\n", at, end)
    after = end if after < 0 else after
    if not marks:
        return None
    mark = text[at]
    length = _run(text, at, after)
    if mark == "`" and text.find("`", at + length, after) >= 0:
        return None  # inline code in three ticks
    column = len(text[line:at].expandtabs(TAB))
    fence = _Fence(mark, length, column, column if marks[3] else 0, bool(marks[2]))
    if marks[3] or marks[2] or column >= TAB:
        stop = _inside(text, fence, after, end)
    else:
        stop = _closed(text, fence, after, end)
    return None if stop is None else Block(line, stop, "code")


def _run(text: str, at: int, end: int) -> int:
    return end - at - len(text[at:end].lstrip(text[at]))


def _closed(text: str, fence: _Fence, after: int, end: int) -> int:
    """Where a block outside of lists ends: at a row as long, or, in a hurry, at what looks like one.

    A row that is indented by four or has words behind it closes no block. But where the block would then swallow the
    next one, or all the rest, it was meant to.
    """
    hurried, nested, undecided, is_bare = 0, 0, 0, False
    for row in _rows(text, fence, after, end):
        undecided = undecided + 1 if hurried else 0
        if undecided > UNDECIDED:
            break
        blanks, marks, _, rest = row.groups()
        is_indented = len(blanks.expandtabs(TAB)) >= TAB
        if marks or (rest.strip() and not _TRAILING.match(rest)):  # a block begins
            if hurried and not is_indented:
                return hurried
            nested += not hurried and is_indented and not marks
        elif not rest.strip() and not is_indented:
            return (is_bare and hurried) or row.end()
        elif nested:
            nested -= 1
        elif is_bare or not hurried:  # two bare ones are a block that is shown
            hurried, is_bare = 0 if hurried else row.end(), not rest.strip()
    return hurried or end


def _rows(text: str, fence: _Fence, after: int, end: int) -> Iterator[re.Match[str]]:
    """Rows of ticks that are long enough to close the block."""
    for row in _RUNS[fence.mark].finditer(text, after, end):
        if len(row[3]) >= fence.length and ">" not in row[1]:
            yield row


def _inside(text: str, fence: _Fence, after: int, end: int) -> int | None:
    """Where a block in a list or a quote ends, at the latest with these.

    An indented one outside of both is known by its end alone: otherwise it is indented code that shows a fence.
    """
    over = r"(?![ \t]*+>)" if fence.is_quoted else rf"(?! {{{min(fence.offset or 2, 12)}}}|[ ]*\t|[ \t]*+(?:\n|\Z))"
    stop = end
    for row in re.compile(rf"\n(?:{over}|([ \t>]*+)({fence.mark}{{3,}})([^\n]*+))").finditer(text, after, end):
        if not row[2]:
            stop = row.start()
            break
        if len(row[2]) >= fence.length and not row[3].strip():
            return row.end()
    if not fence.offset and not fence.is_quoted:
        return None
    meant = None if _MARKED.match(text, stop + 1, end) else _RUNS[fence.mark].search(text, stop, min(end, stop + NEAR))
    return meant.end() if meant and not (meant[2] or meant[4].strip() or ">" in meant[1]) else stop


def _markup(text: str, line: int, at: int, end: int) -> Block | None:
    """The block that a line opens which begins with an element or a comment."""
    if at - line >= TAB or text[line:at].strip(" "):
        return None
    if _VERBATIM.match(text, at, end):
        return _until(text, line, _VERBATIM_END.search(text, at, end), end, "verbatim")
    for mark, close in _ENDS:
        if text.startswith(mark, at):
            found = re.compile(re.escape(close)).search(text, at + (2 if mark == "<!--" else len(mark)), end)
            return _until(text, line, found, end, "comment")
    above = text[text.rfind("\n", 0, max(0, line - 1)) + 1 : line]
    if not _BLOCK.match(text, at, end) and (above.strip() or not _ALONE.match(text, at, end)):
        return None
    blank = _BLANK.search(text, at, end)
    stop = blank.start() if blank else end
    for mark, close in _KEPT:  # for a browser a blank line does not end these
        if text.rfind(mark, at, stop) > text.rfind(close, at, stop):
            return _until(text, line, re.compile(close).search(text, stop, end), end, "html")
    return Block(line, stop, "html")


def _until(text: str, line: int, stop: re.Match[str] | None, end: int, form: Form) -> Block:
    """A block of HTML takes all of the line that closes it."""
    after = text.find("\n", stop.end(), end) if stop else -1
    return Block(line, end if after < 0 else after, form)
