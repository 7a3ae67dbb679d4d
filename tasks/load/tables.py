"""Files of tables as rows, from column to value; no value depends on another row.

Each reader tells the columns of the file before its first row. "" in a file of text, and an empty cell, is None.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO, Any, NamedTuple

from config.sources import TableSource
from tasks.dates import is_date
from tasks.load.parse.delimited import LONGEST_FIELD, likely_delimiter
from tasks.load.values import Unfit, missing_as_none, text_of

Row = Mapping[str, object]
Open = Callable[[], IO[bytes]]


class Wanted(NamedTuple):
    """The columns that a source needs; `check` is told those that a file has, and raises ConfigError."""

    columns: list[str]
    check: Callable[[Sequence[str]], None]


Reader = Callable[[Open, TableSource, Wanted], Iterator[Row]]

ROWS_AT_A_TIME = 5_000
SAMPLE_BYTES = 65_536
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SEPARATOR = re.compile(r"\ufeff?sep=([^\n\r])[ \t]*[\r\n]")  # a first line of Excel's
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def delimited_rows(opened: Open, config: TableSource, wanted: Wanted) -> Iterator[Row]:
    """CSV and TSV by pandas, every cell as the text that it is: 007 and NA stay."""
    import pandas

    csv.field_size_limit(LONGEST_FIELD)
    with closing(opened()) as file:
        sample = file.read(SAMPLE_BYTES)
    encoding = _encoding(sample, config)
    lines = sample.decode(encoding, "ignore")
    if not lines.strip():
        raise ValueError("it is empty; expected a first row with the names of the columns")
    is_tsv = config.path.lower().partition(".tsv")[1] != "" or config.path.lower().endswith(".tab")
    said = _SEPARATOR.match(lines)
    delimiter = config.delimiter or (said[1] if said else likely_delimiter(lines, is_tsv=is_tsv))
    with closing(opened()) as file:
        parts = pandas.read_csv(
            file,
            sep=delimiter,
            header=None,
            skiprows=int(said is not None),
            dtype=str,
            keep_default_na=False,
            encoding=encoding,
            chunksize=ROWS_AT_A_TIME,
            engine="python",  # the other fills short rows up in silence
        )
        with parts:
            cells = (row for part in parts for row in part.astype(object).itertuples(index=False, name=None))
            columns = [str(name).strip() for name in next(cells)]
            wanted.check(columns)
            for row in cells:
                yield _cells(columns, row, config)


def _cells(columns: Sequence[str], cells: Sequence[object], config: TableSource) -> Row:
    """A cell that pandas had to add is no text: the row is too short."""
    row: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        if not isinstance(cell, str):
            there = sum(isinstance(one, str) for one in cells)
            row[column] = Unfit(f"is not there: the row has {there} cells and the first one {len(columns)}")
        else:
            row[column] = _typed(cell, config.types[column]) if cell and column in config.types else cell or None
    return row


def _typed(cell: str, kind: str) -> object:
    text = cell.strip()
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return _BOOLEANS[text.lower()]
            case "datetime" if is_date(text):
                return text
            case "keyword":
                return cell
            case _:
                pass
    except (ValueError, KeyError):
        pass
    return Unfit(f"is {text[:40]!r}, and `types` says {kind}")


def json_line_rows(opened: Open, config: TableSource, wanted: Wanted) -> Iterator[Row]:
    """One object in each line; a column that an object leaves out is empty."""
    with closing(opened()) as file:
        encoding = _encoding(file.read(4), config)
    with closing(opened()) as file:
        lines = enumerate(io.TextIOWrapper(file, encoding, newline="\n"), 1)
        yield from _objects(((f"line {number}", line) for number, line in lines if line.strip()), config, wanted)


def json_rows(opened: Open, config: TableSource, wanted: Wanted) -> Iterator[Row]:
    """A list of objects; the whole file is in memory meanwhile."""
    with closing(opened()) as file:
        content = file.read()
    items = json.loads(content.decode(_encoding(content[:4], config)))
    if not isinstance(items, list):
        raise ValueError(f"expected a list of objects, and it is one {type(items).__name__}")
    yield from _objects(((f"item {number}", item) for number, item in enumerate(items, 1)), config, wanted)


def _objects(items: Iterable[tuple[str, Any]], config: TableSource, wanted: Wanted) -> Iterator[Row]:
    columns: dict[str, None] = {}
    for place, item in items:
        try:
            row = json.loads(item) if isinstance(item, str) else item
        except ValueError as error:
            raise ValueError(f"{place} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f'{place} is no object; expected one such as {{"id": …}}')
        if len(columns) < len(wanted.columns):
            columns |= dict.fromkeys(name for name in wanted.columns if name in row)
        yield {name: missing_as_none(row.get(name)) for name in wanted.columns}
    wanted.check([*columns])


def parquet_rows(opened: Open, config: TableSource, wanted: Wanted) -> Iterator[Row]:
    """Values in the types that the file states, read in parts."""
    from pyarrow import parquet

    with closing(opened()) as file, parquet.ParquetFile(file) as table:
        wanted.check(table.schema_arrow.names)
        for part in table.iter_batches(batch_size=ROWS_AT_A_TIME, columns=wanted.columns):
            for row in part.to_pylist():
                yield {name: missing_as_none(value) for name, value in row.items()}


def workbook_rows(opened: Open, config: TableSource, wanted: Wanted) -> Iterator[Row]:
    """A sheet below its first row that is not empty; rows without any value are passed over."""
    from python_calamine import CalamineWorkbook

    with closing(opened()) as file:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
    names = workbook.sheet_names
    name = names[0] if config.sheet is None else config.sheet
    if name not in names:
        raise ValueError(f"no sheet is named {name!r}; its sheets are: {', '.join(names)}")
    rows = ([_cell(value) for value in row] for row in workbook.get_sheet_by_name(name).to_python())
    filled = (row for row in rows if any(value is not None for value in row))
    columns = [text_of(value).strip() for value in next(filled, [])]
    wanted.check(columns)
    for row in filled:
        yield dict(zip(columns, row, strict=False))


def _cell(value: object) -> object:
    return None if value == "" else missing_as_none(value)


def _encoding(beginning: bytes, config: TableSource) -> str:
    return next((encoding for mark, encoding in _MARKS if beginning.startswith(mark)), config.encoding)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), delimited_rows),
    **dict.fromkeys((".jsonl", ".ndjson"), json_line_rows),
    ".json": json_rows,
    ".parquet": parquet_rows,
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), workbook_rows),
}
