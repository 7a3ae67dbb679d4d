"""What counts as a word: parts of identifiers, and pairs of characters where a script puts no spaces."""

import unicodedata
from collections.abc import Callable, Sequence

import regex

from config.fields import Language, SearchLanguage
from tasks.records import Points

_PARTS = regex.compile(r"(?<=[\p{Ll}\p{Nd}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")  # of getUserName and HTTPServer
# Chinese, Japanese, Thai, Lao, Burmese and Khmer, as ranges that PostgreSQL understands as well.
UNSPACED = (
    r"\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3038-\u303b"
    r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9fe"
    r"\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = regex.compile(f"[{UNSPACED}]+")
_LETTERS = regex.compile(r"\p{L}")
MOST_TEXTS = 100  # that are looked at, to tell their script
_WORDS = regex.compile(r"[\p{L}\p{N}\p{M}]+")
# So frequent that they make a search slow and tell nothing; left out of queries alone.
_FREQUENT = (
    " a about an and are as at be been but by can could did do does for from had has have how i if in into is it its of"
    " on or our should so than that the their then there these they this to was we were what when where which who why"
    " will with would you your "
)


def spaced(text: str) -> str:
    """The text with a space between any two words."""
    parts: str = _PARTS.sub(" ", unicodedata.normalize("NFKC", text))
    return str(_UNSPACED.sub(_pairs, parts))


def has_unspaced(text: str) -> bool:
    """Whether some of it is in a script that puts no spaces between words."""
    return _UNSPACED.search(text) is not None


def mostly_unspaced(texts: Sequence[str]) -> bool:
    """Whether a third of their letters are in such scripts, where a word has a third of the letters."""
    unspaced, letters = (sum(map(len, kind.findall(" ".join(texts)))) for kind in (_UNSPACED, _WORDS))
    return 3 * unspaced > letters


class WordChoice:
    """Which words a collection indexes: what was said, or with `auto` what the first texts of an empty one want."""

    def __init__(self, language: SearchLanguage = "english") -> None:
        """`language` is what to begin with."""
        self.language: Language = "english" if language == "auto" else language
        self._is_open, self._was_empty = language == "auto", False

    def is_changed_by(self, points: Points, count: Callable[[], int]) -> bool:
        """Whether the index is to be made anew before these are written: they are the first that have letters.

        `count` says how many records there are already; it is asked once.
        """
        if not self._is_open:
            return False
        self._was_empty = self._was_empty or not count()
        texts = [str(payload.get("text", "")) for payload in points.payloads[:MOST_TEXTS]]
        self._is_open = self._was_empty and not any(map(_LETTERS.search, texts))
        if self._is_open or not self._was_empty:
            return False
        self.language = "none" if mostly_unspaced(texts) else "english"
        return True


def expression(query: str, *, is_english: bool) -> str:
    """What SQLite's index is asked for: any of the query's words. Empty where it has none."""
    words = dict.fromkeys(_WORDS.findall(spaced(query)))
    telling = [word for word in words if f" {word.lower()} " not in _FREQUENT] if is_english else []
    return " OR ".join(_term(word) for word in telling or words)


def configuration_of(language: Language) -> str:
    """PostgreSQL's name for how words of the language become lexemes."""
    return "simple" if language == "none" else language


def _pairs(run: regex.Match[str]) -> str:
    text = run[0]
    pairs = [text[at : at + 2] for at in range(len(text) - 1)] or [text]
    return f" {' '.join(pairs)} "


def _term(word: str) -> str:
    """A lone character of such a script is the beginning of a pair."""
    is_lone = len(word) == 1 and _UNSPACED.fullmatch(word)
    return f'"{word}"*' if is_lone else f'"{word}"'
