"""Search results as a person reads them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from tasks.console.terminal import line_of, printable
from tasks.load.parse.formats import CODE, format_of
from tasks.search.query import Found

LINES_SHOWN = 6
INDENT = 4
_BLOCK = re.compile(r"\n(?=\s*(?:[-*+|#>]|\d+[.)]\s)|\s*\n)")  # where prose begins a new line: items, rows, paragraphs
_TOO_COMMON = (
    " a about an and any are as at be by can do does for from has have how i if in is it its me my no not of on or our"
    " that the their there these this to us was we what when where which who why will with you your "
)


def telling_words(query: str) -> list[str]:
    """Those that say what is looked for; all of them where that leaves none."""
    words = list(dict.fromkeys(re.findall(r"\w+", query.lower())))
    return [word for word in words if f" {word} " not in _TOO_COMMON] or words


def hits_text(hits: Sequence[Found], query: str, width: int, first: int = 1) -> str:
    """A line for each hit that says where it stands, and below it those lines of its text that fit the query best.

    With its neighbours, where these were asked for, all of them are shown. `first` is the rank of the first of them.
    """
    if not hits:
        return "nothing found: the collection is empty, or --filter, --min-score and --offset leave nothing of it"
    words = telling_words(query)
    digits = len(str(first + len(hits) - 1))
    return "\n\n".join(
        "\n".join(
            [
                f"{rank:>{digits}}  {_place(hit)}",
                *filter(None, [_passage(hit, words, max(width - INDENT, 20))]),
                *(f"{' ' * INDENT}the same: {_where(copy)}" for copy in hit.copies),
            ]
        )
        for rank, hit in enumerate(hits, start=first)
    )


def _place(hit: Found) -> str:
    """Score, and then where it stands; the link, where it is one of the web."""
    link = hit.link if hit.link.startswith("http") else ""
    return "  ".join(filter(None, [f"{hit.score:.3f}", _where(hit), line_of(link)]))


def _where(hit: Found) -> str:
    """Document, place in it, or else which chunk of the document it is, and headings above."""
    heading = hit.metadata.get("heading") or hit.metadata.get("title") or ""
    position = hit.metadata.get("position")
    chunk = f"chunk {position + 1}" if isinstance(position, int) else ""
    places = [hit.document, _in_file(hit.metadata) or chunk, str(heading)]
    return ", ".join(map(line_of, filter(None, places)))


def _in_file(metadata: Mapping[str, object]) -> str:
    """Pages, slides, cells, times or lines, in a few words; for a picture its size."""
    if "width" in metadata and "height" in metadata:
        return f"{metadata['width']} x {metadata['height']}"
    pages, slides, sheets = (_span(metadata.get(kind)) for kind in ("page", "slide", "sheet"))
    lines = _span([line for line in (metadata.get("line"), metadata.get("last_line")) if line is not None])
    named = {"p.": pages, "slide": slides, "sheet": sheets, "cells": metadata.get("cells"), "at": metadata.get("time")}
    parts = [f"{word} {value}" for word, value in named.items() if value]
    return " ".join(parts) or (f"lines {lines}" if "-" in lines else lines and f"line {lines}")


def _span(values: object) -> str:
    if not isinstance(values, list) or not values:
        return ""
    return str(values[0]) if values[0] == values[-1] else f"{values[0]}-{values[-1]}"


def _passage(hit: Found, words: Sequence[str], width: int) -> str:
    lines = _lines(hit, width)
    if hit.before or hit.after:
        return "\n".join(" " * INDENT + line for line in lines)
    starts = range(max(len(lines) - LINES_SHOWN, 0) + 1)
    best = max(starts, key=lambda start: _found_in(lines[start : start + LINES_SHOWN], words))
    shown = lines[best : best + LINES_SHOWN]
    if best:
        shown[0] = f"… {shown[0]}"
    if best + LINES_SHOWN < len(lines):
        shown[-1] = f"{shown[-1]} …"
    return "\n".join(" " * INDENT + line for line in shown)


def _found_in(lines: Sequence[str], words: Sequence[str]) -> int:
    text = " ".join(lines).lower()
    return sum(word in text for word in words)


def _lines(hit: Found, width: int) -> list[str]:
    """Code keeps its lines, prose flows; `width` is in cells, of which some characters take two."""
    from rich.console import Console
    from rich.text import Text

    text = printable("\n".join([*hit.before, hit.text, *hit.after]))
    if format_of(PurePosixPath(hit.document).suffix.lower()) is not CODE:
        parts = text.splitlines() if "```" in text else _BLOCK.split(text)
        blocks = [Text(line_of(part)) for part in parts if part.strip()]
        return [line.plain.rstrip() for block in blocks for line in block.wrap(Console(), width - 2)]
    lines = [Text(line.rstrip()) for line in text.expandtabs(4).splitlines() if line.strip()]
    for line in lines:
        line.truncate(width - 2, overflow="ellipsis")
    return [line.plain for line in lines]
