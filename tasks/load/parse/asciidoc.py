"""AsciiDoc: kept as it is, with its headings; what no reader sees is blank."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from tasks.load.parse.hidden import Span, absent, blanked
from tasks.load.parse.text import Parsed
from tasks.places import Extent, Heading
from tasks.titles import is_endless, short_title

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"([=~^+-])\1+[ \t]*")
_LEVELS = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}
_VERBATIM = re.compile(r"(-{4,}|\.{4,}|\+{4,}|/{4,}|`{3,}[^`]*)[ \t]*")
_ATTRIBUTE = re.compile(r"^:(!?[\w-]+!?):(?:[ \t]+(.*))?", re.MULTILINE)
_USED = re.compile(r"(?<![\\{$])\{([\w-]+)\}")
_INCLUDED = re.compile(r"include::([^\[\n]+)\[[^\n]*\]")
_SILENT = re.compile(
    r"(?://(?!/).*|(?:ifdef|ifndef|ifeval|endif)::.*|\[\[[^\]]*\]\]|\[#[\w:.-]+\]|toc::\[.*\]|<<<)[ \t]*"
)
_CONDITION = re.compile(r"ifn?def::[^\[\]\n]+\[([^\n]+)\][ \t]*")
_LINK = re.compile(
    r"(?:link:|xref:|mailto:|https?://)[^\s\[\]]*\[([^\]]*)\]|<<[^,>]*(?:,[ ]*([^>]*))?>>|\[\[[^\]]*\]\]|\[#[^\]]*\]"
)
_MARKED = re.compile(r"(?<!\w)(\*\*|__|``|##|\*|_|`|#)(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)")


class _Paragraph(NamedTuple):
    """The line above, and where it stands."""

    start: int
    text: str


def parse_asciidoc(text: str) -> Parsed:
    """The text without comments, conditions and anchors; attributes are put in, and then it has no extent."""
    if text.startswith("-----BEGIN PGP "):
        return Parsed("", remarks=("it is a signature or a key, and no text",))
    values = {match[1].lower(): match[2].strip() for match in _ATTRIBUTE.finditer(text) if match[2]}
    filled = _filled(text, values)
    hidden: list[Span] = []
    headings: list[Heading] = []
    files: list[str] = []
    fence, at, above = "", 0, _Paragraph(0, "")
    for line in filled.split("\n"):
        end = at + len(line)
        verbatim = _VERBATIM.fullmatch(line)
        if fence:
            hidden += [(at, end)] if fence.startswith("/") else []
            fence = "" if line.rstrip() == fence else fence
        elif heading := _heading(above, line, at, end):
            headings.append(heading)
        elif verbatim:
            fence = verbatim[1] if verbatim[1][0] != "`" else "```"
            hidden += [(at, end)] if fence.startswith("/") else []
        elif spans := _unseen(line):
            hidden += ((at + first, at + last) for first, last in spans)
        elif included := _INCLUDED.fullmatch(line.rstrip()):
            files.append(included[1])
            hidden.append((at, end))
        above = _Paragraph(
            at, line if not above.text.strip() or (headings[-1:] and headings[-1].end == at - 1) else "\n"
        )
        above = above if line.strip() else _Paragraph(at, "")
        at = end + 1
    title = next((heading.title for heading in headings), "")
    extent = Extent(line=1) if filled == text else Extent()
    return Parsed(blanked(filled, hidden), title, headings=tuple(headings), remarks=absent(files), extent=extent)


def _unseen(line: str) -> list[Span]:
    """What of a line is no text: the words of a condition are, for it may be true."""
    if condition := _CONDITION.fullmatch(line):
        return [(0, condition.start(1)), (condition.end(1), len(line))]
    return [(0, len(line))] if _SILENT.fullmatch(line) or _ATTRIBUTE.match(line) else []


def _filled(text: str, values: Mapping[str, str]) -> str:
    """With the attributes that the file itself defines, in lines that define none."""
    if not values:
        return text

    def value(name: re.Match[str]) -> str:
        return values.get(name[1].lower(), name[0])

    return "\n".join(line if _ATTRIBUTE.match(line) else _USED.sub(value, line) for line in text.split("\n"))


def _heading(above: _Paragraph, line: str, at: int, end: int) -> Heading | None:
    """One of a line, or of the earlier form: a line of its own, underlined as long as it is, give or take one."""
    marked = _HEADING.fullmatch(line)
    if marked:
        return Heading(at, end, len(marked[1]), plain_asciidoc(marked[2]))
    title = above.text.strip()
    if not title or not _UNDERLINE.fullmatch(line) or abs(len(title) - len(line.rstrip())) > 1:
        return None
    if not re.search(r"\w", title) or title[0] in "[.|:*" or title.startswith("//"):
        return None
    return Heading(above.start, end, _LEVELS[line[0]], plain_asciidoc(title))


def plain_asciidoc(text: str) -> str:
    """The words of a title, without marks, links and anchors."""
    if is_endless(text):
        return short_title(text)
    text = _LINK.sub(lambda link: (link[1] or link[2] or "").rstrip("^"), text)
    for _ in range(3):
        text = _MARKED.sub(r"\2", text)
    return short_title(re.sub(r"[ ]+=+$", "", text))
