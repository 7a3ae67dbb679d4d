"""PDF: the text that is in the file, and the pages that have none named; images of text stay images."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pypdfium2.raw as pdfium
from pypdfium2 import PdfDocument, PdfiumError, PdfPage

from tasks.errors import DocumentError
from tasks.load.parse.pages.assembled import assembled
from tasks.load.parse.pages.forms import marks_on, with_fields
from tasks.load.parse.pages.letters import UNKNOWN, Box, Letters, Run
from tasks.load.parse.pages.margins import running
from tasks.load.parse.pages.outline import headings_of
from tasks.load.parse.pages.paragraphs import Entry, entries
from tasks.load.parse.pages.titles import title_of
from tasks.load.parse.text import Parsed

END_BYTES = 65_536  # where the end mark is looked for; servers and mailers append things to files
_CONTROLS = 0.05  # of a page's letters, which text has none of
_READABLE = 0.5  # of a page's letters: with fewer, its text layer is no text
_CONTROL = re.compile("[\0-\1\3-\x1f\x7f]+")
_MEANINGLESS = re.compile(
    "[\0-\1\3-\x1f\x7f\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]+|/?\\(cid:\\d+\\)|/[Gg](?:id)?\\d+"
)
_UNSEEN = 2.0  # points: what stands farther outside of the page's edge


class Page(NamedTuple):
    """`unknown` counts the letters that the file draws without saying which they are."""

    number: int
    entries: list[Entry]
    edge: Box
    letters: Letters
    is_readable: bool
    unknown: int


def parse_pdf(name: str, content: bytes) -> Parsed:
    """The text of all pages in the order of reading, with pages and rectangles; headings from the outline."""
    if b"%%EOF" not in content[-END_BYTES:]:
        raise DocumentError("corrupt", f"{name} is cut off: a PDF ends with %%EOF; fetch it again, or exclude it")
    pdf = _opened(name, content)
    try:
        return _parsed(name, pdf)
    finally:
        pdf.close()


def _opened(name: str, content: bytes) -> PdfDocument:
    try:
        pdf = PdfDocument(content)
        if pdf.get_formtype():
            pdf.init_forms()
    except PdfiumError as error:
        # A file without pages leaves the code of an earlier file's error.
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY) and b"/Encrypt" in content:
            raise DocumentError(
                "encrypted", f"{name} is an encrypted PDF; save it without its password, or exclude it"
            ) from error
        raise DocumentError(
            "corrupt", f"{name} is a damaged PDF, of which no page can be found; save it again, or exclude it"
        ) from error
    return pdf


def _parsed(name: str, pdf: PdfDocument) -> Parsed:
    pages = list(_pages(pdf))
    remarks = list(_remarks(pages, len(pdf)))
    pages = [page for page in pages if page.entries]
    if not pages:
        raise DocumentError(
            "no-text",
            f"{name} has {len(pdf)} pages and no text{_why(remarks)}, so it is probably a scan;"
            " run it through OCR (ocrmypdf), or exclude it",
        )
    repeated = running([(page.number, page.entries, page.edge.bottom, page.edge.top) for page in pages])
    if repeated:
        remarks.append(f"{len(repeated)} repeated headers, footers and page numbers are left out")
    title = title_of(_stated_title(pdf), name, pages[0].entries if pages[0].number == 1 else ())
    left_out = set(map(id, repeated))
    kept = [
        (page.number, [_placed(entry, page) for entry in page.entries if id(entry) not in left_out]) for page in pages
    ]
    made = assembled(kept)
    return Parsed(
        f"{made.text}\n", title, places=tuple(made.places), headings=headings_of(pdf, made), remarks=tuple(remarks)
    )


def _placed(entry: Entry, page: Page) -> Entry:
    entry.box = page.letters.on_page(entry.box)
    return entry


def _pages(pdf: PdfDocument) -> Iterator[Page]:
    for number in range(1, len(pdf) + 1):
        try:
            page = pdf[number - 1]
        except PdfiumError:
            continue  # named, as one without text
        try:
            yield _page(number, page)
        except PdfiumError:
            continue
        finally:
            page.close()


def _page(number: int, page: PdfPage) -> Page:
    letters = Letters(page.get_textpage())
    edge = letters.upright(*page.get_bbox())
    is_readable = _is_readable(letters.text)
    runs = [run for run in letters.runs() if _is_seen(run, edge)] if is_readable else []
    fields, notes = marks_on(page, letters)
    made = entries(with_fields(runs, fields))
    made += [
        Entry(note.text, Box(note.left, note.bottom, note.right, note.top), note.size, "paragraph") for note in notes
    ]
    unknown = sum(entry.text.count(UNKNOWN) for entry in made)
    for entry in made:
        entry.text = entry.text.replace(UNKNOWN, "")
    return Page(number, [entry for entry in made if entry.text.strip()], edge, letters, is_readable, unknown)


def _is_seen(run: Run, edge: Box) -> bool:
    return (
        edge.left - _UNSEEN < run.right
        and run.left < edge.right + _UNSEEN
        and edge.bottom - _UNSEEN < run.top
        and run.bottom < edge.top + _UNSEEN
    )


def _is_readable(text: str) -> bool:
    """Whether it has meaning: some producers write numbers of shapes where letters should be."""
    shown = "".join(text.split())
    controls = len(shown) - len(_CONTROL.sub("", shown))
    return controls <= _CONTROLS * len(shown) and len(_MEANINGLESS.sub("", shown)) >= _READABLE * len(shown)


def _remarks(pages: Sequence[Page], count: int) -> Iterator[str]:
    garbled = [page.number for page in pages if not page.is_readable]
    if garbled:
        yield f"{_share(garbled, count)} a text layer without meaning: {ranges(garbled)}"
    filled = {page.number for page in pages if page.entries}
    empty = [number for number in range(1, count + 1) if number not in filled and number not in garbled]
    if empty:
        yield f"{_share(empty, count)} no text layer: {ranges(empty)}"
    unknown = [page.number for page in pages if page.unknown and page.is_readable]
    if unknown:
        letters = sum(page.unknown for page in pages if page.is_readable)
        yield f"{letters} letter{'s' * (letters > 1)} of unknown meaning missing: {ranges(unknown)}"


def _share(numbers: Sequence[int], count: int) -> str:
    return f"{len(numbers)} of {count} pages {'has' if len(numbers) == 1 else 'have'}"


def ranges(numbers: Sequence[int]) -> str:
    """Pages in ascending order, such as `page 3` or `pages 1, 3-5`."""
    parts: list[str] = []
    start = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            first, last = numbers[start], numbers[at - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = at
    return f"page{'s' if len(numbers) > 1 else ''} {', '.join(parts)}"


def _why(remarks: Sequence[str]) -> str:
    return f" ({remarks[0]})" if remarks and "meaning" in remarks[0] else ""


def _stated_title(pdf: PdfDocument) -> str:
    return str(pdf.get_metadata_value("Title"))
