"""The straight lines that a page draws: rules, frames, and the sides of shades."""

import ctypes
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pypdfium2.raw as pdfium
from pypdfium2 import PdfPage

from tasks.load.parse.pages.letters import Letters

NEAR = 3.0  # points: rules so close are one, and meet
_MOST_SEGMENTS = 6000  # of a page's paths: with more it is a drawing
_SHORTEST = 6.0  # points: what is shorter is no side of a cell

Side = tuple[float, float, float]  # where it is, and from where to where it goes the other way
Point = tuple[float, float]


def rules_of(page: PdfPage, letters: Letters) -> tuple[list[Side], list[Side]]:
    """The straight pieces of all paths of the page, as its letters are turned: level ones, and upright ones."""
    level: list[Side] = []
    upright: list[Side] = []
    segments = 0
    for at in range(min(_MOST_SEGMENTS, pdfium.FPDFPage_CountObjects(page))):
        path = pdfium.FPDFPage_GetObject(page, at)
        if pdfium.FPDFPageObj_GetType(path) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        segments += max(0, pdfium.FPDFPath_CountSegments(path))
        if segments > _MOST_SEGMENTS:
            return [], []
        for (x, y), (u, v) in _straight(path):
            box = letters.upright(x, y, u, v)
            if box.top - box.bottom <= 1 < box.right - box.left:
                level.append(((box.bottom + box.top) / 2, box.left, box.right))
            elif box.right - box.left <= 1 < box.top - box.bottom:
                upright.append(((box.left + box.right) / 2, box.bottom, box.top))
    return _whole(level), _whole(upright)


def _whole(sides: Iterable[Side]) -> list[Side]:
    """Sides that go on in each other, as programs draw each cell's own, are one."""
    made: list[Side] = []
    for place, start, end in sorted(sides, key=lambda side: (round(side[0]), side[1])):
        before = made[-1] if made else None
        if before and abs(before[0] - place) <= 1 and start <= before[2] + NEAR:
            made[-1] = (before[0], before[1], max(before[2], end))
        else:
            made.append((place, start, end))
    return [side for side in made if side[2] - side[1] >= _SHORTEST]


def _straight(path: object) -> Iterator[tuple[Point, Point]]:
    """The path's lines from point to point, none where it has a curve."""
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
    if not pdfium.FPDFPageObj_GetMatrix(path, matrix):
        return
    points: list[Point | None] = []
    start: Point | None = None
    for at in range(pdfium.FPDFPath_CountSegments(path)):
        segment = pdfium.FPDFPath_GetPathSegment(path, at)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind not in (pdfium.FPDF_SEGMENT_LINETO, pdfium.FPDF_SEGMENT_MOVETO):
            return
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            points.append(None)
            start = point
        points.append(point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            points.append(start)
    for one, two in pairwise(points):
        if one and two:
            yield one, two
