"""The text of a page as it comes: blocks in lists and quotes, and the line that is being written."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tasks.load.parse.page.inline import one_line, paragraphs
from tasks.load.parse.text import Parsed
from tasks.places import Heading

MOST_NESTED = 12  # lists and quotes; what is deeper is not moved in any further


class Block(NamedTuple):
    """`text` is Markdown; `flat` is what of it stands in a cell of a table, where that is something else."""

    text: str
    form: str = "text"  # or heading, code, table, rule
    flat: str = ""
    is_item: bool = False
    in_list: bool = False
    is_aside: bool = False


class Container:
    """A list's item or a quote: what stands before its first line, and before the others."""

    __slots__ = ("indent", "marker")

    def __init__(self, marker: str, indent: str) -> None:
        self.marker = marker
        self.indent = indent


class Mark(NamedTuple):
    """Where in the line something began."""

    flushes: int
    words: int


class Flow:
    """Blocks of a page, or of one cell; `words` is the line so far, `level` that of the heading it is, or 0."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.blocks: list[Block] = []
        self.containers: list[Container] = []
        self.level = 0
        self.struck: Mark | None = None
        self.asides = 0
        self._flushes = 0

    def mark(self) -> Mark:
        """Where the line is."""
        return Mark(self._flushes, len(self.words))

    def take(self, mark: Mark) -> str | None:
        """What was written since the mark, taken out of the line; None if a block has ended since."""
        if mark.flushes != self._flushes:
            return None
        text = "".join(self.words[mark.words :])
        del self.words[mark.words :]
        return text

    def last(self) -> str:
        """The last character of the line, or ""."""
        return self.words[-1][-1:] if self.words else ""

    def flush(self) -> None:
        """End the line, and the heading that it may be."""
        words = self.words
        if not words:
            return
        if self.struck:
            start = self.struck.words if self.struck.flushes == self._flushes else 0
            words[start:] = [struck("".join(words[start:]))]
        self._flushes += 1
        raw = "".join(words)
        self.words = []
        if self.struck:
            self.struck = self.mark()
        if self.level:
            if title := one_line(raw):
                self.blocks.append(Block(f"{'#' * self.level} {title}", "heading", title))
                self.level = 0
            return
        for text in paragraphs(raw):
            self._add(text)

    def add(self, block: Block) -> None:
        """A block that stands by itself, at the left edge."""
        self.flush()
        self.blocks.append(block._replace(is_aside=self.asides > 0))

    def open(self, marker: str, indent: str) -> None:
        """Begin an item or a quote."""
        self.flush()
        is_deep = len(self.containers) >= MOST_NESTED
        self.containers.append(Container("" if is_deep else marker, "" if is_deep else indent))

    def close(self) -> None:
        """End it."""
        self.flush()
        self.containers.pop()

    def _add(self, text: str) -> None:
        if not self.containers:
            self.blocks.append(Block(text, is_aside=self.asides > 0))
            return
        lead = indent = ""
        is_item = False
        for container in self.containers[:MOST_NESTED]:
            lead += container.marker or container.indent
            indent += container.indent
            is_item |= bool(container.marker)
            container.marker = ""
        shown = f"{lead}{text}".replace("\n", f"\n{indent}")
        self.blocks.append(Block(shown, "text", text, is_item, True, self.asides > 0))


def struck(text: str) -> str:
    """Marked as deleted."""
    words = text.strip()
    if not words or "~" in words:
        return text
    start = text.index(words)
    return f"{text[:start]}~~{words}~~{text[start + len(words) :]}"


def joined(blocks: Iterable[Block]) -> tuple[str, tuple[Heading, ...]]:
    """The blocks as one text, and where its titles stand; the items of a list are close together."""
    parts: list[str] = []
    headings: list[Heading] = []
    at = 0
    before: Block | None = None
    for block in blocks:
        between = "" if before is None else "\n" if block.is_item and before.in_list else "\n\n"
        at += len(between)
        parts += (between, block.text)
        if block.form == "heading":
            level = len(block.text) - len(block.text.lstrip("#"))
            headings.append(Heading(at, at + len(block.text), level, block.flat))
        at += len(block.text)
        before = block
    return "".join([*parts, "\n"]) if parts else "", tuple(headings)


def in_order(parts: Sequence[Parsed]) -> Parsed:
    """One text of all, with what is known of each; the title is the first one."""
    texts: list[str] = []
    headings: list[Heading] = []
    at = 0
    for part in parts:
        if part.text:
            headings += (one._replace(start=one.start + at, end=one.end + at) for one in part.headings or ())
            texts.append(part.text)
            at += len(part.text) + 1
    title = next((part.title for part in parts if part.title), "")
    remarks = tuple(remark for part in parts for remark in part.remarks)
    return Parsed("\n".join(texts), title, headings=tuple(headings), remarks=remarks)
