"""Letters of scripts: the order of those that run to the left, and forms that stand for other letters."""

import re
import unicodedata
from collections.abc import Sequence

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Numbers and Latin words run to the right in the midst of what runs to the left.
_LEFT_TO_RIGHT = re.compile(
    "[0-9A-Za-z\u00c0-\u024f\u0660-\u0669\u06f0-\u06f9]+(?:[.,:/%-][0-9A-Za-z\u0660-\u0669]+)*+"
)
# Ligatures, Hebrew and Arabic forms, Kangxi radicals, mathematical alphabets: drawn forms of ordinary letters.
_FORMS = re.compile("[\u2e80-\u2fdf\ufb00-\ufdff\ufe70-\ufefc\U0001d400-\U0001d7ff]")
_BULLETS = {"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf076": "❖", "\uf0fc": "✓", "\uf02d": "-", "\uf0be": "-"}
_FORMS_AND_BULLETS = str.maketrans(_BULLETS)
_GAP = 0.3
_LEADER = re.compile(r"(?: ?\.){6,}")  # dots that lead to a page's number
_UNSEEN = re.compile("[\ufeff\u200b\u2060\x00\x01\x03-\x08\x0b-\x1f\x7f]")


def is_right_to_left(text: str) -> bool:
    """Whether a letter of it belongs to such a script."""
    return _RIGHT_TO_LEFT.search(text) is not None


def ordinary_letters(text: str) -> str:
    """The text with ordinary letters for their drawn forms: ﬁ is f and i; ², ½ and ™ stay, for they mean something."""
    text = _LEADER.sub(" ...", text) if ".." in text or " . ." in text else text
    if text.isascii():
        return text
    text = _UNSEEN.sub("", text.translate(_FORMS_AND_BULLETS))
    return _FORMS.sub(lambda match: _letter(match.group()), text)


def _letter(form: str) -> str:
    plain = unicodedata.normalize("NFKC", form)
    return (
        plain.strip() or form if unicodedata.category(form)[0] in "LNS" and unicodedata.category(form) != "Sc" else form
    )


def letters_in_reading_order(word: str, boxes: Sequence[tuple[float, float, float, float]]) -> str:
    """The letters of a word that runs to the left, by where they stand; marks stay with their letter."""
    placed = [
        ((left + right) / 2, right - left, letter) for (left, _, right, _), letter in zip(boxes, word, strict=True)
    ]
    if placed[0][0] < placed[-1][0]:
        placed.reverse()  # so that the letters of a ligature, which share one place, are turned too
    marks = [(centre, mark) for centre, _, mark in placed if unicodedata.combining(mark)]
    letters = sorted((one for one in placed if not unicodedata.combining(one[2])), key=lambda one: -one[0])
    if not letters:
        return word
    texts = [letter for _, _, letter in letters]
    for centre, mark in marks:
        texts[min(range(len(letters)), key=lambda at: abs(letters[at][0] - centre))] += mark
    for at in range(len(letters) - 1, 0, -1):
        (centre, width, before), (next_centre, next_width, letter) = letters[at - 1], letters[at]
        gap = centre - next_centre - (width + next_width) / 2
        if gap > _GAP * max(width, next_width) and is_right_to_left(before) != is_right_to_left(letter):
            texts[at] = f" {texts[at]}"  # the blank between a Latin word and its neighbour
    return _LEFT_TO_RIGHT.sub(lambda match: match.group()[::-1], "".join(texts))


def in_reading_order(words: Sequence[str], lefts: Sequence[float]) -> str:
    """The words of a line; by where they stand where some of them run to the left."""
    text = " ".join(words)
    if text.isascii() or not is_right_to_left(text):
        return text
    placed = [word for _, word in sorted(zip(lefts, words, strict=True), key=lambda entry: entry[0])]
    backwards = [is_right_to_left(word) for word in placed]
    is_mostly = 2 * sum(backwards) >= len(placed)
    if is_mostly:
        placed, backwards = placed[::-1], backwards[::-1]
    ordered: list[str] = []
    start = 0
    for at in range(1, len(placed) + 1):
        if at == len(placed) or backwards[at] != backwards[start]:
            part = placed[start:at]
            ordered += part if backwards[start] == is_mostly else part[::-1]
            start = at
    return " ".join(ordered)
