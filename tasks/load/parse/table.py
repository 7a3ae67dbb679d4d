"""Tables in Markdown, and the names of their columns."""

from collections.abc import Sequence
from functools import cache
from itertools import chain

LINE_BREAK = "<br>"
MOST_COLUMNS = 16
MOST_ROW_CHARACTERS = 600
LONGEST_NAME = 200  # characters of what a column is called
SPARE, MOST_FILLED = 1_000, 4
_LETTERS = 26


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, and one below the first, which is the head; short rows are filled up.

    Not where one row is so long that this would make many times as many cells as there are.
    """
    width = max(map(len, rows), default=0)
    full = width if width * len(rows) <= SPARE + MOST_FILLED * sum(map(len, rows)) else 0
    lines = ["| " + " | ".join([*map(_cell, row), *[""] * (full - len(row))]) + " |" for row in rows]
    return [*lines[:1], "|" + " --- |" * width, *lines[1:]] if width else []


def row_texts(rows: Sequence[Sequence[str]]) -> list[str]:
    """A text for each row, one below the other a table; `column: value` lines where that would be too wide to read.

    Then the head, which is the first row, has no text of its own.
    """
    head, *others = rows
    if not others:
        return [(": " if len(head) == 2 else "; ").join(filter(None, map(str.strip, head)))]
    if len(head) <= MOST_COLUMNS and sum(map(len, chain(*others))) <= MOST_ROW_CHARACTERS * len(others):
        first, line, *lines = table(rows)
        return [f"{first}\n{line}", *lines]
    if max(map(len, head)) > LONGEST_NAME:  # said again in each row it would make many times as much text
        return [record([column_name(at) for at in range(len(row))], row) for row in rows]
    return ["", *(record(head, row) for row in others)]


def column_name(column: int) -> str:
    """The letters of a column counted from 0: A, Z, AA."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, _LETTERS)
        name = chr(ord("A") + letter) + name
    return name


@cache
def column_number(letters: str) -> int:
    """The column with these letters, counted from 0."""
    column = 0
    for letter in letters:
        column = column * _LETTERS + ord(letter.upper()) - ord("A") + 1
    return column - 1


def record(head: Sequence[str], row: Sequence[str]) -> str:
    """Lines of `column: value` for the cells that hold something."""
    named = ((name.strip(), value.strip()) for name, value in zip(head, row, strict=False))
    lines = (f"{' '.join(name.split())}: {value}" if name else value for name, value in named if value)
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.strip().replace("|", r"\|").replace("\n", LINE_BREAK)
