"""PDF: the text that is in the file, and the pages that have none named; images of text stay images."""

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pypdfium2.raw as pdfium
from pypdfium2 import PdfDocument, PdfiumError, PdfPage

from tasks.errors import DocumentError
from tasks.load.parse.ocr import DPI, MOST_PIXELS, lines_in
from tasks.load.parse.pages.assembled import assembled
from tasks.load.parse.pages.covered import is_covered, with_stamps
from tasks.load.parse.pages.forms import marks_on, with_fields
from tasks.load.parse.pages.grids import in_grids
from tasks.load.parse.pages.letters import UNKNOWN, Letters
from tasks.load.parse.pages.margins import running
from tasks.load.parse.pages.outline import headings_of
from tasks.load.parse.pages.pale import without_hidden
from tasks.load.parse.pages.paragraphs import Entry, entries
from tasks.load.parse.pages.runs import Box, Run
from tasks.load.parse.pages.titles import title_of
from tasks.load.parse.properties import date_of_pdf, stated
from tasks.load.parse.text import Parsed
from tasks.records import Metadata

END_BYTES = 65_536  # where the end mark is looked for; servers and mailers append things to files
_UNREADABLE = 0.5  # of a page's letters: with more, its text layer is no text
_CONTROLS = 0.1  # of a page's letters, which text has none of
_SIGN = 3  # letters: a bullet may be a sign of the font's own
_CONTROL = re.compile("[\0-\1\3-\x08\x0e-\x1f\x7f]+")
_STRANGE = re.compile(
    "[\0-\1\3-\x08\x0e-\x1f\x7f\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]+|/?\\(cid:\\d+\\)|/[Gg](?:id)?\\d+"
)
_SAMPLES, _LOST = 64, 0.2  # of the objects that a page draws, and of their texts
_FLAT = 0.01  # points
_REMEDIES = ("set `ocr: eng` for its source, or run it through OCR (ocrmypdf)", "OCR found nothing: scan it anew")
_OCR = "; set `ocr: eng` for the source to have it read"
_UNSEEN = 2.0  # points: what stands farther outside of the page's edge


class Page(NamedTuple):
    """What is read of a page; the entries of a scan are OCR's.

    `unknown` counts the letters that the file draws without saying which they are, `hidden` those that nobody sees.
    `is_whole` is False where text is drawn in fonts that the file does not hold, which pdfium passes over; `is_covered`
    where a picture fills the page, and beside it there is hardly a stamp.
    """

    number: int
    entries: list[Entry]
    edge: Box
    letters: Letters
    is_readable: bool
    unknown: int
    is_whole: bool
    is_scan: bool = False
    hidden: int = 0
    is_covered: bool = False


def parse_pdf(name: str, content: bytes, languages: str = "") -> Parsed:
    """The text of all pages in the order of reading, with pages and rectangles; headings from the outline.

    With `languages` tesseract reads pages without text.
    """
    if b"%%EOF" not in content[-END_BYTES:]:
        raise DocumentError("corrupt", f"{name} is cut off: a PDF ends with %%EOF; fetch it again, or exclude it")
    pdf = _opened(name, content)
    try:
        return _parsed(name, pdf, languages)
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


def _parsed(name: str, pdf: PdfDocument, languages: str) -> Parsed:
    pages = list(_pages(name, pdf, languages))
    remarks = list(_remarks(pages, len(pdf), "" if languages else _OCR))
    pages = [page for page in pages if page.entries]
    if not pages:
        raise DocumentError(
            "no-text",
            f"{name} has {len(pdf)} pages and no text{_why(remarks)}, so it is probably a scan;"
            f" {_REMEDIES[bool(languages)]}, or exclude it",
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
        f"{made.text}\n",
        title,
        places=tuple(made.places),
        headings=headings_of(pdf, made),
        remarks=tuple(remarks),
        properties=_properties(pdf),
    )


def _placed(entry: Entry, page: Page) -> Entry:
    entry.box = page.letters.on_page(entry.box)
    return entry


def _pages(name: str, pdf: PdfDocument, languages: str) -> Iterator[Page]:
    for number in range(1, len(pdf) + 1):
        try:
            page = pdf[number - 1]
        except PdfiumError:
            continue  # named, as one without text
        try:
            made = _page(number, page)
            if languages and (made.is_covered or not (made.entries and made.is_readable)):
                lines = [*_scanned(name, page, made.letters, languages)]
                lines = with_stamps(lines, made.entries) if made.is_covered and lines else lines
                made = made._replace(entries=lines, is_scan=True, is_readable=True, unknown=0) if lines else made
            yield made
        except PdfiumError:
            continue
        finally:
            page.close()


