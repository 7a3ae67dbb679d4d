"""Words that are broken over the ends of lines: whether their hyphen is the word's own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from tasks.load.parse.pages.letters import HYPHEN

_ENDS = (HYPHEN, "-", "\u2010", "\u00ad")
_LAST = re.compile(r"[^\W_]+(?:['\u2019\u2010-][^\W_]+)*\Z")
_FIRST = re.compile(r"[^\s/|]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_UNSPACED = re.compile(
    "[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20\uff66-\uff9f]"
)  # no blanks between words
_LONGEST = 60
_SHORT = 3  # letters: re-, dis-, -ing
_AND = {"und", "oder", "bzw", "and", "or", "to", "et", "ou", "och", "og"}


def ends_broken(text: str) -> bool:
    """Whether a line ends with a hyphen that follows a letter or digit."""
    return text.endswith(_ENDS) and text[-2:-1].isalnum()


def is_unspaced(line: str, following: str) -> bool:
    """Whether the script of both has no blanks between its words."""
    return bool(_UNSPACED.match(line[-1:]) and _UNSPACED.match(following[:1]))


def plain(text: str) -> str:
    """The line with a hyphen for each mark in it."""
    return text.replace(HYPHEN, "-").replace("\u00ad", "-") if not text.isascii() or HYPHEN in text else text


def words_of(lines: Iterable[str]) -> Mapping[str, int]:
    """How often a document has each whole word, in lower case, hyphenated ones too: the evidence."""
    words: Counter[str] = Counter()
    is_rest = False
    for line in lines:
        lowered = line.lower()
        is_broken = ends_broken(line)
        start = lowered.find(" ") if is_rest else 0
        words.update(_WORD.findall(lowered, max(start, 0), lowered.rfind(" ") + 1 if is_broken else len(lowered)))
        is_rest = is_broken
    return words


def mended(line: str, following: str, words: Mapping[str, int]) -> tuple[str, str]:
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


def is_one_word(left: str, right: str, words: Mapping[str, int]) -> bool:
    """Whether the halves make a word without a hyphen, as the rest of the document has it, or else as they look."""
    head, _, half = left.rpartition("-")
    low = right.lower()
    joined, hyphenated = words.get(f"{half}{low}", 0), words.get(f"{left}-{low}", 0)
    if joined or hyphenated:
        return joined > hyphenated
    if right[0].isupper() or not left[-1].isalpha() or "-" in head or (head and half in words and low in words):
        return False
    return not (min(len(half), len(low)) > _SHORT and half in words and low in words)
