"""Excel workbooks, read cell by cell from their own XML: a sheet may be a million rows high and hold two words."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from tasks.load.decode import normalised
from tasks.load.parse.office.blocks import Remarks
from tasks.load.parse.office.numbers import code_of, shown
from tasks.load.parse.office.package import A, C, Package, R, S, checked, opened
from tasks.load.parse.office.runs import Line, assembled
from tasks.load.parse.office.sheets import Sheet, written
from tasks.load.parse.office.styles import Look
from tasks.load.parse.table import column_number
from tasks.load.parse.text import Parsed

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")  # a character that XML does not take
_ON = ("1", "true", "on")
_EPOCHS = {True: datetime(1904, 1, 1), False: datetime(1899, 12, 30)}


def parse_xlsx(name: str, content: bytes) -> Parsed:
    """The sheets that are shown, with the values that were last computed."""
    with opened(name, content, "Excel workbook") as package:
        path, tree = package.main("xl/workbook.xml", f"{S}workbook")
        reader = _Reader(package, path, tree)
        return written(reader.sheets(tree), package.title, reader.remarks)._replace(properties=package.properties)


class _Reader:
    def __init__(self, package: Package, path: str, tree: Element) -> None:
        self.remarks = Remarks()
        self._package = package
        self._relations = package.relations(path)
        parts = {one.type: one.target for one in self._relations.values()}
        self._texts = [_text(item) for item in package.tree(parts.get("sharedStrings", "")).iter(f"{S}si")]
        styles = package.tree(parts.get("styles", ""))
        custom = {int(one.get("numFmtId", "0")): one.get("formatCode", "") for one in styles.iter(f"{S}numFmt")}
        formats = styles.iterfind(f"{S}cellXfs/{S}xf")
        self._codes = [code_of(int(one.get("numFmtId", "0")), custom) for one in formats]
        properties = tree.find(f"{S}workbookPr")
        self._epoch = _EPOCHS[properties is not None and properties.get("date1904") in _ON]

    def sheets(self, tree: Element) -> Iterator[Sheet]:
        for sheet in tree.iterfind(f"{S}sheets/{S}sheet"):
            relation = self._relations.get(sheet.get(f"{R}id", ""))
            if sheet.get("state", "visible") != "visible":
                self.remarks["hidden sheet is left out"] += 1
            elif relation and relation.type == "worksheet":
                yield Sheet(sheet.get("name", ""), self._rows(relation.target), self._drawn(relation.target))

    def _rows(self, path: str) -> Iterator[tuple[int, Mapping[int, str]]]:
        hidden: set[int] = set()
        number = 0
        for _, element in ElementTree.iterparse(BytesIO(checked(self._package, path))):  # noqa: S314 - checked
            if element.tag == f"{S}col" and element.get("hidden") in _ON:
                first, last = int(element.get("min", "1")), int(element.get("max", "1"))
                hidden |= {*range(first - 1, min(last, 1 << 14))}
            elif element.tag == f"{S}row":
                number = int(element.get("r", number + 1))
                cells = dict(self._cells(element))
                if element.get("hidden") in _ON and cells:
                    self.remarks["hidden row is left out"] += 1
                elif hidden:
                    cells = {column: text for column, text in cells.items() if column not in hidden}
                if cells and element.get("hidden") not in _ON:
                    yield number, cells
                element.clear()
        if hidden:
            self.remarks["sheet has hidden columns, which are left out"] += 1

    def _cells(self, row: Element) -> Iterator[tuple[int, str]]:
        column = -1
        for cell in row:
            reference = cell.get("r")
            column = column_number(reference.rstrip("0123456789")) if reference else column + 1
            text = self._shown(cell)
            if "_x" in text:
                text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
            if text := normalised(text).strip():
                yield column, text

    def _shown(self, cell: Element) -> str:
        form = cell.get("t", "n")
        if form == "inlineStr":
            return "".join(_text(item) for item in cell.iterfind(f"{S}is"))
        value = cell.findtext(f"{S}v") or ""
        if not value and cell.find(f"{S}f") is not None and form != "str":
            self.remarks["formula has no stored value"] += 1
        match form:
            case "s":
                return self._texts[int(value)] if value else ""
            case "b":
                return "TRUE" if value == "1" else "FALSE"
            case "n" if value:
                style = int(cell.get("s", "0"))
                return shown(float(value), self._codes[style] if style < len(self._codes) else "General", self._epoch)
            case "d":
                return value.replace("T", " ").removesuffix(" 00:00:00")
            case _:
                return value

    def _drawn(self, path: str) -> tuple[str, ...]:
        """What stands in boxes over the cells; charts show what is in the cells already."""
        relations = self._package.relations(path).values()
        for comments in [one.target for one in relations if one.type == "comments" and one.target]:
            self.remarks["comment is left out"] += len([*self._package.tree(comments).iter(f"{S}comment")])
        trees = [self._package.tree(one.target) for one in relations if one.type == "drawing" and one.target]
        self.remarks["chart is not read"] += sum(1 for tree in trees for _ in tree.iter(f"{C}chart"))
        texts = ("".join(part.text or "" for part in one.iter(f"{A}t")) for tree in trees for one in tree.iter(f"{A}p"))
        return tuple(text for text in texts if text.strip())


def _text(item: Element) -> str:
    """A text in runs, without what says how to pronounce it."""
    if len(item) == 1 and item[0].tag == f"{S}t":
        return item[0].text or ""
    line: Line = []
    for part in item:
        if part.tag == f"{S}t":
            line.append((Look(), part.text or ""))
        elif part.tag == f"{S}r":
            script = part.find(f"{S}rPr/{S}vertAlign")
            strike = part.find(f"{S}rPr/{S}strike")
            is_struck = strike is not None and strike.get("val", "1") in _ON
            look = Look(script=None if script is None else script.get("val"), is_struck=is_struck or None)
            line.append((look, part.findtext(f"{S}t") or ""))
    return assembled(line)
