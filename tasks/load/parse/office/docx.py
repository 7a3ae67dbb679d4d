"""Word documents."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tasks.load.parse.office.blocks import MOST_HEADING_CHARACTERS, Block, Remarks, table_blocks, written
from tasks.load.parse.office.numbering import BULLET, Numbering
from tasks.load.parse.office.package import Package, R, W, opened
from tasks.load.parse.office.runs import Line, Runs, assembled, chosen, is_unseen
from tasks.load.parse.office.styles import BODY_LEVEL, Style, Styles, is_on, is_shaded
from tasks.load.parse.text import Parsed

TWIPS = 120  # the width of a letter in code of ten points
MOST_COLUMNS = 63  # that a table of Word's may have
_VAL = f"{W}val"
_NONE = Element("none")
# The end of the paragraph was deleted or moved; or it is a large first letter.
_GOES_ON = (f"{W}rPr/{W}del", f"{W}rPr/{W}moveFrom", f"{W}framePr[@{W}dropCap]")
_MOST_PAGE_WORDS = 2  # "Page 3 of 9" says nothing without its numbers


def parse_docx(name: str, content: bytes) -> Parsed:
    """The document in Markdown, with what stands at the head and at the foot of its pages once."""
    with opened(name, content, "Word document") as package:
        path, tree = package.main("word/document.xml", f"{W}document")
        reader = _Reader(package, path)
        blocks = reader.document(tree)
        return written(blocks, reader.title or package.title, reader.remarks)._replace(properties=package.properties)


class _Reader:
    """Goes through the document once."""

    def __init__(self, package: Package, path: str) -> None:
        self.title = ""
        self.remarks = Remarks()
        self._package = package
        relations = package.relations(path)
        parts = {one.type: one.target for one in relations.values()}
        self._styles = Styles(package.tree(parts.get("styles", "")))
        self._numbering = Numbering(package.tree(parts.get("numbering", "")))
        self._runs = Runs(package, relations, self._styles, self.remarks, self._part)
        settings = package.tree(parts.get("settings", ""))
        self._has_even_pages = bool(is_on(settings.find(f"{W}evenAndOddHeaders")))
        self._margins: dict[str, list[Block]] = {"header": [], "footer": []}
        self._seen_margins: set[str] = set()
        self._is_coloured = False
        self._carried: Line = []  # of a paragraph that goes on with the next one

    def document(self, tree: Element) -> list[Block]:
        """All of its blocks, between the heads and the feet of its pages."""
        self._is_coloured = tree.find(f"{W}background") is not None
        body = list(self._blocks(tree))
        foot = self._margins["footer"]
        return [*self._margins["header"], *body, *([Block("end"), *foot] if foot else [])]

    def _blocks(self, parent: Element, *, is_inner: bool = False) -> Iterator[Block]:
        """What stands in the element, one below the other."""
        for element in parent:
            tag = element.tag
            if tag == f"{W}p":
                yield from self._paragraph(element, is_inner=is_inner)
            elif tag == f"{W}tbl":
                yield from self._table(element)
            elif tag == f"{W}sectPr":
                self._section(element)
            elif tag in (f"{W}altChunk", f"{W}subDoc"):
                self.remarks["imported part is not read"] += 1
            elif not is_unseen(element):
                yield from self._blocks(chosen(element), is_inner=is_inner)
            if self._runs.below and not is_inner:
                below, self._runs.below = self._runs.below, []
                yield from below

    def _paragraph(self, element: Element, *, is_inner: bool) -> Iterator[Block]:
        properties = element.find(f"{W}pPr")
        properties = _NONE if properties is None else properties
        style = self._styles.style(_value(properties, "pStyle"))
        # Cells and boxes have grounds that their own styles give them.
        self._runs.is_on_white = not (is_inner or self._is_coloured or style.is_shaded or is_shaded(properties))
        line, self._carried = self._carried, []
        after = self._runs.read(element, style.look, line)
        if any(properties.find(path) is not None for path in _GOES_ON):
            self._carried = line
        else:
            yield self._block(line, style, properties)
        yield from after
        for section in properties.iter(f"{W}sectPr"):
            self._section(section)

    def _block(self, line: Line, style: Style, properties: Element) -> Block:
        text = assembled(line)
        label, depth = self._label(style, properties)  # also that of an empty paragraph counts
        if not text.strip():
            return Block("blank")
        outline = _value(properties, "outlineLvl")
        level = int(outline) if outline else style.level
        is_short = len(text) <= MOST_HEADING_CHARACTERS
        is_mono = all(look.is_mono for look, piece in line if piece.strip())
        if style.is_code or (is_mono and not self._styles.has_plain_mono):
            indent = properties.find(f"{W}ind")
            twips = 0 if indent is None else int(indent.get(f"{W}left") or indent.get(f"{W}start") or "0")
            return Block("code", "".join(piece for _, piece in line).rstrip(), max(0, twips) // TWIPS)
        if style.name.startswith("toc ") and style.name[4:].isdigit():
            return Block("contents", text)
        if style.is_title and is_short:
            self.title = self.title or " ".join(text.split())
            return Block("heading", text, 1)
        if level < BODY_LEVEL and is_short:
            return Block("heading", f"{label.removeprefix(BULLET)} {text}", level + 1)
        return Block("item", f"{label} {text.strip()}", depth) if label else Block("paragraph", text)

    def _label(self, style: Style, properties: Element) -> tuple[str, int]:
        """The number or bullet before a paragraph, and how deep in its list it is."""
        own = properties.find(f"{W}numPr")
        list_id, depth = style.numbering
        if own is not None:
            list_id, depth = _value(own, "numId") or list_id, _value(own, "ilvl") or depth
        if not list_id or list_id == "0":
            return "", 0
        at = int(depth or "0")
        return self._numbering.label(list_id, at), at

    def _part(self, element: Element) -> list[Block]:
        """What stands in a part of its own: a note, a box, a header."""
        carried, self._carried = self._carried, []
        with self._runs.apart():
            blocks = list(self._blocks(element, is_inner=True))
        self._carried = carried
        return blocks

    def _table(self, element: Element) -> list[Block]:
        rows: list[list[list[Block]]] = []
        for row in _found(element, f"{W}tr"):
            properties = row.find(f"{W}trPr")
            if properties is not None and (
                properties.find(f"{W}del") is not None or is_on(properties.find(f"{W}hidden"))
            ):
                continue
            before = "" if properties is None else _value(properties, "gridBefore")
            cells: list[list[Block]] = [[]] * min(int(before or "0"), MOST_COLUMNS)
            for cell in _found(row, f"{W}tc"):
                own = cell.find(f"{W}tcPr")
                own = _NONE if own is None else own
                blocks = [block for block in self._blocks(cell, is_inner=True) if block.form != "blank"]
                merged = own.find(f"{W}vMerge")
                is_covered = merged is not None and merged.get(_VAL) != "restart"
                cells.append([] if is_covered else blocks)
                cells += [[]] * (min(int(_value(own, "gridSpan") or "1"), MOST_COLUMNS) - 1)
            rows.append(cells)
        return table_blocks(rows)

    def _section(self, section: Element) -> None:
        """Head and foot of its pages, once for each text."""
        shown = {"default"} | ({"even"} if self._has_even_pages else set())
        if is_on(section.find(f"{W}titlePg")):
            shown.add("first")
        for side, blocks in self._margins.items():
            for reference in section.findall(f"{W}{side}Reference"):
                path = self._runs.target(reference.get(f"{R}id"))
                if reference.get(f"{W}type", "default") in shown and path not in self._seen_margins:
                    self._seen_margins.add(path)
                    blocks += self._margin(path)

    def _margin(self, path: str) -> Iterator[Block]:
        outer, self._runs.relations = self._runs.relations, self._package.relations(path)
        for element in self._package.tree(path):
            self._runs.has_page_field = False
            root = Element("root")
            root.append(element)
            for block in self._part(root):
                is_counter = (
                    self._runs.has_page_field and len(block.text.split()) <= _MOST_PAGE_WORDS and not block.rows
                )
                key = f"{block.text}{block.rows}"
                if not is_counter and key not in self._seen_margins:
                    self._seen_margins.add(key)
                    yield block if block.form != "heading" else block._replace(form="paragraph")
        self._runs.relations = outer


def _value(element: Element, name: str) -> str:
    """The value of a property; "" where it is not set."""
    child = element.find(W + name)
    return "" if child is None else child.get(_VAL, "")


def _found(parent: Element, tag: str) -> Iterator[Element]:
    """Rows or cells, also in controls around them; not those of tables within."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif not is_unseen(element) and element.tag not in (f"{W}tr", f"{W}tc"):
            yield from _found(element, tag)
