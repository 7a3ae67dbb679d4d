"""Where a section may be cut, from the best place to the worst: definitions, paragraphs, lines and sentences, words.

Atoms partition the text: each takes its trailing white space along, so nothing is lost between two of them.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import regex

from tasks.chunk.layout import Layout

# How good it is to cut before an atom.
DEFINITION, INNER_DEFINITION, PARAGRAPH, LINE, WORD, PIECE = 6, 5, 4, 3, 2, 1
PIECE_CHARACTERS = 64
STRETCH = 256
LONGEST_MARK, FARTHEST_MARK = 9, 40  # characters of a list's number, and of the line up to it

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
_LETTER = re.compile(r"\w")
_GRAPHEME = regex.compile(r"\X")
_JOINER = regex.compile(r"\p{GCB=Extend}|\p{GCB=ZWJ}|\p{GCB=Prepend}")
_FIRST_MARK = "\u0300"  # before it every character stands alone, but for a line's two ends, which are one here


# First character, the one after the last, how good a cut before it would be, what kind of piece it is. There are ten
# thousand in a megabyte: as plain tuples they are made in a third of the time.
Atom = tuple[int, int, int, int]


def paragraphs(text: str, start: int, end: int, layout: Layout, rank: int = PARAGRAPH) -> list[Atom]:
    """Atoms between blank lines; a fenced block and a definition are one, however many blank lines they have."""
    if layout.form == "code":
        return list(_definitions(text, start, end, layout, rank))
    cuts = [match.end() for match in _PARAGRAPH.finditer(text, start, end)]
    if layout.form == "markdown" and layout.listings:
        lows = [block.start for block in layout.listings]
        outside = [cut for cut in cuts if not (at := bisect_left(lows, cut)) or cut >= layout.listings[at - 1].end]
        cuts = sorted({*outside, *lows} - {start})
    return _atoms(start, end, cuts, chain((rank,), repeat(PARAGRAPH)), PARAGRAPH)


def finer(text: str, atom: Atom, layout: Layout) -> list[Atom]:
    """The atom in pieces of the next grain; one piece where it has no such place to cut."""
    start, end, rank, coarse = atom
    if coarse >= INNER_DEFINITION:
        return paragraphs(text, start, end, layout, rank)
    grain = {PARAGRAPH: LINE, LINE: WORD}.get(coarse, PIECE)
    if grain == PIECE:
        cuts = _pieces(text, start, end)
    elif grain == WORD:
        cuts = [cut for word in _WORD.finditer(text, start, end) if start < (cut := word.start())]
        cuts = [cut for cut in cuts if text[cut] < _FIRST_MARK or not _splits_grapheme(text, cut)]
    elif layout.is_listing(start):
        cuts = [cut for place in _LINE.finditer(text, start, end) if start < (cut := place.end()) < end]
    else:
        cuts = _sentences(text, start, end, layout)
    return _atoms(start, end, cuts, chain((rank,), repeat(grain)), grain)


def _definitions(text: str, start: int, end: int, layout: Layout, first: int) -> Iterator[Atom]:
    """Definitions whole, and what stands between them in paragraphs; what closes one is no paragraph."""
    for one in layout.definitions.within(start, end):
        if start < one.start:
            yield from _between(text, start, one.start, first)
            first = 0
        rank = DEFINITION if one.parent < 0 else INNER_DEFINITION
        yield one.start, one.end, first or rank, rank
        start, first = one.end, 0
    if start < end:
        yield from _between(text, start, end, first)


def _between(text: str, start: int, end: int, first: int) -> list[Atom]:
    cuts = [match.end() for match in _PARAGRAPH.finditer(text, start, end)]
    rank = first or (PARAGRAPH if _LETTER.search(text, start, end) else PIECE)
    return _atoms(start, end, cuts, chain((rank,), repeat(PARAGRAPH)), PARAGRAPH)


def _sentences(text: str, start: int, end: int, layout: Layout) -> list[int]:
    """Between sentences and items; tables, before rows."""
    places = _SENTENCE.finditer(text, start, end)
    cuts = [cut for place in places if start < (cut := place.end()) < end and not _is_mark(text, place.start())]
    if not text.isascii():
        cuts = [cut for cut in cuts if text[cut] < _FIRST_MARK or not _splits_grapheme(text, cut)]
    if tables := layout.tables(start, end):
        starts = [table.start for table in tables]
        kept = [cut for cut in cuts if not (at := bisect_right(starts, cut)) or cut > tables[at - 1].end]
        rows = (row for table in tables for row in (table.start, *table.rows, table.end) if start < row < end)
        cuts = sorted({*kept, *rows})
    return cuts


def _is_mark(text: str, dot: int) -> bool:
    """Whether the dot belongs to the number or letter of a list's item, which ends no sentence."""
    if text[dot] != "." or not text[dot - 1 : dot].isalnum():
        return False
    low = dot - 1
    while low > dot - LONGEST_MARK and text[low - 1 : low].isdigit() and text[low].isdigit():
        low -= 1
    while low > dot - FARTHEST_MARK and text[low - 1 : low] in (" ", "\t", ">"):
        low -= 1
    return low == 0 or text[low - 1] == "\n"


def _pieces(text: str, start: int, end: int) -> list[int]:
    """A word without end: slices of 64 characters, or halves, inside a grapheme only where it is nothing else."""
    length = end - start
    step = PIECE_CHARACTERS if length > PIECE_CHARACTERS else length // 2
    slices = list(range(start + step, end, step)) if step else []
    if text[start:end].isascii():
        return slices
    cuts = [start]
    for low, high in _graphemes(text, start, end):
        if high - cuts[-1] > step and low > cuts[-1]:
            cuts.append(low)
    return cuts[1:] or slices


def _graphemes(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What a reader takes for one character; a stretch at a time, for the library looks back to the first of all flags.

    What is longer than a stretch is several.
    """
    while start < end:
        stop = min(start + STRETCH, end)
        spans = [grapheme.span() for grapheme in _GRAPHEME.finditer(text[start:stop])]
        if len(spans) > 1 and stop < end:
            spans.pop()  # it may go on
        yield from ((start + low, start + high) for low, high in spans)
        start += spans[-1][1]


def _splits_grapheme(text: str, cut: int) -> bool:
    """Most pairs of characters are enough to tell; flags, joined emoji and Indic syllables want what is before them."""
    first = _GRAPHEME.match(text, cut - 1)
    if first and first.end() == cut and not _JOINER.match(text, cut - 1):
        return False
    low = cut - 1
    while low > max(0, cut - PIECE_CHARACTERS) and text[low] >= _FIRST_MARK:
        low -= 1
    return all(start != cut for start, _ in _graphemes(text, low, min(len(text), cut + 1)))


def _atoms(start: int, end: int, cuts: list[int], ranks: Iterable[int], grain: int) -> list[Atom]:
    """`ranks` has one more than there are cuts: the first atom keeps the rank of what it was cut from."""
    return list(zip([start, *cuts], [*cuts, end], ranks, repeat(grain), strict=False))
