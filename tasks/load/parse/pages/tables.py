"""Lines that stand in columns: rows of a table, or prose in columns side by side."""

import re
import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from tasks.load.parse.pages.lines import Line, joined, reads_on
from tasks.load.parse.pages.runs import Box, Run

_FARTHEST = 3.5  # of a line's height, between two rows of a table
_BETWEEN = 2  # rows with a single cell between two with more
_SPANNING = 0.25  # of the lines: what more of them cross is no gap between columns
_PROSE_CHARACTERS, _PROSE_WORDS = 24, 4
_ITEM = re.compile(r"(?:[^\w\s|]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]|\(\w{1,4}\)|\d+(?:\.\d+)+\.?)")


class Column(NamedTuple):
    """Its sides."""

    left: float
    right: float


class Row(NamedTuple):
    """A row of a table as text, and where it stands."""

    text: str
    box: Box
    size: float


def with_tables(flow: Sequence[Line]) -> Iterator[list[Line] | list[Row]]:
    """The flow in pieces: its tables as rows; prose in columns, one column after the other."""
    start = at = 0
    while at < len(flow):
        end = _end_of_zone(flow, at)
        columns = _columns(flow[at:end]) if end - at > 1 else []
        cells = [_assigned(line, columns) for line in flow[at:end]] if len(columns) > 1 else []
        if not cells or _is_list(cells):
            at = max(end, at + 1)
            continue
        if start < at:
            yield list(flow[start:at])
        if _is_prose(cells):
            end = _end_of_columns(flow, end, columns)
            yield from _in_columns(flow[at:end], columns)
        else:
            end = _end_of_columns(flow, end, columns, _pitch(flow[at:end])[0])
            yield _rows(flow[at:end], columns)
        start = at = end
    if start < len(flow):
        yield list(flow[start:])


def _end_of_zone(flow: Sequence[Line], start: int) -> int:
    """Behind the last of the lines with several cells that follow each other closely."""
    if len(flow[start].cells()) < 2:
        return start
    end = start + 1
    for at in range(start + 1, len(flow)):
        if at > end + _BETWEEN or flow[at - 1].bottom - flow[at].bottom > _FARTHEST * flow[at].size:
            break
        if len(flow[at].cells()) > 1:
            end = at + 1
    return end


def _columns(lines: Sequence[Line]) -> list[Column]:
    """Narrow cells make the columns; a cell over several of them does not join those that one row has apart."""
    rows = [[Column(cell[0].left, cell[-1].right) for cell in line.cells()] for line in lines]
    columns: list[Column] = []
    for cell in sorted((cell for row in rows if len(row) > 1 for cell in row), key=_width):
        over = [columns[at] for at in _over(*cell, columns)]
        if len(over) < 2 or not any(_apart(row, over) for row in rows):
            columns = [column for column in columns if column not in over]
            columns.append(Column(min(one.left for one in (cell, *over)), max(one.right for one in (cell, *over))))
    columns = _without_slivers(sorted(columns), rows, lines[0].size)
    spanning = sum(any(len(_over(*cell, columns)) > 1 for cell in row) for row in rows)
    return columns if spanning <= _SPANNING * len(rows) else []


def _without_slivers(columns: Sequence[Column], rows: Sequence[Sequence[Column]], gap: float) -> list[Column]:
    """The columns; two that nearly touch, and of which no row has both, are the title and the values of one."""
    whole: list[Column] = []
    for column in columns:
        if whole and column.left - whole[-1].right < gap and not any(_apart(row, (whole[-1], column)) for row in rows):
            whole[-1] = Column(whole[-1].left, max(whole[-1].right, column.right))
        else:
            whole.append(column)
    return whole


def _width(column: Column) -> float:
    return column.right - column.left


def _is_over(cell: Column, column: Column) -> bool:
    return cell.left < column.right and column.left < cell.right


def _apart(row: Sequence[Column], columns: Sequence[Column]) -> bool:
    return len({at for at, cell in enumerate(row) for column in columns if _is_over(cell, column)}) > 1


def _assigned(line: Line, columns: Sequence[Column]) -> list[list[Run]]:
    """The line's runs by column; a cell over several columns stands in the first of them."""
    cells: list[list[Run]] = [[] for _ in columns]
    for cell in line.cells():
        over = _over(cell[0].left, cell[-1].right, columns)
        if len(over) > 1 and len(cell) > 1:
            for run in cell:
                cells[(_over(run.left, run.right, columns) or over)[0]].append(run)
        else:
            cells[over[0] if over else _nearest(cell[0].left, columns)] += cell
    return cells


