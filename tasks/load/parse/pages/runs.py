"""Words that stand close together on one line, with marks before raised numbers: `10^6` must not become 106."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.load.parse.pages.scripts import in_reading_order

FRACTION = "\u2044"
NARROW = 0.55  # of the height of letters: a wider gap may lie between two cells
LEVEL = 0.03  # of the height of letters: the same line
SMALL = 0.85  # of its neighbour's size: what is raised besides is a superscript
_SMALLEST = 0.25  # of what is smaller still, pdfium had nothing to measure
_RAISED = 0.18
_ORDINALS = ("st", "nd", "rd", "th", "er", "re")
_SYMBOL = 2  # letters of a chemical element

Sides = tuple[float, float, float, float]


class Box(NamedTuple):
    """Sides in points, turned so that the text of most of the page runs to the right."""

    left: float
    bottom: float
    right: float
    top: float


class Run:
    """Words that follow each other closely on one line; `size` is the height of its letters."""

    __slots__ = ("at", "bottom", "is_raised", "is_sideways", "left", "lefts", "order", "right", "size", "top", "words")

    def __init__(self, word: str, box: Sides) -> None:
        self.left, self.bottom, self.right, self.top = box
        self.size = self.top - self.bottom
        self.words = [word]
        self.lefts = [self.left]
        self.order = 0  # when it is drawn
        self.at = 0  # a letter of its usual size
        self.is_raised = False  # its last word is a superscript
        self.is_sideways = False

    @property
    def text(self) -> str:
        """Its words as they are read."""
        return in_reading_order(self.words, self.lefts)

    def goes_on(self, left: float, bottom: float, top: float) -> bool:
        """Whether what nearly every word does, without the detours of `add`: to follow on the same line."""
        level = LEVEL * self.size
        return (
            -level <= bottom - self.bottom <= level
            and -level <= top - self.top <= level
            and not self.is_raised
            and 0.1 * self.size < left - self.right < NARROW * self.size
        )

    def is_like(self, box: Sides) -> bool:
        """Whether letters are of about its size."""
        return SMALL * self.size <= box[3] - box[1] <= self.size / SMALL

    def extend(self, word: str, box: Sides) -> None:
        """Add a word wherever it stands: letters that stand on their side run up or down."""
        self.words.append(word)
        self.lefts.append(self.lefts[-1])
        self.left, self.bottom = min(self.left, box[0]), min(self.bottom, box[1])
        self.right, self.top = max(self.right, box[2]), max(self.top, box[3])

    def is_near(self, box: Sides) -> bool:
        """Whether a word goes on here, perhaps raised or lowered."""
        left, bottom, right, top = box
        tall, low = max(self.size, top - bottom), min(self.size, top - bottom)
        gap = left - self.right if left >= self.left else self.left - right
        return min(self.top, top) - max(self.bottom, bottom) >= 0.4 * low and -0.4 * tall < gap < NARROW * tall

    def add(self, word: str, box: Sides, separator: str, heights: tuple[Box, Box]) -> None:
        """Add a word that is near; `heights` are those of a usual letter of both."""
        left, bottom, right, top = box
        tall = max(self.size, top - bottom)
        gap = left - self.right if left >= self.left else self.left - right
        (low, size), (other_low, other_size) = ((height.bottom, height.top - height.bottom) for height in heights)
        is_close = gap < 0.15 * tall
        mark = _script((low, size), (other_low, other_size)) if gap < 0.3 * tall else ""
        number = self.words[0] if is_close and len(self.words) == 1 else ""
        if number and _script((other_low, other_size), (low, size)) == "^":
            self.words = [_led_by(number, word)]
        elif self.is_raised and word[0] == FRACTION:
            before, _, numerator = self.words[-1].rpartition("^")
            self.words[-1] = f"{before} {numerator}{word}".lstrip()
        elif mark or (is_close and (self.is_raised or "\n" in separator or not separator)):
            self.words[-1] += _mark_of(mark, self.words[-1], word)
        else:
            self.words.append(word)
            self.lefts.append(left)
        self.is_raised = mark == "^"
        self.left, self.right = min(self.left, left), max(self.right, right)
        if top - bottom > self.size / SMALL:  # what came before was a footnote's number
            self.bottom, self.top, self.size = bottom, top, top - bottom


def _script(base: tuple[float, float], other: tuple[float, float]) -> str:
    """Whether the bottom and size of letters make them a superscript or a subscript of others."""
    (bottom, size), (other_bottom, other_size) = base, other
    if not _SMALLEST * size < other_size < SMALL * size:
        return ""
    if other_bottom > bottom + _RAISED * size:
        return "^"
    return "_" if other_bottom < bottom - 0.02 * size else ""


def with_raised(before: Run, run: Run, words: list[str]) -> bool:
    """Put the first word of a run to the last of `words`, where it is small, and close behind another and higher.

    Such a number may be drawn long after the line that it stands on.
    """
    if not -0.1 * before.size < run.left - before.right < 0.15 * before.size:
        return False
    if _script((before.bottom, before.size), (run.bottom, run.size)) != "^":
        return False
    words[-1] += _mark_of("^", words[-1], run.words[0])
    return True


def _led_by(number: str, word: str) -> str:
    """A word behind a raised number: an isotope's symbol, or else the text of a footnote."""
    return f"^{number}{word}" if len(word) <= _SYMBOL and word.isalpha() else f"{number} {word}"


def _mark_of(mark: str, before: str, script: str) -> str:
    """The script with its mark: `10^6` must not become 106; the letters of `1st` may stand where they are."""
    if mark == "_":
        return f"_{script}" if before[-1:].isdigit() and script[:1].isdigit() else script
    if not mark or (before[-1:].isdigit() and script in _ORDINALS) or not any(map(str.isalnum, script)):
        return script
    return f"^{script}" if before else script


def around_letters(boxes: Sequence[Box], base: Box) -> Sides:
    """The sides from the first letter to the last, as high as `base`."""
    return min(box.left for box in boxes), base.bottom, max(box.right for box in boxes), base.top


def jumps(one: Box, following: Box) -> bool:
    """Whether the following letter stands on another line, which pdfium sometimes takes for the same word."""
    overlap = min(one.top, following.top) - max(one.bottom, following.bottom)
    return overlap <= 0.2 * (one.top - one.bottom) and following.left < one.left


def marks_of(boxes: Sequence[Box], base: Box) -> list[str]:
    """A `^` for each raised letter, a `_` for each lowered one, and nothing for those like `base`."""
    size = base.top - base.bottom
    return [_script((base.bottom, size), (box.bottom, box.top - box.bottom)) for box in boxes]


def with_scripts(word: str, marks: Sequence[str]) -> str:
    """The word with marks before its superscripts."""
    if not any(marks):
        return word
    pieces, start = "", 0
    for at in range(1, len(word) + 1):
        if at == len(word) or marks[at] != marks[start]:
            is_fraction = pieces and marks[start] == "^" and _is_slash(word[at:], marks[at:])
            piece = word[start:at]
            pieces += f" {piece}" if is_fraction else _mark_of(marks[start], pieces, piece)
            start = at
    return pieces


def _is_slash(word: str, marks: Sequence[str]) -> bool:
    """Whether a fraction goes on: behind its slash is a small number, but for a slash that is only for fractions."""
    return word[:1] == FRACTION or (word[:1] == "/" and any(marks[1:2]))
