"""What office documents are made of, and how it is written down in Markdown."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Literal, NamedTuple

from tasks.load.decode import normalised
from tasks.load.parse.table import table
from tasks.load.parse.text import Parsed
from tasks.places import Heading, Place, PlaceKind

MOST_HEADING_CHARACTERS = 250  # a longer one is a paragraph that somebody made big
MOST_CELL_BLOCKS = 12
MOST_DEPTH = 8
MOST_INDENT = 40
_FENCE = re.compile(r"^( {0,3})(?=```|~~~)", re.MULTILINE)
_TICKS = re.compile(r"`{3,}")
_ONE = re.compile(r"[-+\u2212]?\d+(?:[.,]\d+)?|\S|\([^()]*\)")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|e|er|re|o|a|TM|SM|\u2122|\u00ae|[\u00aa\u00ba])", re.IGNORECASE)
_DIGIT_BEFORE = re.compile(r"\d$")


BlockForm = Literal["heading", "paragraph", "item", "code", "blank", "contents", "table", "end", "slide"]


class Block(NamedTuple):
    """One thing below the other.

    The `level` of a heading is 1 above all others, that of an item its depth from 0 (its mark is in its text), that of
    code how many letters it is indented, that of a slide the number of the slide that begins here.
    A line of contents counts only where no heading says the same; an end ends the sections above it; a blank is an
    empty paragraph, which only code needs.
    """

    form: BlockForm
    text: str = ""
    level: int = 0
    rows: Sequence[Sequence[str]] = ()


class Remarks(Counter[str]):
    """How often what was lost, by a clause for one like "picture has no description"."""

    def clauses(self) -> tuple[str, ...]:
        """Clauses such as "3 pictures have no description", in the order in which they were first seen."""
        shown = [(clause, number) for clause, number in self.items() if number]
        return tuple(f"1 {clause}" if number == 1 else f"{number:,} {_plural(clause)}" for clause, number in shown)


def written(blocks: Iterable[Block], title: str, remarks: Remarks) -> Parsed:
    """The document in Markdown; its first heading is its title where it has no other."""
    blocks = list(blocks)
    known = {_flat(block.text) for block in blocks if block.form == "heading"}
    shown = (block for block in blocks if block.form != "contents" or _entry(block.text) not in known)
    page = _Page()
    for is_code, group in groupby(_joined_code(shown), lambda block: block.form == "code"):
        if is_code:
            page.code([*group])
        else:
            for block in group:
                page.add(block)
    text = "".join(page.parts) + "\n" if page.parts else ""
    first = next((heading.title for heading in page.headings if heading.title), "")
    return Parsed(
        text,
        title or first,
        places=tuple(page.places),
        headings=tuple(page.headings),
        remarks=remarks.clauses(),
    )


def cell_text(blocks: Sequence[Block]) -> str:
    """The blocks of a table's cell; of a table in it, all cells in one line."""
    texts = (", ".join(filter(str.strip, chain(*block.rows))) or block.text for block in blocks)
    return "\n".join(text for text in texts if text.strip())


def table_blocks(rows: Sequence[Sequence[Sequence[Block]]]) -> list[Block]:
    """A table; where it only puts things in places on the page, what stands in it."""
    rows = [row for row in rows if any(any(block.text.strip() or block.rows for block in cell) for cell in row)]
    cells = [cell for row in rows for cell in row]
    is_layout = max(map(len, rows), default=0) < 2 or any(_is_page(cell) for cell in cells)
    is_layout = is_layout or (len(rows) < 2 and any(block.rows for cell in cells for block in cell))
    if is_layout:
        return [block for cell in cells for block in cell]
    return [Block("table", rows=[[cell_text(cell) for cell in row] for row in rows])]


def raised(before: str, text: str) -> str:
    """The superscript after its base: 10^6, m^2, x^(n+1); but 1st."""
    if _ORDINAL.fullmatch(text) and (_DIGIT_BEFORE.search(before[-1:]) or not text.isascii() or text.isupper()):
        return text
    return "^" + grouped(text)


def lowered(before: str, text: str) -> str:
    """The subscript after its base: H2O, x_i, V_max, a_(n+1), 101_2."""
    return text if text.isdigit() and not before[-1:].isdigit() else "_" + (text if text.isalnum() else grouped(text))


def grouped(text: str) -> str:
    """The text in parentheses, unless it is one thing."""
    return text if not text or _ONE.fullmatch(text) else f"({text})"


class _Page:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.places: list[Place] = []
        self.headings: list[Heading] = []
        self._size = 0
        self._was_item = False
        self._place: tuple[PlaceKind, int | str] | None = None

    def add(self, block: Block) -> None:
        text = _FENCE.sub(r"\1\\", normalised(block.text).strip())  # now, for later places would move
        match block.form:
            case "slide":
                self._place = ("slide", block.level)
            case "end":
                self.headings.append(Heading(self._size, self._size, 1, ""))
            case "heading" if text:
                title = " ".join(text.split())
                start = self._put(f"{'#' * min(block.level, 6)} {title}")
                self.headings.append(Heading(start, self._size, block.level, title))
            case "item" if text:
                indent = "  " * min(block.level, MOST_DEPTH)
                self._put(indent + text.replace("\n", f"\n{indent}  "), is_item=True)
            case "table":
                self._put("\n".join(table(block.rows)))
            case _:
                if text:
                    self._put(text)

    def code(self, lines: Sequence[Block]) -> None:
        """Lines that are indented less than all others stand at the left; blank ones anywhere."""
        least = min(line.level for line in lines if line.text)
        indented = (" " * min(line.level - least, MOST_INDENT) + line.text if line.text else "" for line in lines)
        text = "\n".join(indented).strip("\n")
        fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
        self._put(f"{fence}\n{text}\n{fence}")

    def _put(self, text: str, *, is_item: bool = False) -> int:
        """Where the text stands, a blank line after what is before it."""
        between = "" if not self.parts else "\n" if is_item and self._was_item else "\n\n"
        self._was_item = is_item
        start = self._size + len(between)
        if self._place:
            self.places.append(Place(start, *self._place))
            self._place = None
        self.parts += (between, text)
        self._size = start + len(text)
        return start


def _joined_code(blocks: Iterable[Block]) -> Iterator[Block]:
    """Blanks between two lines of code are code, and others nothing."""
    blanks: list[Block] = []
    was_code = False
    for block in blocks:
        if block.form == "blank":
            blanks.append(block)
            continue
        if was_code and block.form == "code":
            yield from (Block("code") for _ in blanks)
        blanks.clear()
        was_code = block.form == "code"
        yield block


def _is_page(cell: Sequence[Block]) -> bool:
    """Whether a cell holds what no line of a table can."""
    kinds = [block.form for block in cell if block.form != "blank"]
    tables = (block for block in cell if block.form == "table")
    return (
        any(sum(map(len, one.rows)) > MOST_CELL_BLOCKS for one in tables)
        or ("heading" in kinds and len(kinds) > 1)
        or len(kinds) > MOST_CELL_BLOCKS
    )


def _entry(text: str) -> str:
    """A line of contents without its page."""
    return _flat(text).rstrip("0123456789").rstrip(" .")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _plural(clause: str) -> str:
    noun, verb, rest = re.split(r" (has|is|was) ", clause, maxsplit=1)
    return f"{noun}s {'have' if verb == 'has' else 'are' if verb == 'is' else 'were'} {rest}"
