"""Where the parts of a document's text stand: under which titles, and in which part of the file."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal, NamedTuple

_DIGITS = "0123456789"
PlaceKind = Literal["page", "slide", "sheet", "cells", "time", "rectangle"]


class Heading(NamedTuple):
    """Characters `start` to `end` of the text; a heading of `level` 1 is above all others."""

    start: int
    end: int
    level: int
    title: str


class Place(NamedTuple):
    """The text stands here in its file from the character `start` on, up to the next place of its kind.

    A `page` and a `slide` are numbers from 1; `cells` are `A2:F9`, a `time` is `00:01:02.500 --> 00:01:04.000`, a
    `rectangle` is its page and then left, bottom, right and top in points, apart by blanks.
    """

    start: int
    kind: PlaceKind
    value: int | str


class Extent(NamedTuple):
    """What of its file a text shows: from character `offset` and line `line` on; no `line` where a file has none."""

    offset: int = 0
    line: int = 0


UNKNOWN = Extent()


class Places:
    """The places of one text, to be asked for its parts."""

    def __init__(self, places: Sequence[Place]) -> None:
        """The places are in order of their characters."""
        self._kinds: dict[str, tuple[list[int], list[int | str]]] = {}
        for place in places:
            starts, values = self._kinds.setdefault(place.kind, ([], []))
            starts.append(place.start)
            values.append(place.value)

    def between(self, start: int, end: int) -> dict[str, list[int | str] | str]:
        """The places that the characters from `start` to before `end` stand in, by kind, flat and small.

        Pages, slides and sheets are lists, for a text over a page break stands on both pages; cells and times are one
        range from the first to the last; rectangles are one for each page.
        """
        kinds: dict[str, list[int | str] | str] = {}
        for kind, (starts, values) in self._kinds.items():
            first = max(bisect_right(starts, start) - 1, 0)
            inside = list(dict.fromkeys(values[first : bisect_left(starts, end)]))
            if inside:
                kinds[kind] = _joined(kind, inside)
        return kinds


def _joined(kind: str, values: list[int | str]) -> list[int | str] | str:
    if kind == "cells":
        return _rectangle(values)
    if kind == "time":
        return _range(values, " --> ")
    return _united(values) if kind == "rectangle" else values


def _range(values: Sequence[int | str], between: str) -> str:
    """Begin of the first range to end of the last."""
    first, last = str(values[0]).split(between), str(values[-1]).split(between)
    return between.join(dict.fromkeys((first[0], last[-1])))


def _rectangle(ranges: Sequence[int | str]) -> str:
    """The smallest range of cells that holds all: rows need not be as wide as each other."""
    corners = [(corner.rstrip(_DIGITS), corner) for one in ranges for corner in str(one).split(":")]
    rows = [int(corner.removeprefix(column)) for column, corner in corners]
    columns = sorted({column for column, _ in corners}, key=lambda column: (len(column), column))
    return ":".join(dict.fromkeys((f"{columns[0]}{min(rows)}", f"{columns[-1]}{max(rows)}")))


def _united(rectangles: Sequence[int | str]) -> list[int | str]:
    """The smallest rectangle for each page that holds those of the page."""
    pages: dict[str, list[float]] = {}
    for rectangle in rectangles:
        page, *sides = str(rectangle).split()
        left, bottom, right, top = map(float, sides)
        around = pages.setdefault(page, [left, bottom, right, top])
        pages[page] = [min(around[0], left), min(around[1], bottom), max(around[2], right), max(around[3], top)]
    return [f"{page} {' '.join(f'{side:g}' for side in sides)}" for page, sides in pages.items()]
