"""Tables of LaTeX, which a reader of its commands marks, as tables of Markdown."""

import re

from tasks.load.parse.table import table

BEGIN, END, ROW, CELL = "\x1c\x1d\x1e\x1f"  # around tables, behind their rows, between their cells
UNMARKED = str.maketrans("", "", BEGIN + END + ROW + CELL)
_GRID = re.compile(f"[{BEGIN}{END}]")


def tabled(text: str) -> str:
    """The text with its marked tables as Markdown; one in a cell of another is a part of its line."""
    parts: list[list[str]] = [[]]
    at = 0
    for mark in _GRID.finditer(text):
        parts[-1].append(text[at : mark.start()])
        at = mark.end()
        if mark[0] == BEGIN:
            parts.append([])
        elif len(parts) > 1:
            inner = _table("".join(parts.pop()), is_inner=len(parts) > 1)
            parts[-1].append(inner)
    whole = "".join([*(part for open_ in parts for part in open_), text[at:]])
    return whole.replace(ROW, "\n").replace(CELL, " | ")


def _table(text: str, *, is_inner: bool) -> str:
    cells = ([" ".join(cell.split()) for cell in row.split(CELL)] for row in text.split(ROW))
    rows = [row for row in cells if any(row)]
    if is_inner:
        return ", ".join(cell for row in rows for cell in row if cell)
    is_layout = max(map(len, rows), default=0) < 2
    return "\n\n" + "\n".join([row[0] for row in rows] if is_layout else table(rows)) + "\n\n"
