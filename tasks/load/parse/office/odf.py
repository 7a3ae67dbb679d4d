"""OpenDocument: texts, presentations and spreadsheets."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element

from tasks.load.parse.office import sheets
from tasks.load.parse.office.blocks import MOST_HEADING_CHARACTERS, Block, Remarks, table_blocks, written
from tasks.load.parse.office.drawings import is_file_name
from tasks.load.parse.office.numbering import numeral
from tasks.load.parse.office.odf_styles import DRAW, OFFICE, STYLE, SVG, TABLE, TEXT, XLINK, OdfStyles
from tasks.load.parse.office.package import Package, believable, encrypted, opened, other_kind, properties_in
from tasks.load.parse.office.runs import Line, assembled
from tasks.load.parse.office.styles import Look
from tasks.load.parse.text import Parsed

MOST_REPEATED = 1_000  # a column or row that is repeated more often fills up the sheet
_PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_MATH = "{http://www.w3.org/1998/Math/MathML}"
_NONE = Element("none")
_SPACE = re.compile(r"[ \t\n\r]+")
_FORMS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_UNSEEN = {
    *(TEXT + name for name in ("tracked-changes", "page-number", "page-count", "variable-decls", "sequence-decls")),
    *(TEXT + name for name in ("hidden-text", "bookmark", "index-title-template", "table-of-content-source")),
    *(f"{OFFICE}{name}" for name in ("forms", "event-listeners")),
    f"{DRAW}glue-point", f"{SVG}title", f"{SVG}desc", f"{_PRESENTATION}notes",
}  # fmt: skip


def parse_odf(name: str, content: bytes) -> Parsed:
    """The document in Markdown, of whichever of the three kinds it is."""
    with opened(name, content, "OpenDocument file") as package:
        if b"encryption-data" in package.content("META-INF/manifest.xml"):
            raise encrypted(name)
        tree = package.tree("content.xml")
        body = tree.find(f"{OFFICE}body")
        if body is None or not len(body):
            raise other_kind(name, package.kind)
        meta = package.tree("meta.xml")
        title = believable(meta.findtext(".//{http://purl.org/dc/elements/1.1/}title") or "")
        properties = properties_in(meta)
        styles = package.tree("styles.xml")
        reader = _Reader(package, OdfStyles(tree, styles))
        if body[0].tag == f"{OFFICE}spreadsheet":
            return sheets.written(reader.sheets(body[0]), title, reader.remarks)._replace(properties=properties)
        blocks = [*reader.margins(styles, "header"), *reader.blocks(body[0])]
        foot = [*reader.margins(styles, "footer")]
        blocks += [Block("end"), *foot] if foot else []
        return written(blocks, reader.title or title, reader.remarks)._replace(properties=properties)


class _Reader:
    def __init__(self, package: Package, styles: OdfStyles) -> None:
        self.title = ""
        self.remarks = Remarks()
        self._package = package
        self._styles = styles
        self._readers, self._inline = self._block_readers(), self._line_readers()
        self._line: Line = []
        self._after: list[Block] = []
        self._below: list[Block] = []
        self._slide = 0

    def blocks(self, parent: Element) -> Iterator[Block]:
        """What stands in the element, one below the other."""
        for element in parent:
            if (read := self._readers.get(element.tag)) is not None:
                yield from read(element)
            elif element.tag not in _UNSEEN:
                yield from self.blocks(element)
            if self._below:
                below, self._below = self._below, []
                yield from below

    def _section(self, section: Element) -> Iterator[Block]:
        if section.get(f"{TEXT}display") != "none":
            return self.blocks(section)
        self.remarks["hidden section is left out"] += 1
        return iter(())

    def margins(self, styles: Element, side: str) -> Iterator[Block]:
        """Heads or feet of the pages, once for each text."""
        seen: set[str] = set()
        for part in styles.iter():
            if part.tag in (f"{STYLE}{side}", f"{STYLE}{side}-first", f"{STYLE}{side}-left"):
                for block in self.blocks(part) if part.get(f"{STYLE}display") != "false" else ():
                    if block.text not in seen:
                        seen.add(block.text)
                        yield block._replace(form="paragraph") if block.form == "heading" else block

    def sheets(self, body: Element) -> Iterator[sheets.Sheet]:
        for table in body.iterfind(f"{TABLE}table"):
            if self._styles.is_hidden_table(table.get(f"{TABLE}style-name", "")):
                self.remarks["hidden sheet is left out"] += 1
            else:
                yield sheets.Sheet(table.get(f"{TABLE}name", ""), self._rows(table))

    def _rows(self, table: Element) -> Iterator[tuple[int, Mapping[int, str]]]:
        number = 1
        for row in _within(table, f"{TABLE}table-row"):
            cells: dict[int, str] = {}
            column = 0
            for cell in row:
                text = self._cell(cell) if len(cell) else ""
                repeated = int(cell.get(f"{TABLE}number-columns-repeated", "1"))
                if text.strip():
                    cells |= dict.fromkeys(range(column, column + min(repeated, MOST_REPEATED)), text)
                column += repeated
            repeated = int(row.get(f"{TABLE}number-rows-repeated", "1"))
            if cells and row.get(f"{TABLE}visibility", "visible") != "visible":
                self.remarks["hidden row is left out"] += 1
            elif cells:
                yield from ((number + step, cells) for step in range(min(repeated, MOST_REPEATED)))
            number += repeated

    def _cell(self, cell: Element) -> str:
        return "\n".join(block.text for block in self.blocks(cell) if block.text.strip())

    def _page(self, page: Element) -> Iterator[Block]:
        """A slide: its title, the rest, its notes."""
        self._slide += 1
        if self._styles.is_hidden_page(page.get(f"{DRAW}style-name", "")):
            self.remarks["hidden slide is left out"] += 1
            return
        yield Block("slide", level=self._slide)
        frames = list(page)
        title = next((one for one in frames if one.get(f"{_PRESENTATION}class") == "title"), None)
        text = " ".join(block.text for block in self._frame(title)).strip() if title is not None else ""
        yield Block("heading", text, 1) if text else Block("end")
        for frame in frames:
            if frame is not title:
                root = Element("root")
                root.append(frame)
                yield from self.blocks(root)
        for notes in page.iterfind(f"{_PRESENTATION}notes"):
            yield from self.blocks(notes)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        outer = self._line, self._after
        self._line, self._after = [], []
        style = self._styles.style(element.get(f"{TEXT}style-name", ""))
        self._inside(element, style.look)
        line, after, (self._line, self._after) = self._line, self._after, outer
        text = assembled(line)
        level = int(element.get(f"{TEXT}outline-level", "1")) if element.tag == f"{TEXT}h" else 0
        is_short = len(text) <= MOST_HEADING_CHARACTERS
        if not text.strip():
            yield Block("blank")
        elif style.is_code or all(look.is_mono for look, piece in line if piece.strip()):
            yield Block("code", "".join(piece for _, piece in line).rstrip())
        elif style.name.startswith("contents "):
            yield Block("contents", text)
        elif is_short and (level or style.is_title):
            self.title = self.title or (" ".join(text.split()) if style.is_title else "")
            yield Block("heading", text, level or 1)
        else:
            yield Block("paragraph", text)
        yield from after

    def _list(self, element: Element, depth: int = 0, style: str = "") -> Iterator[Block]:
        style = element.get(f"{TEXT}style-name", style)
        form, suffix, number = self._styles.numbering(style, depth)
        for item in element:
            number = int(item.get(f"{TEXT}start-value", number))
            label = f"{numeral(number, _FORMS[form])}{suffix}" if form in _FORMS else form
            label = "" if item.tag == f"{TEXT}list-header" else label
            is_first = True
            for part in item:
                if part.tag == f"{TEXT}list":
                    yield from self._list(part, depth + 1, style)
                    continue
                root = Element("root")
                root.append(part)
                for block in self.blocks(root):
                    if is_first and block.form == "paragraph":
                        yield Block("item", f"{label} {block.text}".strip(), depth)
                        is_first = False
                    else:
                        yield block
            number += item.tag == f"{TEXT}list-item"

    def _table(self, table: Element) -> list[Block]:
        covered = f"{TABLE}covered-table-cell"
        return table_blocks(
            [
                [
                    [] if cell.tag == covered else [block for block in self.blocks(cell) if block.form != "blank"]
                    for cell in row
                    for _ in range(min(int(cell.get(f"{TABLE}number-columns-repeated", "1")), MOST_REPEATED))
                ]
                for row in _within(table, f"{TABLE}table-row")
            ]
        )

    def _frame(self, frame: Element) -> Iterator[Block]:
        """A box, a picture or an object."""
        texts = [text.strip() for name in ("title", "desc") if (text := frame.findtext(SVG + name))]
        yield from (Block("paragraph", text) for text in dict.fromkeys(texts) if not is_file_name(text))
        inner = [*self.blocks(frame)]
        yield from inner
        for thing in frame.iter(f"{DRAW}object"):
            part = thing.get(f"{XLINK}href", "").removeprefix("./") + "/content.xml"
            # Old programs give equations a document type, and such a part is never read.
            tree = _NONE if b"<!DOCTYPE" in self._package.content(part) else self._package.tree(part)
            annotation = tree.find(f".//{_MATH}annotation")
            if annotation is not None and annotation.text:
                yield Block("paragraph", annotation.text)
            elif annotation is None and frame.find(f"{TABLE}table") is None:
                self.remarks["embedded object is not read"] += 1
        if frame.find(f"{DRAW}image") is not None and frame.find(f"{DRAW}object") is None and not texts and not inner:
            self.remarks["picture has no description"] += 1

    def _inside(self, parent: Element, look: Look) -> None:
        """The text of the element and of what is in it, up to its end."""
        self._put(parent.text, look)
        for element in parent:
            if (read := self._inline.get(element.tag)) is not None:
                read(element, look)
            elif element.tag.startswith(DRAW):
                self._after += self.blocks(element)
            elif element.tag not in _UNSEEN:
                self._inside(element, self._styles.style(element.get(f"{TEXT}style-name", "-")).look.over(look))
            self._put(element.tail, look)

    def _write(self, text: str, look: Look) -> None:
        if not look.is_hidden:
            self._line.append((look, text))

    def _spaces(self, element: Element, look: Look) -> None:
        self._write(" " * min(int(element.get(f"{TEXT}c", "1")), MOST_REPEATED), look)

    def _ruby(self, element: Element, look: Look) -> None:
        base, above = (element.findtext(f"{TEXT}ruby-{name}") or "" for name in ("base", "text"))
        self._write(f"{base}({above})", look)

    def _comment(self, _element: Element, _look: Look) -> None:
        self.remarks["comment is left out"] += 1

    def _hang(self, frame: Element, _look: Look) -> None:
        self._after += self._frame(frame)

    def _put(self, text: str | None, look: Look) -> None:
        """White space in the file is one blank; what is more is written as elements."""
        if text:
            self._write(_SPACE.sub(" ", text.replace("\xad", "")), look)

    def _note(self, note: Element, look: Look) -> None:
        mark = note.findtext(f"{TEXT}note-citation") or "*"
        self._put(f"[^{mark}]", look._replace(script=None))
        body = note.find(f"{TEXT}note-body")
        blocks = [block for block in self.blocks(body if body is not None else _NONE) if block.form != "blank"]
        if blocks:
            self._below += [blocks[0]._replace(text=f"[^{mark}]: {blocks[0].text.strip()}"), *blocks[1:]]

    def _block_readers(self) -> dict[str, Callable[[Element], Iterable[Block]]]:
        return {
            f"{TEXT}p": self._paragraph,
            f"{TEXT}h": self._paragraph,
            f"{TEXT}list": self._list,
            f"{TEXT}section": self._section,
            f"{TABLE}table": self._table,
            f"{DRAW}page": self._page,
            f"{DRAW}frame": self._frame,
        }

    def _line_readers(self) -> dict[str, Callable[[Element, Look], None]]:
        return {
            f"{TEXT}s": self._spaces,
            f"{TEXT}tab": lambda _element, look: self._write("\t", look),
            f"{TEXT}line-break": lambda _element, look: self._write("\n", look),
            f"{TEXT}note": self._note,
            f"{TEXT}ruby": self._ruby,
            f"{OFFICE}annotation": self._comment,
            f"{DRAW}frame": self._hang,
        }


def _within(table: Element, tag: str) -> Iterator[Element]:
    """Rows, also those in groups and heads."""
    for element in table:
        if element.tag == tag:
            yield element
        elif element.tag.startswith(TABLE) and element.tag != f"{TABLE}table":
            yield from _within(element, tag)
