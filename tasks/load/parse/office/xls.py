"""Workbooks in the binary forms of Excel, by a library."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from io import BytesIO
from zipfile import BadZipFile

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from tasks.errors import DocumentError
from tasks.load.decode import normalised
from tasks.load.parse.archive import open_archive
from tasks.load.parse.office.blocks import Remarks
from tasks.load.parse.office.numbers import general
from tasks.load.parse.office.package import corrupt, encrypted, other_kind
from tasks.load.parse.office.sheets import Sheet, written
from tasks.load.parse.signature import ARCHIVE
from tasks.load.parse.text import Parsed

_KIND = "binary Excel workbook"
_MAIN = "xl/workbook.bin"
_PANIC = "PanicException"  # what the library raises where it did not foresee something; no Exception by its class
_LOCKED = re.compile(rb"\x09\x08\x10\x00.{16}\x2f\x00", re.DOTALL)  # the record of a password right at the begin
_SEALED = "EncryptedPackage".encode("utf-16-le")


def parse_xls(name: str, content: bytes) -> Parsed:
    """The sheets that are shown; a number as it is kept, for the library does not say how it is shown."""
    remarks = Remarks()
    try:
        if content.startswith(ARCHIVE):
            with open_archive(name, content, _KIND, "") as archive:
                if _MAIN not in archive.namelist():
                    raise other_kind(name, _KIND)
        workbook = CalamineWorkbook.from_filelike(BytesIO(content))
        return written([*_sheets(workbook, remarks)], "", remarks)
    except PasswordError as error:
        raise encrypted(name) from error
    except (CalamineError, BadZipFile) as error:
        is_locked = _SEALED in content or _LOCKED.search(content)
        raise encrypted(name) if is_locked else corrupt(name, _KIND, error) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise DocumentError(
            "corrupt", f"{name} is a {_KIND} that its reader gives up on ({error}); save it as .xlsx, or exclude it"
        ) from None


def _sheets(workbook: CalamineWorkbook, remarks: Remarks) -> Iterator[Sheet]:
    for one in workbook.sheets_metadata:
        if one.visible != SheetVisibleEnum.Visible:
            remarks["hidden sheet is left out"] += 1
        elif one.typ == SheetTypeEnum.WorkSheet:
            yield Sheet(one.name, [*_rows(workbook.get_sheet_by_name(one.name))])


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, Mapping[int, str]]]:
    first_row, first_column = sheet.start or (0, 0)
    for number, row in enumerate(sheet.to_python(skip_empty_area=True), first_row + 1):
        cells = {column: text for column, value in enumerate(row, first_column) if (text := _shown(value))}
        if cells:
            yield number, cells


def _shown(value: int | float | str | bool | time | date | datetime | timedelta) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return general(value)
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return normalised(str(value)).strip()