def _over(left: float, right: float, columns: Sequence[Column]) -> list[int]:
    return [at for at, (begin, end) in enumerate(columns) if left < end and begin < right]


def _nearest(left: float, columns: Sequence[Column]) -> int:
    return min(range(len(columns)), key=lambda at: abs(columns[at].left - left))


def _is_list(rows: Sequence[Sequence[list[Run]]]) -> bool:
    """Bullets or numbers, and beside each its text."""
    firsts = [joined(row[0]) for row in rows if row[0]]
    return len(rows[0]) == 2 and bool(firsts) and all(map(_ITEM.fullmatch, firsts))


def _is_prose(rows: Sequence[Sequence[list[Run]]]) -> bool:
    """Every column is full of long lines, or was drawn by itself and reads on from line to line."""
    columns = [[cell for cell in column if cell] for column in zip(*rows, strict=True)]
    orders = [[run.order for cell in column for run in cell] or [0] for column in columns]
    is_drawn_by_itself = all(max(left) < min(right) for left, right in pairwise(orders))
    if is_drawn_by_itself and all(reads_on([joined(cell) for cell in column]) for column in columns):
        return True
    for column in columns:
        counts = [sum(len(run.words) for run in cell) for cell in column]
        lengths = [sum(len(word) + 1 for run in cell for word in run.words) for cell in column]
        if counts and (statistics.mean(counts) < _PROSE_WORDS or statistics.mean(lengths) < _PROSE_CHARACTERS):
            return False
    return True


def _pitch(lines: Sequence[Line]) -> tuple[float, bool]:
    """How far apart rows usually are, and whether some of them follow each other."""
    rows = [(at, line.bottom) for at, line in enumerate(lines) if len(line.cells()) > 1]
    steps = [(above - below, next_at == at + 1) for (at, above), (next_at, below) in pairwise(rows)]
    close = [step for step, is_next in steps if is_next]
    return statistics.median(close or [step for step, _ in steps] or [0.0]), bool(close)


def _end_of_columns(flow: Sequence[Line], end: int, columns: Sequence[Column], pitch: float = 0.0) -> int:
    """Lines that go on in one column; below a table only those that are closer than its rows."""
    for at in range(end, len(flow)):
        step = flow[at - 1].bottom - flow[at].bottom
        limit = 0.85 * pitch if pitch else 1.5 * flow[at].size
        if step > limit or len(_over(flow[at].left, flow[at].right, columns)) != 1:
            return at
    return len(flow)


def _in_columns(lines: Sequence[Line], columns: Sequence[Column]) -> Iterator[list[Line]]:
    """One column after the other; or the cells of a table, where several lines of each were drawn in turn."""
    placed = [(at, cell) for line in lines for at, cell in enumerate(_assigned(line, columns)) if cell]
    drawn = [
        list(cells) for _, cells in groupby(sorted(placed, key=lambda one: one[1][0].order), key=lambda one: one[0])
    ]
    if not len(columns) < len(drawn) <= len(placed) / 2:
        drawn = [list(cells) for _, cells in groupby(sorted(placed, key=lambda one: one[0]), key=lambda one: one[0])]
    for cells in drawn:
        yield [Line(cell[0], cell) for _, cell in cells]


def _rows(lines: Sequence[Line], columns: Sequence[Column]) -> list[Row]:
    """A line that is closer than rows are may go on with the row above."""
    pitch, is_sure = _pitch(lines)
    rows: list[tuple[list[str], Box, float]] = []
    for above, line in zip([None, *lines], lines, strict=False):
        cells = [joined(runs) for runs in _assigned(line, columns)]
        is_close = above is not None and above.bottom - line.bottom < 0.85 * pitch
        if is_close and (is_sure or not cells[0]) and _is_rest(cells, rows[-1][0]):
            texts, box, size = rows[-1]
            united = [f"{text} {cell}".strip() for text, cell in zip(texts, cells, strict=True)]
            rows[-1] = (united, around(box, line.box), size)
        else:
            rows.append((cells, line.box, line.size))
    return [Row(f"| {' | '.join(cells)} |", box, size) for cells, box, size in rows]


def _is_rest(cells: Sequence[str], above: Sequence[str]) -> bool:
    """Whether cells go on with those above: not where both have every cell, or two numbers would be one."""
    pairs = [pair for pair in zip(above, cells, strict=True) if all(pair)]
    return len(pairs) < len(cells) and not any(one[:1].isdigit() and two[:1].isdigit() for one, two in pairs)


def around(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    return Box(
        min(one.left, other.left), min(one.bottom, other.bottom), max(one.right, other.right), max(one.top, other.top)
    )
