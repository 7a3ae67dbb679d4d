"""PowerPoint presentations."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tasks.load.parse.office import drawings
from tasks.load.parse.office.blocks import Block, Remarks, table_blocks, written
from tasks.load.parse.office.equations import linear
from tasks.load.parse.office.numbering import BULLET, numeral
from tasks.load.parse.office.package import A, M, P, Package, R, Relation, opened
from tasks.load.parse.office.runs import Line, assembled, chosen
from tasks.load.parse.office.styles import Look
from tasks.load.parse.text import Parsed

ROW_EMU = 200_000  # a fifth of an inch: so far two shapes may be apart and still stand beside each other
_TITLES = ("title", "ctrTitle")
_REPEATED = ("ftr", "dt", "hdr")
_LISTS = ("", "obj", "body")
_OFF = ("0", "false")
_NONE = Element("none")
_NUMERALS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
_AROUND = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})"}


class _Shape(NamedTuple):
    top: int
    left: int
    holder: str  # the type of its placeholder; "" for none
    blocks: list[Block]


def parse_pptx(name: str, content: bytes) -> Parsed:
    """The slides in Markdown, each under its title, with its notes."""
    with opened(name, content, "PowerPoint presentation") as package:
        path, tree = package.main("ppt/presentation.xml", f"{P}presentation")
        reader = _Reader(package)
        relations = package.relations(path)
        blocks: list[Block] = []
        for number, slide in enumerate(tree.iterfind(f"{P}sldIdLst/{P}sldId"), 1):
            relation = relations.get(slide.get(f"{R}id", ""))
            if relation:
                blocks += reader.slide(relation.target, number)
        return written(blocks, package.title, reader.remarks)._replace(properties=package.properties)


class _Reader:
    def __init__(self, package: Package) -> None:
        self.remarks = Remarks()
        self._package = package
        self._seen: set[str] = set()  # what stands at the foot of slides, and on layouts
        self._layouts: dict[str, dict[str, tuple[int, int]]] = {}
        self._relations: Mapping[str, Relation] = {}

    def slide(self, path: str, number: int) -> Iterator[Block]:
        tree = self._package.tree(path)
        if tree.get("show") in _OFF:
            self.remarks["hidden slide is left out"] += 1
            return
        self._relations = self._package.relations(path)
        parts = {one.type: one.target for one in self._relations.values()}
        layout = parts.get("slideLayout", "")
        shapes = _in_order(self._shapes(tree.find(f"{P}cSld/{P}spTree"), self._places(layout)))
        title = next((shape for shape in shapes if shape.holder in _TITLES and shape.blocks), None)
        yield Block("slide", level=number)
        yield Block("heading", " ".join(block.text for block in title.blocks), 1) if title else Block("end")
        for shape in shapes:
            if shape.holder in _REPEATED:
                yield from self._once(shape.blocks)
            elif shape is not title:
                yield from shape.blocks
        if tree.get("showMasterSp") not in _OFF:
            yield from self._once(self._fixed(layout))
        if "notesSlide" in parts:
            notes = self._shapes(self._package.tree(parts["notesSlide"]).find(f"{P}cSld/{P}spTree"), {})
            texts = (block.text for shape in notes if shape.holder == "body" for block in shape.blocks)
            yield from (Block("paragraph", text.removeprefix(f"{BULLET} ")) for text in texts)
        if "comments" in parts and (comments := len(self._package.tree(parts["comments"]))):
            self.remarks["comment is left out"] += comments

    def _once(self, blocks: list[Block]) -> Iterator[Block]:
        for block in blocks:
            if block.text not in self._seen or block.rows:
                self._seen.add(block.text)
                yield block

    def _places(self, layout: str) -> dict[str, tuple[int, int]]:
        """Where the placeholders of a layout stand, by number and by kind."""
        if layout not in self._layouts:
            places: dict[str, tuple[int, int]] = {}
            master = self._package.related(layout, "slideMaster") if layout else ""
            for path in filter(None, (master, layout)):
                for shape in self._package.tree(path).iter(f"{P}sp"):
                    place, holder = _place(shape), _holder(shape)
                    if place and holder is not None:
                        places |= dict.fromkeys((holder.get("type", ""), f"#{holder.get('idx', '')}"), place)
            self._layouts[layout] = places
        return self._layouts[layout]

    def _fixed(self, layout: str) -> list[Block]:
        """What a layout and its master show on every slide."""
        if not layout or layout in self._seen:
            return []
        self._seen.add(layout)
        texts = []
        relations = self._relations
        for path in (layout, self._package.related(layout, "slideMaster")):
            self._relations = self._package.relations(path)
            shapes = self._shapes(self._package.tree(path).find(f"{P}cSld/{P}spTree"), {}, is_pattern=True)
            texts += [block for shape in shapes for block in shape.blocks]
        self._relations = relations
        return texts

    def _shapes(
        self, tree: Element | None, places: Mapping[str, tuple[int, int]], *, is_pattern: bool = False
    ) -> Iterator[_Shape]:
        """Those that are shown; of a pattern, those that slides do not fill in."""
        for element in tree if tree is not None else ():
            if chosen(element) is not element:
                yield from self._shapes(chosen(element), places, is_pattern=is_pattern)
                continue
            holder = _holder(element)
            properties = element.find(f"*/{P}cNvPr")
            if properties is None or properties.get("hidden") in ("1", "true") or (is_pattern and holder is not None):
                continue
            kind = "" if holder is None else holder.get("type", "obj")
            if kind in ("sldNum", "sldImg"):
                continue
            index = "" if holder is None else f"#{holder.get('idx', '')}"
            top, left = _place(element) or places.get(index) or places.get(kind) or (0, 0)
            yield _Shape(top, left, kind, [*self._shape(element, properties, kind, is_pattern=is_pattern)])

    def _shape(self, element: Element, properties: Element, kind: str, *, is_pattern: bool) -> Iterator[Block]:
        if element.tag == f"{P}grpSp":
            for shape in _in_order(self._shapes(element, {}, is_pattern=is_pattern)):
                yield from shape.blocks
            return
        if text := drawings.description(properties):
            yield Block("paragraph", text)
        elif element.tag == f"{P}pic" and not is_pattern:
            self.remarks["picture has no description"] += 1
        if (body := element.find(f"{P}txBody")) is not None:
            yield from _paragraphs(body, is_list=kind in _LISTS and _holder(element) is not None)
        if element.tag == f"{P}graphicFrame":
            yield from self._graphic(element)

    def _graphic(self, element: Element) -> Iterator[Block]:
        """A table, a chart, a diagram, or something of another program's."""
        if element.find(f".//{P}oleObj") is not None:
            self.remarks["embedded object is not read"] += 1
        for table in element.iter(f"{A}tbl"):
            yield from _table(table)
        for one in element.iter():
            yield from drawings.drawn(self._package, one, self._target) or ()

    def _target(self, relation_id: str | None) -> str:
        relation = self._relations.get(relation_id or "")
        return relation.target if relation else ""


