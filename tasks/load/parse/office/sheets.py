"""The sheets of a spreadsheet, whatever file they come from, written down so that each row knows its cells."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from tasks.load.parse.office.blocks import Remarks
from tasks.load.parse.table import MOST_COLUMNS, column_name, record, row_texts
from tasks.load.parse.text import Parsed
from tasks.places import Heading, Place


class Sheet(NamedTuple):
    """`rows` are those that are not empty: their number from 1, and their texts by column from 0. `notes` are below."""

    name: str
    rows: Iterable[tuple[int, Mapping[int, str]]]
    notes: tuple[str, ...] = ()


class _Row(NamedTuple):
    number: int
    cells: Mapping[int, str]


def written(sheets: Iterable[Sheet], title: str, remarks: Remarks) -> Parsed:
    """Each sheet under its name, each run of rows as a table; sheets without a word are left out."""
    parts: list[str] = []
    places: list[Place] = []
    headings: list[Heading] = []
    size = 0
    for sheet in sheets:
        rows = [_Row(*row) for row in sheet.rows]
        if not rows and not sheet.notes:
            continue
        heading = f"# {' '.join(sheet.name.split())}\n\n"
        places.append(Place(size, "sheet", sheet.name))
        if rows:
            places.append(Place(size, "cells", _cells(rows[0])))
        headings.append(Heading(size, size + len(heading) - 2, 1, heading[2:-2]))
        parts.append(heading)
        size += len(heading)
        for row, text in _texts(rows):
            if row:
                places.append(Place(size, "cells", _cells(row)))
            parts.append(text)
            size += len(text)
        notes = "".join(f"{note}\n\n" for note in sheet.notes)
        parts.append(notes)
        size += len(notes)
    text = "".join(parts)
    return Parsed(
        text.rstrip() + "\n" if text else "",
        title,
        places=tuple(places),
        headings=tuple(headings),
        remarks=remarks.clauses(),
    )


def _texts(rows: list[_Row]) -> Iterator[tuple[_Row | None, str]]:
    """Row by row; a blank row ends a table."""
    for _, group in groupby(enumerate(rows), lambda one: one[1].number - one[0]):
        block = [row for _, row in group]
        columns = sorted({column for row in block for column in row.cells})
        while len(block) > 1 and len(block[0].cells) == 1 < len(columns):  # a title above the table
            yield block[0], "".join(block[0].cells.values()) + "\n\n"
            del block[0]
        if len(columns) > MOST_COLUMNS and len(block) > 1:  # cell by cell, for most of such rows may be short
            head, *others = block
            for row in others:
                own = sorted(row.cells)
                yield row, record([head.cells.get(at, "") for at in own], [row.cells[at] for at in own]) + "\n"
        elif len(columns) == 1:
            yield from ((row, "".join(row.cells.values()) + "\n") for row in block)
        else:
            texts = row_texts([[row.cells.get(column, "") for column in columns] for row in block])
            yield from ((row, f"{text}\n") for row, text in zip(block, texts, strict=True) if text)
        yield None, "\n"


def _cells(row: _Row) -> str:
    first, last = column_name(min(row.cells)), column_name(max(row.cells))
    return f"{first}{row.number}" if first == last else f"{first}{row.number}:{last}{row.number}"
