"""Words that are broken over the ends of lines: whether their hyphen is the word's own."""

import re
from collections.abc import Iterable

from tasks.load.parse.pages.letters import HYPHEN

_ENDS = (HYPHEN, "-", "\u2010", "\u00ad")
_LAST = re.compile(r"[^\W_]+(?:['\u2019\u2010-][^\W_]+)*\Z")
_FIRST = re.compile(r"[^\s/|]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_LONGEST = 60
_AND = {"und", "oder", "bzw", "and", "or", "to", "et", "ou", "och", "og"}


def ends_broken(text: str) -> bool:
    """Whether a line ends with a hyphen that follows a letter or digit."""
    return text.endswith(_ENDS) and text[-2:-1].isalnum()


def plain(text: str) -> str:
    """The line with a hyphen for each mark in it."""
    return text.replace(HYPHEN, "-").replace("\u00ad", "-") if not text.isascii() or HYPHEN in text else text


def words_of(lines: Iterable[str]) -> frozenset[str]:
    """All whole words of a document in lower case, hyphenated ones too: the evidence."""
    words: set[str] = set()
    for line in lines:
        lowered = line.lower()
        words.update(_WORD.findall(lowered[: lowered.rfind(" ") + 1] if ends_broken(line) else lowered))
    return frozenset(words)


def mended(line: str, following: str, words: frozenset[str]) -> tuple[str, str]:
    """A line that ends with a hyphen, with the rest of its word, and the following line without that rest."""
    start, first = line[:-1], _FIRST.match(following)
    last = _LAST.search(start[-_LONGEST:])
    if first is None or last is None:
        return f"{start}-", following
    left, right = last.group().lower(), first.group()
    letters = _LETTERS.match(right)
    if letters and letters.group().lower() in _AND and left in words and letters.group() == right:
        return f"{start}-", following  # the first half of "input- and output"
    hyphen = "" if letters and is_one_word(left, letters.group(), words) else "-"
    return f"{start}{hyphen}{right}", following[first.end() :].lstrip()


def is_one_word(left: str, right: str, words: frozenset[str]) -> bool:
    """Whether the halves make a word without a hyphen, as the rest of the document has it, or else as they look."""
    if right[0].isupper() or not left[-1].isalpha():
        return False
    head, _, half = left.rpartition("-")
    if f"{left}-{right}" in words or (head and half in words and right in words):
        return False
    return f"{half}{right}" in words or not (len(half) > 2 and half in words and right in words)
