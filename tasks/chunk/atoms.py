"""Where a section may be cut, from the best place to the worst: definitions, paragraphs, lines and sentences, words.

Atoms partition the text: each takes its trailing white space along, so nothing is lost between two of them.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from itertools import chain, repeat

from tasks.markdown import begins_with_fence, find_fences
from tasks.records import Format

# How good it is to cut before an atom.
DEFINITION, INNER_DEFINITION, PARAGRAPH, LINE, WORD, PIECE = 6, 5, 4, 3, 2, 1
PIECE_CHARACTERS = 64

# Written so that none looks at a stretch of white space more than twice: somebody's file has a megabyte of it.
_PARAGRAPH = re.compile(r"(?<!\n)\n[ \t]*+\n++(?=[^\n])")
_AFTER = r"[\"'\u201d\u2019)\]]*+\s++(?=[^\s.a-z])"
_ITEM = r"\n(?=[ \t]*(?:[-*+|>]|\d+[.)])[ \t]?)"  # before the item of a list, the row of a table, a line of a quote
# Each branch begins with a fixed character: so the search passes over most of a text quickly.
_SENTENCE = re.compile(
    "|".join([*(mark + _AFTER for mark in (r"\.", "!", r"\?", "\u2026")), "\u3002|\uff01|\uff1f", _ITEM])
)
_LINE = re.compile(r"\n(?=[^\n])")
_WORD = re.compile(r"\S+")
_DEFINITION = re.compile(
    r"[ \t]*(?:@\w|(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub(?:\(\w+\))?"
    r"|inline|virtual|override|open|sealed|data|unsafe|extern)[ \t]+)*(?:def|class|func|function|fn|interface|struct"
    r"|enum|impl|trait|module|namespace|object|protocol|extension|type|sub|proc|package|macro_rules!"
    r"|create[ \t]+\w+)\b)",
    re.IGNORECASE,
)


# First character, the one after the last, how good a cut before it would be, what kind of piece it is. There are ten
# thousand in a megabyte: as plain tuples they are made in a third of the time.
Atom = tuple[int, int, int, int]


def paragraphs(text: str, start: int, end: int, form: Format) -> list[Atom]:
    """Atoms between blank lines; a fenced block is one, however many blank lines it has."""
    cuts = [match.end() for match in _PARAGRAPH.finditer(text, start, end)]
    fences = list(find_fences(text, start, end)) if form == "markdown" else []
    if fences:
        lows = [low for low, _ in fences]
        outside = [cut for cut in cuts if not (at := bisect_left(lows, cut)) or cut >= fences[at - 1][1]]
        cuts = sorted({*outside, *lows} - {start})
    ranks = [_definition_rank(text, cut) for cut in cuts] if form == "code" else repeat(PARAGRAPH)
    return _atoms(start, end, cuts, chain((PARAGRAPH,), ranks), PARAGRAPH)


def finer(text: str, atom: Atom, form: Format) -> list[Atom]:
    """The atom in pieces of the next grain; one piece where it has no such place to cut."""
    start, end, rank, coarse = atom
    grain = {PARAGRAPH: LINE, LINE: WORD}.get(coarse, PIECE)
    if grain == PIECE:
        cuts = _pieces(text, start, end)
    elif grain == WORD:
        cuts = [cut for word in _WORD.finditer(text, start, end) if start < (cut := word.start())]
    else:
        is_code = form == "code" or begins_with_fence(text, start, end)
        places = (_LINE if is_code else _SENTENCE).finditer(text, start, end)
        cuts = [cut for place in places if start < (cut := place.end()) < end]
    return _atoms(start, end, cuts, chain((rank,), repeat(grain)), grain)


def _pieces(text: str, start: int, end: int) -> list[int]:
    """A word without end: slices of 64 characters, then halves, inside a grapheme only where it is nothing else."""
    length = end - start
    step = PIECE_CHARACTERS if length > PIECE_CHARACTERS else length // 2
    while step:
        cuts = [cut for cut in range(start + step, end, step) if not _splits_grapheme(text, cut)]
        if cuts:
            return cuts
        step //= 2
    return [start + length // 2] if length > 1 else []


def _atoms(start: int, end: int, cuts: list[int], ranks: Iterable[int], grain: int) -> list[Atom]:
    """`ranks` has one more than there are cuts: the first atom keeps the rank of what it was cut from."""
    return list(zip([start, *cuts], [*cuts, end], ranks, repeat(grain), strict=False))


def _definition_rank(text: str, cut: int) -> int:
    if not _DEFINITION.match(text, cut):
        return PARAGRAPH
    return INNER_DEFINITION if text[cut].isspace() else DEFINITION


def _splits_grapheme(text: str, cut: int) -> bool:
    """Combining marks, joiners and variation selectors stay with what they follow."""
    after, before = text[cut], text[cut - 1]
    return bool(unicodedata.combining(after)) or after in "\u200d\ufe0e\ufe0f" or before == "\u200d"
