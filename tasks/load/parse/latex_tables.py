"""Tables of LaTeX, which a reader of its commands marks, as tables of Markdown."""

import re

from tasks.load.parse.table import table

BEGIN, END, ROW, CELL = "\x1c\x1d\x1e\x1f"  # around tables, behind their rows, between their cells
UNMARKED = str.maketrans("", "", BEGIN + END + ROW + CELL)
_GRID = re.compile(f"[{BEGIN}{END}]")
_CELLS = re.compile(f"[{ROW}{CELL}]")


def tabled(text: str) -> str:
    """The text with its marked tables as Markdown; one in a cell of another is a part of its line."""
    outside, rows, line = list[str](), list[str](), list[str]()
    parts = outside, rows, line
    depth = at = 0
    for mark in _GRID.finditer(text):
        parts[min(depth, 2)].append(text[at : mark.start()])
        at = mark.end()
        depth += 1 if mark[0] == BEGIN else -1 if depth else 0
        if mark[0] == END and depth == 1 and line:
            rows.append(_line("".join(line)))
            line.clear()
        elif mark[0] == END and depth == 0 and rows:
            outside.append(_table("".join(rows)))
            rows.clear()
    whole = "".join([*outside, *rows, *line, text[at:]])
    return whole.replace(ROW, "\n").replace(CELL, " | ")


def _line(text: str) -> str:
    """All cells of a table within a cell, however deep: each is looked at once."""
    return ", ".join(words for cell in _CELLS.split(text) if (words := " ".join(cell.split())))


def _table(text: str) -> str:
    cells = ([" ".join(cell.split()) for cell in row.split(CELL)] for row in text.split(ROW))
    rows = [row for row in cells if any(row)]
    is_layout = max(map(len, rows), default=0) < 2
    return "\n\n" + "\n".join([row[0] for row in rows] if is_layout else table(rows)) + "\n\n"
