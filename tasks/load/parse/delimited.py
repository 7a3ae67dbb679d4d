"""CSV and TSV: a Markdown table where its cells are short, and lines of `column: value` where they are not."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from tasks.load.parse.table import LONGEST_NAME, column_name
from tasks.load.parse.text import Parsed
from tasks.places import Place

LONGEST_CELL = 60  # characters of a cell in a table that can be read as one
MOST_COLUMNS = 12
SAMPLE_ROWS = 50
MOST_PREAMBLE = 10
LONGEST_FIELD = 1 << 27
DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[\d.,' ]*\d[\d.,' ]*%?|")
_DECLARED = re.compile(r"sep=(.)\n", re.IGNORECASE)


def parse_delimited(name: str, content: bytes) -> Parsed:
    """Every cell as it is written, numbers too; the place of each row are its cells."""
    text = content.decode()
    declared = _DECLARED.match(text)
    delimiter = declared[1] if declared else likely_delimiter(text, is_tsv=name.lower().endswith((".tsv", ".tab")))
    csv.field_size_limit(LONGEST_FIELD)
    body = text[declared.end() :] if declared else text
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if _is_closed(body, delimiter) else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, quoting=quoting)
    first = 2 if declared else 1
    rows = [(number, row) for number, row in enumerate(reader, first) if any(cell.strip() for cell in row)]
    if not rows:
        return Parsed("")
    preamble, rows = _split(rows)
    width = max(len(row) for _, row in rows)
    head = rows[0][1] if _is_header(rows) else []
    names = [cell.strip() or column_name(at) for at, cell in enumerate([*head, *[""] * (width - len(head))])]
    body_rows = rows[1:] if head else rows
    is_short = width <= MOST_COLUMNS and all(
        len(cell) <= LONGEST_CELL and "\n" not in cell for _, row in rows for cell in row
    )
    builder = _Builder("".join(f"{line}\n" for line in preamble) + "\n" * bool(preamble))
    if is_short and width > 1:
        builder.add(_line(names) + _line(["---"] * width), _cells(rows[0][0], width))
    for number, row in body_rows:
        if is_short and width > 1:
            builder.add(_line([*row, *[""] * (width - len(row))]), _cells(number, width))
        else:
            lines = [f"{key}: {value.strip()}\n" for key, value in zip(names, row, strict=False) if value.strip()]
            builder.add("".join([*lines, "\n"]), _cells(number, width))
    return Parsed(builder.text(), places=tuple(builder.places))


class _Builder:
    """Text that grows, and where each part of it stood."""

    def __init__(self, text: str) -> None:
        self._parts = [text]
        self._length = len(text)
        self.places: list[Place] = []

    def add(self, text: str, cells: str) -> None:
        """Put a part behind the others."""
        self.places.append(Place(self._length, "cells", cells))
        self._parts.append(text)
        self._length += len(text)

    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)


def likely_delimiter(text: str, *, is_tsv: bool) -> str:
    """The one that cuts most of the first rows into as many cells as one another, more than one."""
    if is_tsv and "\t" in text:
        return "\t"
    best = (0.0, 0, "\t" if is_tsv else ",")
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text[:200_000], newline=""), delimiter=delimiter)
        sizes = [len(row) for row, _ in zip(_safely(reader), range(SAMPLE_ROWS), strict=False) if row]
        (width, times), *_ = Counter(sizes).most_common(1) or [(0, 0)]
        if width > 1:
            best = max(best, (times / len(sizes), width, delimiter))
    return best[2]


def _is_closed(text: str, delimiter: str) -> bool:
    """Whether quotes around cells end; where one goes on to the end of the file, it is a sign for inches."""
    if '"' not in text:
        return True
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end of data" not in str(error)
    return True


def _safely(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows up to one that no delimiter can read: the sample may end inside a quote."""
    try:
        yield from reader
    except csv.Error:
        return


def _split(rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Lines above the table, such as a title that a program exports, and its own rows."""
    width = max(len(row) for _, row in rows)
    is_row = [width < 2 or sum(bool(cell.strip()) for cell in row) > 1 for _, row in rows]
    start = is_row.index(True) if True in is_row[:MOST_PREAMBLE] else 0
    return [" ".join(cell for cell in row if cell.strip()) for _, row in rows[:start]], rows[start:]


def _is_header(rows: Sequence[tuple[int, list[str]]]) -> bool:
    """The first row names the columns where none of its cells is empty within it, long, a number or there twice."""
    first = [cell.strip() for cell in rows[0][1]]
    names = [cell for cell in first if cell]
    return (
        len(rows) > 1
        and bool(names)
        and len(set(names)) == len(names)
        and max(map(len, names)) <= LONGEST_NAME
        and not any(_NUMBER.fullmatch(cell) for cell in names)
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |\n"


def _cells(row: int, width: int) -> str:
    return f"A{row}:{column_name(width - 1)}{row}" if width > 1 else f"A{row}"
