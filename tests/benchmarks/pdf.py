"""Parsing PDFs beside what pdfium alone needs for the same pages: processor time, in this process."""

import statistics
from collections.abc import Iterator
from textwrap import wrap

import pypdfium2

from tasks.load.parse.pdf import parse_pdf
from tests.benchmarks.chunking import processor_seconds
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Measurement, spread
from tests.tasks.load.pdfs import DrawnPage, pdf_of

PAGES, LINES, COLUMNS = 60, 46, 88
ROUNDS = 7


def measure() -> Iterator[Measurement]:
    content = made_file()
    parse_pdf("made.pdf", content)
    rates: list[float] = []
    ratios: list[float] = []
    for _ in range(ROUNDS):
        alone = processor_seconds(lambda: read_alone(content))
        seconds = processor_seconds(lambda: parse_pdf("made.pdf", content))
        rates.append(PAGES / seconds)
        ratios.append(seconds / alone)
    yield Measurement("PDF, pages of text per core", statistics.median(rates), "pages/s", None, spread(rates, 0))
    detail = f"{spread(ratios)}; a call for each end of a word says where it stands"
    yield Measurement("of the time of pdfium alone", statistics.median(ratios), "times", None, detail)


def made_file() -> bytes:
    """Pages full of technical English."""
    lines = [line for text in pages() for line in wrap(text.encode("ascii", "replace").decode(), COLUMNS)]
    chosen = lines[: PAGES * LINES]
    return pdf_of(*(DrawnPage().lines(60, 740, *chosen[at : at + LINES]) for at in range(0, len(chosen), LINES)))


def read_alone(content: bytes) -> None:
    """The text of each page as the library has it."""
    pdf = pypdfium2.PdfDocument(content)
    for page in pdf:
        text = page.get_textpage()
        text.get_text_range()
        text.close()
        page.close()
    pdf.close()
