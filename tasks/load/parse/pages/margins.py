"""Running headers and footers, which stand at the same place of page after page."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from tasks.load.parse.pages.lines import GAP
from tasks.load.parse.pages.paragraphs import Entry

_MARGIN = 0.14  # of the page's height, above and below
_LINES = 3
_FEWEST, _SHARE = 3, 0.4  # of the pages that have text: left and right pages may have headers of their own
_SAME_PLACE = 6.0  # points
_PAGE = re.compile(
    r"(?:pages?|p\.|pp\.|pg\.?|seite|s\.|blatt|p[a\u00e1]gina|pag\.|side|sida|strana|\u0441\u0442\u0440\.?|\u7b2c)? ?"
    r"[-\u2013\u2014|\[(]? ?(\d{1,5}) ?[-\u2013\u2014|\])]?"
    r"(?: ?(?:of|/|von|de|sur|di|av|van|\u0438\u0437) ?\d{1,5})? ?(?:\u9875|\u9801|\u30da\u30fc\u30b8)?",
    re.IGNORECASE,
)

Page = tuple[int, Sequence[Entry], float, float]  # its number, its lines, where its bottom and its top are


def running(pages: Sequence[Page]) -> list[Entry]:
    """The lines that repeat what stands at their place on an earlier page, but for the page's number."""
    places: dict[str, dict[int, Entry]] = defaultdict(dict)
    for number, entries, bottom, top in pages:
        for side, entry in _outermost(entries, bottom, top):
            for text in _without_number(entry.text, number):
                places[f"{side} {text}"].setdefault(number, entry)
    fewest = max(_FEWEST, _SHARE * len(pages))
    repeated: dict[int, Entry] = {}
    for group in places.values():
        usual = statistics.median(entry.box.bottom for entry in group.values())
        same = [entry for entry in group.values() if abs(entry.box.bottom - usual) <= _SAME_PLACE]
        if len(same) >= fewest:
            repeated.update((id(entry), entry) for entry in same[1:])
    return list(repeated.values())


def _outermost(entries: Sequence[Entry], bottom: float, top: float) -> Iterator[tuple[str, Entry]]:
    height = _MARGIN * (top - bottom)
    above = [entry for entry in entries if entry.box.bottom > top - height]
    below = [entry for entry in entries if entry.box.top < bottom + height]
    above.sort(key=lambda entry: -entry.box.bottom)
    below.sort(key=lambda entry: entry.box.bottom)
    return chain((("top", entry) for entry in above[:_LINES]), (("bottom", entry) for entry in below[:_LINES]))


def _without_number(text: str, page: int) -> Iterator[str]:
    """The text, and the text with the page's number as the distance from how many pages there were so far.

    A number that is not for itself, like that of a bill, is the page's own words.
    """
    cells = text.strip().split(GAP)
    yield GAP.join(cells)
    for at, cell in enumerate(cells):
        match = _PAGE.fullmatch(cell)
        if match:
            yield GAP.join((*cells[:at], f"#{int(match[1]) - page}#", *cells[at + 1 :]))
