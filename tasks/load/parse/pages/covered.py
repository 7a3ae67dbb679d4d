"""Pages that are pictures: scans on which a program has stamped a line, so that they have some text."""

import ctypes
from collections.abc import Iterator, Sequence

import pypdfium2.raw as pdfium
from pypdfium2 import PdfPage

from tasks.load.parse.pages.paragraphs import Entry

FEW_WORDS = 25  # a stamp's, such as who scanned it, or who has bought this copy
_MOST = 0.7  # of the page
_LEAST_PIXELS = 200_000  # of all pictures together: a scan of A4 at 72 dots per inch has half a million
_MOST_OBJECTS = 200  # strips of a scan; a drawing has more, and is none


def is_covered(page: PdfPage, entries: Sequence[Entry]) -> bool:
    """Whether the page has hardly any words beside pictures that fill it."""
    return sum(len(entry.text.split()) for entry in entries) <= FEW_WORDS and has_picture(page, _MOST)


def has_picture(page: PdfPage, share: float) -> bool:
    """Whether pictures with enough dots for words cover so much of the page."""
    left, bottom, right, top = page.get_bbox()
    covered, pixels = 0.0, 0
    for picture, sides in _pictures(page):
        width = min(right, sides[2]) - max(left, sides[0])
        height = min(top, sides[3]) - max(bottom, sides[1])
        covered += max(0.0, width) * max(0.0, height)
        pixels += _pixels(picture)
    return pixels >= _LEAST_PIXELS and covered >= share * (right - left) * (top - bottom)


def with_stamps(lines: Sequence[Entry], stamps: Sequence[Entry]) -> list[Entry]:
    """What OCR read of a page, and of the page's own text what OCR did not."""
    words = {word for line in lines for word in line.text.split()}
    return [*lines, *(stamp for stamp in stamps if not words.issuperset(stamp.text.split()))]


def _pictures(page: PdfPage) -> Iterator[tuple[object, tuple[float, ...]]]:
    """With their left, bottom, right and top; of a form, which holds parts of a page, those that it has."""
    for at in range(min(_MOST_OBJECTS, pdfium.FPDFPage_CountObjects(page))):
        drawn = pdfium.FPDFPage_GetObject(page, at)
        inner = drawn
        if pdfium.FPDFPageObj_GetType(drawn) == pdfium.FPDF_PAGEOBJ_FORM and pdfium.FPDFFormObj_CountObjects(drawn) > 0:
            inner = pdfium.FPDFFormObj_GetObject(drawn, 0)
        if pdfium.FPDFPageObj_GetType(inner) == pdfium.FPDF_PAGEOBJ_IMAGE:
            sides = [ctypes.c_float() for _ in range(4)]
            pdfium.FPDFPageObj_GetBounds(drawn, *sides)
            yield inner, tuple(side.value for side in sides)


def _pixels(picture: object) -> int:
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(picture, width, height)
    return width.value * height.value
