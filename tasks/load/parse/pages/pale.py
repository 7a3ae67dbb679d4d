"""Words without colour or ink: seen on a dark ground or in a scan below them, and hidden on a white one."""

import ctypes
from collections.abc import Sequence

import numpy as np
import pypdfium2.raw as pdfium
from pypdfium2 import PdfPage

from tasks.load.parse.pages.covered import has_picture
from tasks.load.parse.pages.letters import Letters
from tasks.load.parse.pages.runs import Box, Run

_SCAN = 0.5  # of the page: then what has no ink is what was read in it
SCALE = 1.5  # of the page that is drawn to see them
_PALE = 245  # of 255, in each colour
_CONTRAST = 6  # of 255, between the darkest and the brightest dot


def without_hidden(page: PdfPage, letters: Letters, runs: Sequence[Run]) -> list[Run]:
    """The runs but for those in white or without ink of which nothing shows when the page is drawn."""
    pale = [run for run in runs if letters.is_pale(run.at, _PALE)]
    if any(letters.is_inkless(run.at) for run in runs) and not has_picture(page, _SCAN):
        pale += [run for run in runs if letters.is_inkless(run.at)]
    if not pale:
        return [*runs]
    drawn = page.render(scale=SCALE, grayscale=True)  # pyright: ignore[reportArgumentType] - fractions are taken, too
    dots = drawn.to_numpy()
    hidden = {id(run) for run in pale if not _shows(page, letters.on_page(_box(run)), dots)}
    return [run for run in runs if id(run) not in hidden]


def _box(run: Run) -> Box:
    return Box(run.left, run.bottom, run.right, run.top)


def _shows(page: PdfPage, box: Box, dots: np.ndarray) -> bool:
    height, width = dots.shape[:2]
    x, y = ctypes.c_int(), ctypes.c_int()
    places = []
    for across, up in ((box.left, box.bottom), (box.right, box.top)):
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, across, up, x, y)
        places.append((x.value, y.value))
    (left, right), (top, bottom) = (sorted(sides) for sides in zip(*places, strict=True))
    around = dots[max(0, top) : bottom + 1, max(0, left) : right + 1]
    return bool(around.size) and int(around.max()) - int(around.min()) > _CONTRAST
