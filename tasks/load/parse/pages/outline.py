"""A document's own outline as headings of its text."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from pypdfium2 import PdfDocument

from tasks.load.parse.pages.assembled import Assembled
from tasks.load.parse.pages.scripts import ordinary_letters
from tasks.places import Heading

_MOST = 20_000
_PAGE = re.compile(r"(?:page|seite|slide|folie|p\.)? ?\d+", re.IGNORECASE)  # says nothing of what stands there


def headings_of(pdf: PdfDocument, made: Assembled) -> tuple[Heading, ...]:
    """Headings in order of the text, at the line that has the title or else at the first one of the place named."""
    bookmarks = list(islice(pdf.get_toc(), _MOST))
    pages: dict[int, list[tuple[str, float, int, int]]] = {}
    for number, box, start, end in made.spans if bookmarks else ():
        pages.setdefault(number, []).append((_letters(made.text[start:end]), box.top, start, end))
    headings: list[Heading] = []
    for bookmark in bookmarks:
        title = " ".join(ordinary_letters(bookmark.get_title()).split())
        target = bookmark.get_dest()
        page = target and target.get_index()
        if not title or _PAGE.fullmatch(title) or target is None or page is None:
            continue
        _, view = target.get_view()
        top = view[1] if len(view) > 1 else view[0] if view else None
        span = _span(pages.get(page + 1, ()), _letters(title), top)
        start, end = span or _next(made, page + 1)
        if start < len(made.text):
            headings.append(Heading(start, end, bookmark.level + 1, title))
    headings.sort(key=lambda heading: heading.start)
    return tuple(headings)


def _span(lines: Sequence[tuple[str, float, int, int]], title: str, top: float | None) -> tuple[int, int] | None:
    """The characters of the heading on its page."""
    hits: list[tuple[float, int, int]] = []
    for at, (letters, height, start, end) in enumerate(lines):
        length, last = letters, at
        while title.startswith(length) and length != title and last + 1 < len(lines) and letters:
            last += 1
            length += lines[last][0]
        if title and length.endswith(title) and len(length) <= len(title) + 12:
            hits.append((abs(height - top) if top else 0.0, start, lines[last][3] if last > at else end))
    if hits:
        _, start, end = min(hits)
        return start, end
    below = [(start, start) for _, height, start, _ in lines if top is None or height <= top + 4]
    return below[0] if below else None


def _next(made: Assembled, page: int) -> tuple[int, int]:
    """The start of the first line behind a page's begin."""
    at = bisect_right(made.spans, page, key=lambda span: span[0])
    start = made.spans[at][2] if at < len(made.spans) else len(made.text)
    return start, start


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
