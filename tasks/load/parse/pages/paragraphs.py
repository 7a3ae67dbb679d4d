"""A page's lines as paragraphs: each entry is a line or a row, and says whether it begins something new."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

from tasks.load.parse.pages.lines import Line, flows
from tasks.load.parse.pages.runs import Box, Run
from tasks.load.parse.pages.scripts import ordinary_letters
from tasks.load.parse.pages.tables import Row, with_tables

Break = Literal["line", "paragraph", "column"]  # what comes before: a column may go on with a sentence
_LOOSE = 1.25  # of the usual step from line to line: the next paragraph
_ENOUGH, _SINGLE_SPACED = 4, 1.05
_OTHER_SIZE = 0.12
_ENDS = (".", "!", "?", "\u3002", "\u201d", '"')


@dataclass(slots=True)
class Entry:
    """One line of the page as text; `box` as on an upright page."""

    text: str
    box: Box
    size: float
    before: Break
    is_row: bool = False


def entries(parts: Iterable[Sequence[Run] | Sequence[Row]]) -> list[Entry]:
    """The page's lines in the order of reading; rows that are known stay as they are."""
    made: list[Entry] = []
    all_flows: list[list[Line]] = []
    pieces: list[Sequence[Line] | Sequence[Row]] = []
    for part in parts:
        if isinstance(part[0], Row):
            pieces.append(cast("Sequence[Row]", part))
            continue
        made_flows = flows(cast("Sequence[Run]", part))
        all_flows += made_flows
        pieces += [piece for flow in made_flows for piece in with_tables(flow)]
    step = _usual_step(all_flows)
    for piece in pieces:
        before: Break = "column"
        above: Line | Row | None = None
        for line in piece:
            if above is not None:
                before = _break(above, line, step)
            made.append(Entry(ordinary_letters(line.text), line.box, line.size, before, isinstance(line, Row)))
            above = line
    return [entry for entry in made if entry.text.strip()]


def _usual_step(all_flows: Sequence[Sequence[Line]]) -> float:
    """From line to line, in heights of their letters."""
    steps = [
        (above.bottom - below.bottom) / below.size
        for flow in all_flows
        for above, below in pairwise(flow)
        if below.size > 0 and abs(above.size - below.size) <= _OTHER_SIZE * below.size
    ]
    close = [step for step in steps if 0.3 < step < 3]
    return statistics.median(close) if len(close) >= _ENOUGH else _SINGLE_SPACED


def _break(above: Line | Row, line: Line | Row, step: float) -> Break:
    if isinstance(line, Row) or isinstance(above, Row):
        return "line"
    if abs(above.size - line.size) > _OTHER_SIZE * max(above.size, line.size):
        return "paragraph"
    if above.bottom - line.bottom > _LOOSE * step * line.size:
        return "paragraph"
    is_indented = 0.6 * line.size < line.left - above.left < 6 * line.size
    return "paragraph" if is_indented and above.text.endswith(_ENDS) else "line"
