"""Where a section may be cut, from the best place to the worst: definitions, paragraphs, lines and sentences, words.

Atoms partition the text: each takes its trailing white space along, so nothing is lost between two of them.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from tasks.records import Format

# How good it is to cut before an atom.
DEFINITION, INNER_DEFINITION, PARAGRAPH, LINE, WORD, PIECE = 6, 5, 4, 3, 2, 1
PIECE_CHARACTERS = 64

_PARAGRAPH = re.compile(r"\n[ \t]*\n+(?=[^\n])")
_SENTENCE = re.compile(
    r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+(?=[^\s.a-z])|(?<=[\u3002\uff01\uff1f])"
    r"|\n(?=[ \t]*(?:[-*+|>]|\d+[.)])[ \t]?)"  # before the item of a list, the row of a table, a line of a quote
)
_LINE = re.compile(r"\n(?=[^\n])")
_WORD = re.compile(r"\s+(?=\S)")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_DEFINITION = re.compile(
    r"[ \t]*(?:@\w|(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub(?:\(\w+\))?"
    r"|inline|virtual|override|open|sealed|data|unsafe|extern)[ \t]+)*(?:def|class|func|function|fn|interface|struct"
    r"|enum|impl|trait|module|namespace|object|protocol|extension|type|sub|proc|package|macro_rules!"
    r"|create[ \t]+\w+)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Atom:
    """Characters `start` to `end`; `rank` says how good a cut before it would be, `grain` what kind of piece it is."""

    start: int
    end: int
    rank: int
    grain: int


def paragraphs(text: str, start: int, end: int, form: Format) -> list[Atom]:
    """Blank lines separate; a fenced block is one atom however many blank lines it has."""
    fences = [found.span() for found in _FENCE.finditer(text, start, end)] if form == "markdown" else []
    cuts = [found.end() for found in _PARAGRAPH.finditer(text, start, end)]
    if fences:
        cuts = [cut for cut in cuts if not any(low < cut < high for low, high in fences)]
        cuts += [low for low, _ in fences if low > start]
    return _atoms(start, end, cuts, lambda cut: _paragraph_rank(text, cut, form))


def finer(text: str, atom: Atom, form: Format) -> list[Atom]:
    """The atom in pieces of the next grain; one piece where it has no such place to cut."""
    grain = {PARAGRAPH: LINE, LINE: WORD}.get(atom.grain, PIECE)
    if grain == PIECE:
        return _atoms(atom.start, atom.end, _pieces(text, atom), lambda _: PIECE, (atom.rank, PIECE))
    is_code = form == "code" or _FENCE.match(text, atom.start, atom.end) is not None
    pattern = _WORD if grain == WORD else _LINE if is_code else _SENTENCE
    cuts = [found.end() for found in pattern.finditer(text, atom.start, atom.end)]
    return _atoms(atom.start, atom.end, cuts, lambda _: grain, (atom.rank, grain))


def _pieces(text: str, atom: Atom) -> list[int]:
    """A word without end: slices of 64 characters, then halves, never inside a grapheme."""
    length = atom.end - atom.start
    step = PIECE_CHARACTERS if length > PIECE_CHARACTERS else max(1, length // 2)
    return [cut for cut in range(atom.start + step, atom.end, step) if not _splits_grapheme(text, cut)]


def _atoms(
    start: int,
    end: int,
    cuts: list[int],
    rank_of: Callable[[int], int],
    first: tuple[int, int] = (PARAGRAPH, PARAGRAPH),
) -> list[Atom]:
    """`first` is rank and grain: the first atom keeps the rank of what it was cut from."""
    rank, grain = first
    bounds = [start, *sorted({cut for cut in cuts if start < cut < end}), end]
    return [Atom(low, high, rank if low == start else rank_of(low), grain) for low, high in pairwise(bounds)]


def _paragraph_rank(text: str, cut: int, form: Format) -> int:
    if form != "code" or not _DEFINITION.match(text, cut):
        return PARAGRAPH
    return INNER_DEFINITION if text[cut].isspace() else DEFINITION


def _splits_grapheme(text: str, cut: int) -> bool:
    """Combining marks, joiners and variation selectors stay with what they follow."""
    after, before = text[cut], text[cut - 1]
    return bool(unicodedata.combining(after)) or after in "\u200d\ufe0e\ufe0f" or before == "\u200d"
