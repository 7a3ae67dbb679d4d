"""A page's letters as runs of words: what stands close together on one line, in the order in which it was drawn."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pypdfium2.raw as pdfium
from pypdfium2 import PdfTextPage

from tasks.load.parse.pages.scripts import in_reading_order, is_right_to_left, letters_in_reading_order

HYPHEN = "\x02"  # pdfium's mark for a hyphen at the end of a line
UNKNOWN = "\ufffd"  # a letter that is drawn, and of which the file does not say which one it is
FRACTION = "\u2044"
NARROW = 0.55  # of the height of letters: a wider gap may lie between two cells
_SMALL = 0.85  # of its neighbour's size: what is raised besides is a superscript
_SMALLEST = 0.25  # of what is smaller still, pdfium had nothing to measure
_RAISED = 0.18
_WORD = re.compile(rf"(?=\S)[^\s\d{HYPHEN}]*+(\d)?[^\s{HYPHEN}]*+{HYPHEN}?")  # its first digit is a group
_ORDINALS = ("st", "nd", "rd", "th", "er", "re")
_SAMPLES = 32
_SYMBOL = 2  # letters of a chemical element
_BOX_BYTES = 16
_LEVEL = 0.03  # of the height of letters: the same line

Sides = tuple[float, float, float, float]
# Called for every word: pypdfium2's own signature would make an object each time.
_loose_box: Callable[[int, int, int], int] = ctypes.cast(
    pdfium.FPDFText_GetLooseCharBox, ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
)


class Box(NamedTuple):
    """Sides in points, turned so that the text of most of the page runs to the right."""

    left: float
    bottom: float
    right: float
    top: float


class Run:
    """Words that follow each other closely on one line; `size` is the height of its letters."""

    __slots__ = ("bottom", "is_raised", "is_sideways", "left", "lefts", "order", "right", "size", "top", "words")

    def __init__(self, word: str, box: Sides) -> None:
        self.left, self.bottom, self.right, self.top = box
        self.size = self.top - self.bottom
        self.words = [word]
        self.lefts = [self.left]
        self.order = 0  # when it is drawn
        self.is_raised = False  # its last word is a superscript
        self.is_sideways = False

    @property
    def text(self) -> str:
        """Its words as they are read."""
        return in_reading_order(self.words, self.lefts)

    def goes_on(self, left: float, bottom: float, top: float) -> bool:
        """Whether what nearly every word does, without the detours of `takes`: to follow on the same line."""
        level = _LEVEL * self.size
        return (
            -level <= bottom - self.bottom <= level
            and -level <= top - self.top <= level
            and not self.is_raised
            and 0.1 * self.size < left - self.right < NARROW * self.size
        )

    def _extend(self, word: str, box: Sides) -> None:
        """Add a word wherever it stands: letters that stand on their side run up or down."""
        self.words.append(word)
        self.lefts.append(self.lefts[-1])
        self.left, self.bottom = min(self.left, box[0]), min(self.bottom, box[1])
        self.right, self.top = max(self.right, box[2]), max(self.top, box[3])

    def takes(self, word: str, box: Sides, separator: str, is_sideways: bool) -> bool:
        """Add the word if it goes on here."""
        if self.is_sideways and (is_sideways or len(word) == 1) and "\n" not in separator:
            self._extend(word, box)
            return True
        left, bottom, right, top = box
        size = top - bottom
        tall = max(self.size, size)
        gap = left - self.right if left >= self.left else self.left - right
        if min(self.top, top) - max(self.bottom, bottom) < 0.4 * min(self.size, size):
            return False
        if not -0.4 * tall < gap < NARROW * tall:
            return False
        is_close = gap < 0.15 * tall
        mark = _script((self.bottom, self.size), (bottom, size)) if gap < 0.3 * tall else ""
        number = self.words[0] if is_close and len(self.words) == 1 else ""
        if number and _script((bottom, size), (self.bottom, self.size)) == "^":
            self.words = [led_by(number, word)]
        elif self.is_raised and word[0] == FRACTION:
            before, _, numerator = self.words[-1].rpartition("^")
            self.words[-1] = f"{before} {numerator}{word}".lstrip()
        elif mark or (is_close and (self.is_raised or "\n" in separator or not separator)):
            self.words[-1] += mark_of(mark, self.words[-1], word)
        else:
            self.words.append(word)
            self.lefts.append(left)
        self.is_raised = mark == "^"
        self.left, self.right = min(self.left, left), max(self.right, right)
        if size > self.size / _SMALL:  # what came before was a footnote's number
            self.bottom, self.top, self.size = bottom, top, size
        return True


def _script(base: tuple[float, float], other: tuple[float, float]) -> str:
    """Whether the bottom and size of letters make them a superscript or a subscript of others."""
    (bottom, size), (other_bottom, other_size) = base, other
    if not _SMALLEST * size < other_size < _SMALL * size:
        return ""
    if other_bottom > bottom + _RAISED * size:
        return "^"
    return "_" if other_bottom < bottom - 0.02 * size else ""


def led_by(number: str, word: str) -> str:
    """A word behind a raised number: an isotope's symbol, or else the text of a footnote."""
    return f"^{number}{word}" if len(word) <= _SYMBOL and word.isalpha() else f"{number} {word}"