def _page(number: int, page: PdfPage) -> Page:
    letters = Letters(page.get_textpage())
    edge = letters.upright(*page.get_bbox())
    drawn = [run for run in letters.runs() if _is_seen(run, edge)]
    runs = without_hidden(page, letters, drawn)
    hidden = _length(drawn) - _length(runs)  # now, for values of forms are put into runs
    meant = [run for run in runs if _has_meaning(run.text)] if _STRANGE.search(letters.text) else runs
    unknown = _length(runs) - _length(meant)
    controls = sum(len(run.text) - len(_CONTROL.sub("", run.text)) for run in meant) if meant is not runs else 0
    is_readable = unknown <= _UNREADABLE * _length(runs) and controls <= _CONTROLS * _length(meant)
    fields, notes = marks_on(page, letters)
    made = entries(in_grids(with_fields(meant if is_readable else [], fields), page, letters))
    words = " ".join(entry.text for entry in made) if notes else ""
    made += [_noted(note) for note in notes if note.text not in words]  # a mark may repeat the words that it marks
    for entry in made:
        unknown += entry.text.count(UNKNOWN)
        entry.text = entry.text.replace(UNKNOWN, "")
    shown = [entry for entry in made if entry.text.strip()]
    made_page = Page(number, shown, edge, letters, is_readable, unknown, _is_whole(page), hidden=hidden)
    return made_page._replace(is_covered=bool(shown) and is_covered(page, shown))


def _scanned(name: str, page: PdfPage, letters: Letters, languages: str) -> Iterator[Entry]:
    width, height = page.get_size()
    scale = min(DPI / 72, (MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    drawn = page.render(scale=scale, grayscale=True)  # pyright: ignore[reportArgumentType] - fractions are taken, too
    picture = drawn.to_pil()
    for line in lines_in(name, picture, languages):
        left, top = _on_page(page, picture.size, *line.sides[:2])
        right, bottom = _on_page(page, picture.size, *line.sides[2:])
        yield Entry(line.text, letters.upright(left, bottom, right, top), line.size / scale, line.before)


def _on_page(page: PdfPage, size: tuple[int, int], x: int, y: int) -> tuple[float, float]:
    across, up = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDF_DeviceToPage(page, 0, 0, *size, 0, x, y, across, up)
    return across.value, up.value


def _noted(note: Run) -> Entry:
    return Entry(note.text, Box(note.left, note.bottom, note.right, note.top), 0.0, "paragraph")


def _length(runs: Sequence[Run]) -> int:
    return sum(len(word) for run in runs for word in run.words)


def _is_seen(run: Run, edge: Box) -> bool:
    return (
        edge.left - _UNSEEN < run.right
        and run.left < edge.right + _UNSEEN
        and edge.bottom - _UNSEEN < run.top
        and run.bottom < edge.top + _UNSEEN
    )


def _has_meaning(text: str) -> bool:
    """Whether it is text: some producers write numbers of shapes where letters should be."""
    return len(text) < _SIGN or len(_STRANGE.sub("", text)) >= (1 - _UNREADABLE) * len(text)


def _is_whole(page: PdfPage) -> bool:
    count = pdfium.FPDFPage_CountObjects(page)
    drawn = (pdfium.FPDFPage_GetObject(page, at) for at in range(0, count, count // _SAMPLES + 1))
    texts = [one for one in drawn if pdfium.FPDFPageObj_GetType(one) == pdfium.FPDF_PAGEOBJ_TEXT]
    sides = [ctypes.c_float() for _ in range(4)]
    flat = 0
    for one in texts:
        pdfium.FPDFPageObj_GetBounds(one, *sides)
        left, _, right, _ = (side.value for side in sides)
        flat += right - left < _FLAT
    return flat <= _LOST * len(texts)


def _remarks(pages: Sequence[Page], count: int, remedy: str) -> Iterator[str]:
    garbled = [page.number for page in pages if not page.is_readable]
    if garbled:
        yield f"{_share(garbled, count)} a text layer without meaning: {ranges(garbled)}"
    filled = {page.number for page in pages if page.entries}
    empty = [number for number in range(1, count + 1) if number not in filled and number not in garbled]
    if empty:
        yield f"{_share(empty, count)} no text layer: {ranges(empty)}"
    covered = [page.number for page in pages if page.is_covered and not page.is_scan]
    if covered:
        yield f"{_share(covered, count)} hardly any text beside a picture of the whole page: {ranges(covered)}{remedy}"
    scans = [page.number for page in pages if page.is_scan]
    if scans:
        yield f"{_share(scans, count)} words that OCR read: {ranges(scans)}"
    partly = [page.number for page in pages if page.entries and not page.is_whole]
    if partly:
        yield f"{_share(partly, count)} text in fonts that are not in the file, and missing: {ranges(partly)}"
    hidden = [page.number for page in pages if page.hidden]
    if hidden:
        yield f"{sum(page.hidden for page in pages)} letters without colour or ink are left out: {ranges(hidden)}"
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


def _properties(pdf: PdfDocument) -> Metadata:
    named = {name.lower(): str(pdf.get_metadata_value(name)).strip() for name in ("Author", "Subject", "Keywords")}
    dates = {"created": "CreationDate", "modified": "ModDate"}
    return stated({**named, **{ours: date_of_pdf(str(pdf.get_metadata_value(name))) for ours, name in dates.items()}})


def _stated_title(pdf: PdfDocument) -> str:
    return str(pdf.get_metadata_value("Title"))