def _in_order(shapes: Iterator[_Shape]) -> list[_Shape]:
    """Top to bottom, and those beside each other from left to right."""
    rows: list[list[_Shape]] = []
    for shape in sorted(shapes, key=lambda one: one.top):
        if rows and shape.top - rows[-1][0].top < ROW_EMU:
            rows[-1].append(shape)
        else:
            rows.append([shape])
    return [shape for row in rows for shape in sorted(row, key=lambda one: one.left)]


def _holder(element: Element) -> Element | None:
    return element.find(f"*/{P}nvPr/{P}ph")


def _place(element: Element) -> tuple[int, int] | None:
    for path in (f"{P}spPr/{A}xfrm/{A}off", f"{P}xfrm/{A}off", f"{P}grpSpPr/{A}xfrm/{A}off"):
        if (place := element.find(path)) is not None:
            return int(place.get("y", "0")), int(place.get("x", "0"))
    return None


def _table(table: Element) -> list[Block]:
    return table_blocks(
        [
            [
                []
                if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true")
                else [block for body in cell.iterfind(f"{A}txBody") for block in _paragraphs(body, is_list=False)]
                for cell in row.iterfind(f"{A}tc")
            ]
            for row in table.iterfind(f"{A}tr")
        ]
    )


def _paragraphs(body: Element, *, is_list: bool) -> Iterator[Block]:
    """Its paragraphs; in a list each has a bullet, unless it says that it has none."""
    counts: dict[int, int] = {}
    for paragraph in body.iterfind(f"{A}p"):
        text = _text(paragraph)
        if not text.strip():
            continue
        properties = paragraph.find(f"{A}pPr")
        properties = _NONE if properties is None else properties
        depth = int(properties.get("lvl", "0"))
        counts = {level: count for level, count in counts.items() if level <= depth}
        numbered = properties.find(f"{A}buAutoNum")
        if numbered is not None:
            counts[depth] = counts[depth] + 1 if depth in counts else int(numbered.get("startAt", "1"))
            yield Block("item", f"{_label(numbered.get('type', ''), counts[depth])} {text.strip()}", depth)
            continue
        counts.pop(depth, None)
        has_bullet = any(properties.find(f"{A}{name}") is not None for name in ("buChar", "buBlip"))
        if has_bullet or (is_list and properties.find(f"{A}buNone") is None):
            yield Block("item", f"{BULLET} {text.strip()}", depth)
        else:
            yield Block("paragraph", text)


def _label(form: str, number: int) -> str:
    """The number in a form such as alphaLcParenR."""
    numerals = next((known for begin, known in _NUMERALS.items() if form.startswith(begin)), "decimal")
    around = next((known for end, known in _AROUND.items() if form.endswith(end)), "{}.")
    return around.format(numeral(number, numerals))


def _text(paragraph: Element) -> str:
    line: Line = []
    _read(paragraph, line)
    return assembled(line)


def _read(parent: Element, line: Line) -> None:
    for element in parent:
        tag = element.tag
        if tag == f"{A}r" or (tag == f"{A}fld" and not element.get("type", "").startswith("slidenum")):
            properties = element.find(f"{A}rPr")
            properties = _NONE if properties is None else properties
            baseline = properties.get("baseline", "0").rstrip("%").lstrip("+")
            script = "" if baseline == "0" else "subscript" if baseline.startswith("-") else "superscript"
            is_struck = properties.get("strike", "noStrike") != "noStrike"
            line.append((Look(script=script, is_struck=is_struck), element.findtext(f"{A}t") or ""))
        elif tag == f"{A}br":
            line.append((Look(script="", is_struck=False), "\n"))
        elif tag.startswith(M):
            line.append((Look(script="", is_struck=False), linear(element)))
        elif tag not in (f"{A}fld", f"{A}pPr", f"{A}endParaRPr"):
            _read(chosen(element), line)
