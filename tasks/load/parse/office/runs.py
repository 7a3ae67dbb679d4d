"""What stands in one line of a Word document: runs, fields, notes, and drawings that hang on it."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from itertools import groupby
from xml.etree.ElementTree import Element

from tasks.load.parse.office import drawings
from tasks.load.parse.office.blocks import Block, Remarks, lowered, raised
from tasks.load.parse.office.equations import linear
from tasks.load.parse.office.numbering import numeral
from tasks.load.parse.office.package import MC, WP, M, O, Package, Relation, V, W
from tasks.load.parse.office.styles import Look, Styles, is_on, look_of

Line = list[tuple[Look, str]]
PAGE_FIELDS = {"PAGE", "NUMPAGES", "SECTIONPAGES"}
_UNSEEN = {
    *(f"{W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "tblPr", "tblGrid", "trPr", "tcPr", "sdtPr")),
    *(f"{W}{name}" for name in ("delText", "delInstrText", "sectPr")),
}


class _Field:
    """A field's instruction, which nobody sees, and then its result."""

    def __init__(self) -> None:
        self.instruction = ""
        self.is_shown = False


class Runs:
    """One document's; a field may go on over many paragraphs.

    `relations` are those of the part that is read. `below` are the notes since somebody took them away;
    `is_on_white` says that white letters are unseen.
    """

    def __init__(
        self,
        package: Package,
        relations: Mapping[str, Relation],
        styles: Styles,
        remarks: Remarks,
        blocks: Callable[[Element], list[Block]],
    ) -> None:
        """`blocks` reads what stands in a box or note."""
        self.relations = relations
        self.below: list[Block] = []
        self.has_page_field = False
        self.is_on_white = False
        self._package = package
        self._styles = styles
        self._remarks = remarks
        self._blocks = blocks
        self._notes = {
            f"{W}{kind}Reference": {
                note.get(f"{W}id"): note
                for part in relations.values()
                if part.type == f"{kind}s"
                for note in package.tree(part.target).iter(W + kind)
            }
            for kind in ("footnote", "endnote")
        }
        self._note_counts = dict.fromkeys(self._notes, 0)
        self._inline = self._readers()
        self._line: Line = []
        self._after: list[Block] = []
        self._fields: list[_Field] = []
        self._is_muted = False

    def read(self, paragraph: Element, look: Look, line: Line) -> list[Block]:
        """Put the text after what is in the `line`; boxes and charts that hang on it."""
        self._line, self._after = line, []
        self._inside(paragraph, look)
        return self._after

    @contextmanager
    def apart(self) -> Generator[None]:
        """What is read within is no part of what is being read."""
        outer = self._line, self._after, self._fields, self._is_muted, self.is_on_white
        self._fields, self._is_muted = [], False
        yield
        self._line, self._after, self._fields, self._is_muted, self.is_on_white = outer

    def target(self, relation_id: str | None) -> str:
        """The part that the one being read leads to; "" for none."""
        relation = self.relations.get(relation_id or "")
        return relation.target if relation else ""

    def _inside(self, parent: Element, look: Look) -> None:
        """Whatever nobody knows here may hold text, so it is looked into."""
        for element in parent:
            if (read := self._inline.get(element.tag)) is not None:
                read(element, look)
            elif (drawn := drawings.drawn(self._package, element, self.target)) is not None:
                self._after += drawn
            elif not is_unseen(element):
                self._inside(chosen(element), look)

    def _put(self, text: str, look: Look) -> None:
        if not text or self._is_muted or look.is_hidden:
            return
        if look.is_pale and self.is_on_white:
            self._remarks["white passage on white is left out"] += bool(text.strip())
        else:
            self._line.append((look, text))

    def _run(self, element: Element, look: Look) -> None:
        properties = element.find(f"{W}rPr")
        if properties is not None:
            own = look_of(properties)
            if (style := properties.find(f"{W}rStyle")) is not None:
                own = own.over(self._styles.look(style.get(f"{W}val", "")))
            look = own.over(look)
        self._inside(element, look)

    def _text(self, element: Element, look: Look) -> None:
        text = (element.text or "").replace("\xad", "")
        self._put(drawings.readable(look.font or "", text), look)

    def _symbol(self, element: Element, look: Look) -> None:
        text = drawings.symbol(element.get(f"{W}font", ""), int(element.get(f"{W}char", "0"), 16))
        if not text:
            self._remarks["symbol is not known as a character"] += 1
        self._put(text, look)

    def _field(self, element: Element, look: Look) -> None:
        kind = element.get(f"{W}fldCharType")
        if kind == "begin":
            box = element.find(f"{W}ffData/{W}checkBox")
            if box is not None:
                checked = is_on(box.find(f"{W}checked"))
                checked = is_on(box.find(f"{W}default")) if checked is None else checked
                self._put("\u2612" if checked else "\u2610", look)
            options = element.findall(f"{W}ffData/{W}ddList/{W}listEntry")
            if options:
                chosen_one = element.find(f"{W}ffData/{W}ddList/{W}result")
                at = 0 if chosen_one is None else int(chosen_one.get(f"{W}val", "0"))
                self._put(options[at].get(f"{W}val", ""), look)
            self._fields.append(_Field())
        elif kind == "separate" and self._fields:
            self._fields[-1].is_shown = not self._is_page_field(self._fields[-1].instruction)
        elif kind == "end" and self._fields:
            self._is_page_field(self._fields.pop().instruction)
        self._is_muted = not all(field.is_shown for field in self._fields)

    def _instruction(self, element: Element, _look: Look) -> None:
        if self._fields:
            self._fields[-1].instruction += element.text or ""

    def _simple_field(self, element: Element, look: Look) -> None:
        if not self._is_page_field(element.get(f"{W}instr", "")):
            self._inside(element, look)

    def _is_page_field(self, instruction: str) -> bool:
        """Whether a field only counts pages, which a text has none of."""
        is_one = (instruction.split() or [""])[0].upper() in PAGE_FIELDS
        self.has_page_field |= is_one
        return is_one

    def _ruby(self, element: Element, look: Look) -> None:
        for part, form in ((f"{W}rubyBase", "{}"), (f"{W}rt", "({})")):
            line, self._line = self._line, []
            for one in element.findall(part):
                self._inside(one, look)
            text = "".join(piece for _, piece in self._line)
            self._line = line
            self._put(form.format(text), look)

    def _note(self, element: Element, look: Look) -> None:
        note = self._notes[element.tag].get(element.get(f"{W}id"))
        if note is None or self._is_muted or look.is_hidden:
            return
        self._note_counts[element.tag] += 1
        number = numeral(self._note_counts[element.tag], "lowerRoman" if "endnote" in element.tag else "decimal")
        self._put(f"[^{number}]", look._replace(script=None))
        blocks = [block for block in self._blocks(note) if block.form != "blank"]
        if blocks:
            self.below += [blocks[0]._replace(text=f"[^{number}]: {blocks[0].text.strip()}"), *blocks[1:]]

    def _comment(self, _element: Element, _look: Look) -> None:
        self._remarks["comment is left out"] += 1

    def _box(self, element: Element, look: Look) -> None:
        if not self._is_muted and not look.is_hidden:
            self._after += self._blocks(element)

    def _picture(self, element: Element, look: Look) -> None:
        """What is drawn, by what its writer says of it."""
        properties = element.find(f"{WP}docPr")
        properties = Element("none") if properties is None else properties
        if self._is_muted or look.is_hidden or properties.get("hidden") in ("1", "true"):
            return
        if text := drawings.description(properties):
            self._after.append(Block("paragraph", text))
        elif any(one.tag.endswith("}pic") for one in element.iter()):
            self._remarks["picture has no description"] += 1
        self._inside(element, look)

    def _old_picture(self, element: Element, look: Look) -> None:
        shapes = [*element.iter(f"{V}shape"), *element.iter(f"{V}rect")]
        texts = [one.get("string", "") for one in element.iter(f"{V}textpath")]  # a watermark, or curved letters
        texts = [*texts, *map(drawings.description, shapes)]
        if self._is_muted or look.is_hidden:
            return
        self._after += [Block("paragraph", text) for text in texts if text]
        if element.find(f"{O}OLEObject") is not None:
            self._remarks["embedded object is not read"] += 1
        elif element.find(f".//{V}imagedata") is not None and not any(texts):
            self._remarks["picture has no description"] += 1
        self._inside(element, look)

    def _equation(self, element: Element, look: Look) -> None:
        self._put(linear(element), look)

    def _fixed(self, text: str) -> Callable[[Element, Look], None]:
        return lambda _element, look: self._put(text, look)

    def _readers(self) -> dict[str, Callable[[Element, Look], None]]:
        return {
            f"{W}r": self._run,
            f"{W}t": self._text,
            f"{W}tab": self._fixed("\t"),
            f"{W}ptab": self._fixed("\t"),
            f"{W}br": self._fixed("\n"),
            f"{W}cr": self._fixed("\n"),
            f"{W}noBreakHyphen": self._fixed("-"),
            f"{W}sym": self._symbol,
            f"{W}fldChar": self._field,
            f"{W}instrText": self._instruction,
            f"{W}fldSimple": self._simple_field,
            f"{W}ruby": self._ruby,
            f"{W}footnoteReference": self._note,
            f"{W}endnoteReference": self._note,
            f"{W}commentReference": self._comment,
            f"{W}txbxContent": self._box,
            f"{W}object": self._old_picture,
            f"{W}pict": self._old_picture,
            f"{WP}inline": self._picture,
            f"{WP}anchor": self._picture,
            f"{M}oMath": self._equation,
            f"{M}oMathPara": self._equation,
        }


