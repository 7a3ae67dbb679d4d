"""Words in pictures, as tesseract reads them."""

import ctypes
import os
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from tasks.errors import ConfigError, DocumentError
from tasks.load.parse.pages.paragraphs import Break

if TYPE_CHECKING:
    from PIL import Image as Pillow

DPI = 300  # tesseract is trained for it
MOST_PIXELS = 30_000_000  # of a page: A3 at 300 dots per inch has half of them
SECONDS = 120.0  # for one page: it takes one or two, on a machine with nothing else to do
LEAST_SURE = 50.0  # percent: words below are guesses at what may be no letters at all
_PR_SET_PDEATHSIG = 1


class Line(NamedTuple):
    """One line; `sides` are left, top, right and bottom in pixels, `size` is the usual height of its paragraph."""

    text: str
    sides: tuple[int, int, int, int]
    size: float
    before: Break


class _Word(NamedTuple):
    block: int
    paragraph: int
    line: int
    sides: tuple[int, int, int, int]
    text: str


@lru_cache
def require_tesseract(languages: str) -> None:
    """ConfigError where the command, or one of the languages, is not installed on this machine."""
    if shutil.which("tesseract") is None:
        raise ConfigError(
            f"`ocr: {languages}` needs the command tesseract, which is not on the PATH; install it"
            " (`apt-get install tesseract-ocr`, `brew install tesseract`), or leave `ocr` out"
        )
    answer = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S607 - the one on the PATH
    listed = answer.stdout.splitlines()[1:]
    missing = [language for language in languages.split("+") if language not in listed]
    if missing:
        raise ConfigError(
            f"`ocr: {languages}`: tesseract has no {missing[0]!r} on this machine; expected one of"
            f" {', '.join(sorted(listed))}, or install it (`apt-get install tesseract-ocr-{missing[0].lower()}`)"
        )


def lines_in(name: str, picture: "Pillow.Image", languages: str) -> list[Line]:
    """The picture's lines in the order of reading; DocumentError where tesseract fails."""
    pixels = BytesIO()
    picture.convert("L").save(pixels, "PPM")
    # Pages 1: with the direction of the letters, which may stand on their head.
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--psm", "1", "--dpi", str(DPI)]
    try:
        made = _run([*command, "-c", "tessedit_create_tsv=1"], pixels.getvalue())
    except subprocess.TimeoutExpired:
        return []
    if made.returncode:
        why = (made.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {made.returncode}"])[-1]
        raise DocumentError("ocr-failed", f"{name} makes tesseract fail ({why[:200]}); repair or exclude it")
    return [*_lines([*_words(made.stdout.decode(errors="replace"))])]


def _words(table: str) -> Iterator[_Word]:
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip() and float(cells[10]) >= LEAST_SURE:
            block, paragraph, line, _, left, top, width, height = map(int, cells[2:10])
            yield _Word(block, paragraph, line, (left, top, left + width, top + height), cells[11].strip())


def _lines(words: Sequence[_Word]) -> Iterator[Line]:
    block = 0
    for (number, _), paragraph in groupby(words, key=lambda word: word[:2]):
        lines = [[*line] for _, line in groupby(paragraph, key=lambda word: word.line)]
        boxes = [_around([word.sides for word in line]) for line in lines]
        size = statistics.median(bottom - top for _, top, _, bottom in boxes)
        before: Break = "paragraph" if number == block else "column"
        for line, sides in zip(lines, boxes, strict=True):
            yield Line(" ".join(word.text for word in line), sides, size, before)
            before = "line"
        block = number


def _around(boxes: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _run(command: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    """One thread for each page: other cores have work of their own. It is for a process with one thread."""
    return subprocess.run(  # noqa: S603 - a fixed command; the languages are letters
        command,
        input=given,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        preexec_fn=_die_with_the_parent if sys.platform == "linux" else None,
    )


def _die_with_the_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
