"""A page's letters as runs of words, in the order in which it was drawn."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pypdfium2.raw as pdfium
from pypdfium2 import PdfTextPage

from tasks.load.parse.pages.runs import LEVEL, Box, Run, Sides, around_letters, jumps, marks_of, with_scripts
from tasks.load.parse.pages.scripts import is_right_to_left, letters_in_reading_order

HYPHEN = "\x02"  # pdfium's mark for a hyphen at the end of a line
UNKNOWN = "\ufffd"  # a letter that is drawn, and of which the file does not say which one it is
_WORD = re.compile(rf"(?=\S)[^\s\d{HYPHEN}]*+(\d)?[^\s{HYPHEN}]*+{HYPHEN}?")  # its first digit is a group
_SAMPLES = 32
_BOX_BYTES = 16
Piece = tuple[str, Sides, int]  # a word, where it stands, and the place of a letter of its usual size
# Called for every word: pypdfium2's own signature would make an object each time.
_loose_box: Callable[[int, int, int], int] = ctypes.cast(
    pdfium.FPDFText_GetLooseCharBox, ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
)


class Letters:
    """The letters of one page; `turn` says how many quarter turns to the left most of them stand."""

    def __init__(self, page: PdfTextPage) -> None:
        self._page = page
        self._address = ctypes.cast(page.raw, ctypes.c_void_p).value or 0
        self._sides = (ctypes.c_float * 8)()  # of two letters: left, top, right, bottom, as pdfium fills them in
        self._at = ctypes.addressof(self._sides)
        self.text = _text(page)
        self.turn = self._usual_turn()

    def runs(self) -> Iterator[Run]:
        """Runs in the order in which the page draws them."""
        run: Run | None = None
        end, text, sides = 0, self.text, self._sides
        is_plain = not self.turn and not is_right_to_left(text)
        for match in _WORD.finditer(text):
            start, stop = match.span()
            _loose_box(self._address, start, self._at)
            _loose_box(self._address, stop - 1, self._at + _BOX_BYTES)
            left, top, _, bottom, _, last_top, right, last_bottom = sides[:]
            level = LEVEL * (top - bottom)
            is_level = -level <= bottom - last_bottom <= level and -level <= top - last_top <= level
            is_usual = is_plain and is_level and level > 0
            if is_usual and (match.start(1) < 0 or self._is_level(start, stop, bottom, level)):
                if run is not None and run.goes_on(left, bottom, top):
                    run.words.append(text[start:stop])
                    run.lefts.append(left)
                    run.right = right
                    end = stop
                    continue
                pieces = [(text[start:stop], (left, bottom, right, top), start)]
            else:
                pieces = self._pieces(text[start:stop], start)
            is_sideways = (last_bottom > top or last_top < bottom) and self._is_sideways(start)
            for piece in pieces:
                begun = self._begun(run, piece, text[end:start], is_sideways)
                if begun is not None:
                    if run is not None:
                        yield run
                    run = begun
                end = start
            end = stop
        if run is not None:
            yield run

    def _begun(self, run: Run | None, piece: Piece, separator: str, is_sideways: bool) -> Run | None:
        """A new run of the word, unless it goes on with the run."""
        word, sides, at = piece
        if run is not None and run.is_sideways and (is_sideways or len(word) == 1) and "\n" not in separator:
            run.extend(word, sides)
            return None
        if run is not None and run.is_near(sides):
            boxes = (Box(run.left, run.bottom, run.right, run.top), Box(*sides))
            if not run.is_like(sides):
                # Fonts differ in how high pdfium takes their letters for: a symbol raises no word beside it.
                boxes = (self._measured(run.at, boxes[1]), self._measured(at, boxes[1]))
            run.add(word, sides, separator, boxes)
            run.at = at if run.is_like(sides) else run.at
            return None
        begun = Run(word, sides)
        begun.at, begun.is_sideways = at, is_sideways
        return begun

    def is_pale(self, at: int, least: int) -> bool:
        """Whether a letter is nearly white, or lets everything shine through."""
        red, green, blue, opaque = colours = [ctypes.c_uint() for _ in range(4)]
        if not pdfium.FPDFText_GetFillColor(self._page, at, *colours):
            return False
        return opaque.value == 0 or min(red.value, green.value, blue.value) >= least

    def is_inkless(self, at: int) -> bool:
        """Whether a letter is drawn without ink, as programs lay what they have read over a scan."""
        drawn = pdfium.FPDFText_GetTextObject(self._page, at)
        return bool(pdfium.FPDFTextObj_GetTextRenderMode(drawn) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)

    def upright(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A rectangle of the page, turned as its letters are."""
        (x, y), (u, v) = _turned(self.turn, left, bottom), _turned(self.turn, right, top)
        return Box(min(x, u), min(y, v), max(x, u), max(y, v))

    def on_page(self, box: Box) -> Box:
        """The rectangle as the page itself counts."""
        (x, y), (u, v) = _turned(-self.turn, box.left, box.bottom), _turned(-self.turn, box.right, box.top)
        return Box(min(x, u), min(y, v), max(x, u), max(y, v))

    def _pieces(self, word: str, start: int) -> list[Piece]:
        """The word; where it begins with a superscript, that and the rest."""
        places = range(start, start + len(word))
        boxes = [self._box(at) for at in places]
        bottoms = [box.bottom for box in boxes]
        base = max(boxes, key=lambda box: box.top - box.bottom)
        if is_right_to_left(word):
            return [(letters_in_reading_order(word, boxes), around_letters(boxes, base), start)]
        if max(bottoms) - min(bottoms) <= LEVEL * (base.top - base.bottom):
            return [(word, around_letters(boxes, base), start)]
        if self._is_sideways(start):
            return [(word, around_letters(boxes, Box(0, min(bottoms), 0, max(box.top for box in boxes))), start)]
        if "^" in marks_of(boxes, base):  # unless the font makes pdfium measure what each letter covers
            boxes = [self._measured(at, box) for at, box in zip(places, boxes, strict=True)]
            base = max(boxes, key=lambda box: box.top - box.bottom)
        jump = next((at for at in range(1, len(boxes)) if jumps(boxes[at - 1], boxes[at])), 0)
        if jump:  # to another line, without a blank
            return [*self._pieces(word[:jump], start), *self._pieces(word[jump:], start + jump)]
        marks = marks_of(boxes, base)
        raised = next((at for at, mark in enumerate(marks) if mark != "^"), 0)
        first = [(word[:raised], around_letters(boxes[:raised], boxes[0]), start)] if raised else []
        rest = with_scripts(word[raised:], marks[raised:])
        return [*first, (rest, around_letters(boxes[raised:], base), start + boxes.index(base, raised))]

    def _is_level(self, start: int, stop: int, bottom: float, level: float) -> bool:
        """Whether all of its letters stand as its first one does."""
        for at in range(start + 1, stop - 1):
            _loose_box(self._address, at, self._at)
            if not -level <= self._sides[3] - bottom <= level:
                return False
        return True

    def _is_sideways(self, at: int) -> bool:
        angle: float = pdfium.FPDFText_GetCharAngle(self._page, at)
        return (round(angle / (math.pi / 2)) - self.turn) % 2 == 1

    def _box(self, at: int) -> Box:
        _loose_box(self._address, at, self._at)
        left, top, right, bottom = self._sides[:4]
        return self.upright(left, bottom, right, top) if self.turn else Box(left, bottom, right, top)

    def _measured(self, at: int, box: Box) -> Box:
        """The box of a letter with a usual height above its baseline."""
        x, y, matrix = ctypes.c_double(), ctypes.c_double(), pdfium.FS_MATRIX()
        pdfium.FPDFText_GetCharOrigin(self._page, at, x, y)
        pdfium.FPDFText_GetMatrix(self._page, at, matrix)
        _, baseline = _turned(self.turn, x.value, y.value)
        size = pdfium.FPDFText_GetFontSize(self._page, at) * math.hypot(matrix.c, matrix.d)
        return Box(box.left, baseline - 0.2 * size, box.right, baseline + 0.8 * size)

    def _usual_turn(self) -> int:
        step = max(1, len(self.text) // _SAMPLES)
        places = [at for at in range(0, len(self.text), step) if not self.text[at].isspace()]
        angles = (pdfium.FPDFText_GetCharAngle(self._page, at) for at in places)
        turns = Counter(-round(angle / (math.pi / 2)) % 4 for angle in angles if angle >= 0)  # pdfium counts clockwise
        return turns.most_common(1)[0][0] if turns else 0


def _turned(turn: int, x: float, y: float) -> tuple[float, float]:
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn % 4]


def _text(page: PdfTextPage) -> str:
    """One character for each of pdfium's, which leaves some out where it writes them in one piece."""
    length = pdfium.FPDFText_CountChars(page)
    if length <= 0:
        return ""
    units = (ctypes.c_ushort * (length + 1))()
    if pdfium.FPDFText_GetText(page, 0, length, units) == length + 1:
        return bytes(units)[:-2].decode("utf-16-le", "surrogatepass").replace("\ufffe", HYPHEN)
    codes = (pdfium.FPDFText_GetUnicode(page, at) for at in range(length))
    return "".join(chr(code) if 0 < code < 0x110000 else UNKNOWN for code in codes)