def mark_of(mark: str, before: str, script: str) -> str:
    """The script with its mark: `10^6` must not become 106; the letters of `1st` may stand where they are."""
    if mark == "_":
        return f"_{script}" if before[-1:].isdigit() and script[:1].isdigit() else script
    if not mark or (before[-1:].isdigit() and script in _ORDINALS) or not any(map(str.isalnum, script)):
        return script
    return f"^{script}" if before else script


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
            level = _LEVEL * (top - bottom)
            is_level = -level <= bottom - last_bottom <= level and -level <= top - last_top <= level
            if (
                is_plain
                and is_level
                and level > 0
                and (match.start(1) < 0 or self._is_level(start, stop, bottom, level))
            ):
                if run is not None and run.goes_on(left, bottom, top):
                    run.words.append(text[start:stop])
                    run.lefts.append(left)
                    run.right = right
                    end = stop
                    continue
                pieces = [(text[start:stop], (left, bottom, right, top))]
            else:
                pieces = self._pieces(text[start:stop], start)
            is_sideways = (last_bottom > top or last_top < bottom) and self._is_sideways(start)
            for word, box in pieces:
                if run is None or not run.takes(word, box, text[end:start], is_sideways):
                    if run is not None:
                        yield run
                    run = Run(word, box)
                    run.is_sideways = is_sideways
                end = start
            end = stop
        if run is not None:
            yield run

    def upright(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A rectangle of the page, turned as its letters are."""
        (x, y), (u, v) = _turned(self.turn, left, bottom), _turned(self.turn, right, top)
        return Box(min(x, u), min(y, v), max(x, u), max(y, v))

    def on_page(self, box: Box) -> Box:
        """The rectangle as the page itself counts."""
        (x, y), (u, v) = _turned(-self.turn, box.left, box.bottom), _turned(-self.turn, box.right, box.top)
        return Box(min(x, u), min(y, v), max(x, u), max(y, v))

    def _pieces(self, word: str, start: int) -> list[tuple[str, Sides]]:
        """The word; where it begins with a superscript, that and the rest."""
        places = range(start, start + len(word))
        boxes = [self._box(at) for at in places]
        bottoms = [box.bottom for box in boxes]
        base = max(boxes, key=lambda box: box.top - box.bottom)
        if is_right_to_left(word):
            return [(letters_in_reading_order(word, boxes), _around(boxes, base))]
        if max(bottoms) - min(bottoms) <= _LEVEL * (base.top - base.bottom):
            return [(word, _around(boxes, base))]
        if self._is_sideways(start):
            return [(word, _around(boxes, Box(0, min(bottoms), 0, max(box.top for box in boxes))))]
        if "^" in _marks(boxes, base):  # unless the font makes pdfium measure what each letter covers
            boxes = [self._measured(at, box) for at, box in zip(places, boxes, strict=True)]
            base = max(boxes, key=lambda box: box.top - box.bottom)
        jump = next((at for at in range(1, len(boxes)) if _jumps(boxes[at - 1], boxes[at])), 0)
        if jump:  # to another line, without a blank
            return [*self._pieces(word[:jump], start), *self._pieces(word[jump:], start + jump)]
        marks = _marks(boxes, base)
        raised = next((at for at, mark in enumerate(marks) if mark != "^"), 0)
        first = [(word[:raised], _around(boxes[:raised], boxes[0]))] if raised else []
        return [*first, (_with_scripts(word[raised:], marks[raised:]), _around(boxes[raised:], base))]

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


def _around(boxes: Sequence[Box], base: Box) -> Sides:
    """From the first letter to the last, as high as `base`."""
    return min(box.left for box in boxes), base.bottom, max(box.right for box in boxes), base.top


def _jumps(one: Box, following: Box) -> bool:
    overlap = min(one.top, following.top) - max(one.bottom, following.bottom)
    return overlap <= 0.2 * (one.top - one.bottom) and following.left < one.left


def _marks(boxes: Sequence[Box], base: Box) -> list[str]:
    size = base.top - base.bottom
    return [_script((base.bottom, size), (box.bottom, box.top - box.bottom)) for box in boxes]


def _with_scripts(word: str, marks: Sequence[str]) -> str:
    """The word with marks before its superscripts."""
    if not any(marks):
        return word
    pieces, start = "", 0
    for at in range(1, len(word) + 1):
        if at == len(word) or marks[at] != marks[start]:
            is_fraction = pieces and marks[start] == "^" and _is_slash(word[at:], marks[at:])
            piece = word[start:at]
            pieces += f" {piece}" if is_fraction else mark_of(marks[start], pieces, piece)
            start = at
    return pieces


def _is_slash(word: str, marks: Sequence[str]) -> bool:
    """Whether a fraction goes on: behind its slash is a small number, but for a slash that is only for fractions."""
    return word[:1] == FRACTION or (word[:1] == "/" and any(marks[1:2]))


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
