"""Tables: a grid with spans resolved, as Markdown, or text where a table only lays the page out."""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from tasks.load.parse.page.flow import Block, joined

MOST_REPEATED = 60  # characters of a cell that are said again in each row it reaches into
LONG_CELL = 1000  # characters that no cell of a table of data has
SPARE = 1000


@dataclass(slots=True)
class Cell:
    """One cell, and how many rows and columns it covers."""

    blocks: list[Block]
    rows: int = 1
    columns: int = 1
    is_head: bool = False


@dataclass(slots=True)
class Table:
    """Rows as they come; `heads` counts those of the head, `inner` how deep tables stand in it."""

    is_layout: bool = False
    rows: list[list[Cell]] = field(default_factory=list)
    caption: list[Block] = field(default_factory=list)
    heads: int = 0
    inner: int = 0
    in_head: bool = False

    def blocks(self) -> tuple[list[Block], str]:
        """What to write, and a remark if the table is too large for its spans to be followed."""
        rows = [row for row in self.rows if row]
        if self.is_layout or self._lays_out(rows):
            return [*self.caption, *(block for row in rows for cell in _code_only(row) for block in cell.blocks)], ""
        heads = self._heads(rows)
        grid = _grid(rows)
        remark = ""
        if grid is None:
            grid = [{column: _flat(cell) for column, cell in enumerate(row)} for row in rows]
            remark = f"a table of {len(rows):,} rows is read without its merged cells, of which it has too many"
        columns = sorted({column for row in grid for column in row})
        if not any(text for row in grid for text in row.values()):
            return self.caption, remark
        shown = [_line(row, columns) for row in _merged(grid, heads, columns)]
        if not heads:
            shown.insert(0, "| " + " | " * (len(columns) - 1) + " |")
        shown.insert(1, "|" + "---|" * len(columns))
        flat = " / ".join(", ".join(text for _, text in sorted(row.items()) if text) for row in grid)
        return [*self.caption, Block("\n".join(shown), "table", flat)], remark

    def _heads(self, rows: list[list[Cell]]) -> int:
        """How many rows say what the columns are."""
        if self.heads:
            return min(self.heads, len(rows)) if self.heads <= 4 else 1
        return int(len(rows) > 1 and all(cell.is_head for cell in rows[0]))

    def _lays_out(self, rows: list[list[Cell]]) -> bool:
        cells = [cell for row in rows for cell in row]
        if len(cells) <= 1 or self.inner > 1:
            return True
        if self.heads or any(cell.is_head for cell in cells):
            return False
        if any(_is_listing(row) for row in rows):
            return True
        blocks = [block for cell in cells for block in cell.blocks]
        return any(
            block.form in ("heading", "rule")
            or (block.form == "code" and "\n" in block.flat)
            or len(block.text) > LONG_CELL
            for block in blocks
        )


def _is_listing(row: list[Cell]) -> bool:
    return len(_code_only(row)) < len(row)


def _code_only(row: list[Cell]) -> list[Cell]:
    """Without line numbers, where the row has a listing beside them."""
    if not any(block.form == "code" for cell in row for block in cell.blocks):
        return row
    return [cell for cell in row if not _are_numbers(cell)] or row


def _are_numbers(cell: Cell) -> bool:
    words = " ".join(block.flat or block.text for block in cell.blocks).split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 9 for word in words):
        return False
    return all(int(after) - int(before) == 1 for before, after in pairwise(words))


def _grid(rows: list[list[Cell]]) -> list[dict[int, str]] | None:
    """Texts by column where a cell begins; None where spans would make many times as many cells as there are."""
    budget = SPARE + 3 * sum(map(len, rows))
    open_spans: dict[int, tuple[int, int, str]] = {}  # by first column: the one after it, rows to come, text
    grid: list[dict[int, str]] = []
    for cells in rows:
        texts = {first: text for first, (_, _, text) in open_spans.items()}
        taken = {first: after for first, (after, _, _) in open_spans.items()}
        budget -= len(taken) + len(cells)
        if budget < 0:
            return None
        spans = {first: (after, left - 1, text) for first, (after, left, text) in open_spans.items() if left > 1}
        column = 0
        for cell in cells:
            while column in taken:
                column = taken[column]
            text = _flat(cell)
            texts[column] = text
            after = column + cell.columns
            if cell.rows > 1:
                spans[column] = (after, cell.rows - 1, text if len(text) <= MOST_REPEATED else "")
            column = after
        open_spans = spans
        grid.append(texts)
    return grid


def _merged(grid: list[dict[int, str]], heads: int, columns: list[int]) -> list[dict[int, str]]:
    """The rows of the head as one: the names above a column, from the top down."""
    if heads < 2:
        return grid
    head: dict[int, str] = {}
    for column in columns:
        names: list[str] = []
        for row in grid[:heads]:
            above = max((first for first in row if first <= column), default=-1)
            name = row.get(above, "")
            if name and name not in names:
                names.append(name)
        head[column] = " ".join(names)
    return [head, *grid[heads:]]


def _flat(cell: Cell) -> str:
    """One line, in which parts are told apart by a slash."""
    between = " " if cell.is_head else " / "
    parts = [block.flat or block.text for block in cell.blocks]
    text = between.join(line.strip() for part in parts for line in part.split("\n") if line.strip())
    return text.replace("|", "\\|")


def _line(row: dict[int, str], columns: list[int]) -> str:
    """The row up to its last text."""
    last = max((column for column, text in row.items() if text), default=columns[0])
    return "| " + " | ".join(row.get(column, "") for column in columns[: bisect_right(columns, last)]) + " |"


def plain(blocks: list[Block]) -> str:
    """The blocks without marks, for a caption."""
    return joined(blocks)[0].strip()