def assembled(line: Line) -> str:
    """The text of a paragraph; runs that look the same are one, for Word cuts them anywhere."""
    text, was_script = "", False
    for (script, is_struck), pieces in groupby(line, lambda one: (one[0].script, one[0].is_struck)):
        piece = "".join(part for _, part in pieces)
        inner = piece.strip()
        shown = inner
        has_base = bool(text[-1:].strip()) and piece.startswith(inner[:1])
        if inner and script in ("superscript", "subscript") and has_base:
            shown = raised(text, inner) if script == "superscript" else lowered(text, inner)
        if inner and is_struck and not text[-1:].isalnum():  # a few letters of a word are no other word
            shown = f"~~{shown}~~"
        if was_script and text[-1:].isdigit() and piece[:1].isdigit():
            text += " "  # 10^6 and 2 are not 10^62
        was_script = script in ("superscript", "subscript")
        text += piece if shown is inner else piece.replace(inner, shown, 1)
    return text


def chosen(element: Element) -> Element:
    """The newer one of two drawings of the same thing; any other element itself."""
    if element.tag != f"{MC}AlternateContent":
        return element
    choice = element.find(f"{MC}Choice")
    return element if choice is None else choice


def is_unseen(element: Element) -> bool:
    """Whether it is deleted, or a control that nobody has filled in yet and that shows what to put there."""
    if element.tag == f"{W}sdt":
        return bool(is_on(element.find(f"{W}sdtPr/{W}showingPlcHdr")))
    return element.tag in _UNSEEN
