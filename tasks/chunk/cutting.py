"""Long sections to parts that fit."""

import math
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice

from tasks.chunk.atoms import PARAGRAPH, PIECE, Atom, finer, paragraphs
from tasks.chunk.outline import Section
from tasks.errors import ConfigError
from tasks.records import Document, Tokenizer

FINE = 3  # a section that must be cut is made of atoms of at most a third of the limit, where it has such places
MOST_CHARACTERS = 64  # per token; ordinary text has 3 to 6
USUAL_CHARACTERS = 3  # per token: a paragraph with more is counted in finer atoms at once
CONTEXT_CHARACTERS = 32  # of the text round a cut, which decide between equals
MARGIN = 0.4  # of the limit: cuts that would leave less than this at an end come second

Sized = tuple[list[Atom], list[int]]


@dataclass(slots=True)
class Run:
    """A stretch of one section: `sizes[i]` are the tokens of `atoms[i]`, without what is added to each text sent.

    `finer` are the pieces of some atoms, by position. Sizes are `exact` if those of neighbours add up to what the model
    reads of them together.
    """

    document: Document
    number: int
    section: Section
    atoms: list[Atom]
    sizes: list[int] = field(default_factory=list[int])
    exact: bool = True
    finer: dict[int, Sized] = field(default_factory=dict[int, Sized])


@dataclass(slots=True)
class Part:
    """Atoms `first` to `last` of a run, one chunk if they fit; characters `start` to `end`, white space trimmed.

    `tokens` are what the model reads, or 0 where that must be counted.
    """

    run: Run
    first: int
    last: int
    start: int
    end: int
    tokens: int


class Cutting:
    """Cuts the runs of one call; each level of structure is counted in one call of the tokenizer."""

    def __init__(self, tokenizer: Tokenizer, added: int, room: int) -> None:
        """`added` tokens are sent with each text, `room` are left for the text itself."""
        self._tokenizer = tokenizer
        self._separators = frozenset(tokenizer.separators)
        self._added = added
        self._room = room
        self._fine = max(1, room // FINE)

    def open(self, document: Document, number: int, section: Section) -> Run:
        """A whole section, in paragraphs that are not counted yet."""
        return Run(document, number, section, paragraphs(document.text, section.start, section.end, document.format))

    def cut(self, runs: Sequence[Run]) -> list[Part]:
        """Parts in order, each of at most `room` tokens as far as the sizes of the atoms tell."""
        self._measure(runs)
        self._refine([run for run in runs if sum(run.sizes) > self._room])
        return [part for run in runs for part in self._parts(run, self._room)]

    def smaller(self, over: Sequence[tuple[Part, int]]) -> list[Part]:
        """Parts that are over the limit after all, with their tokens, in parts that should fit now."""
        runs: list[Run] = []
        for part, _ in over:
            run = part.run
            atoms = run.atoms[part.first : part.last]
            while len(atoms) == 1:
                atoms = finer(run.document.text, atoms[0], run.document.format)
                start, end, _, _ = atoms[0]
                if end - start == 1 and len(atoms) == 1:
                    name = run.document.ref.id
                    raise ConfigError(f"{name}: one character takes more tokens than chunking.max_tokens")
            runs.append(Run(run.document, run.number, run.section, atoms))
        self._measure(runs)
        parts: list[Part] = []
        for run, (_, count) in zip(runs, over, strict=True):
            if sum(run.sizes) <= 1:  # the prefix and the first word may make one token: then sizes say nothing
                run.sizes, run.exact = [1] * len(run.atoms), False
            size = sum(run.sizes)
            parts += self._parts(run, max(1, min(size - 1, self._room * size // count)))
        return parts

    def _parts(self, run: Run, limit: int) -> Iterator[Part]:
        """The parts of a run that is cut at the limit, without blank ones."""
        text, atoms, sizes = run.document.text, run.atoms, run.sizes
        is_exact = run.exact and self._add_up(text, atoms)
        for first, last in cut_run(text, atoms, sizes, limit):
            start, end = atoms[first][0], atoms[last - 1][1]
            body = text[start:end]
            stripped = body.lstrip()
            start += len(body) - len(stripped)
            if stripped:
                tokens = sum(sizes[first:last]) + self._added if is_exact else 0
                yield Part(run, first, last, start, start + len(stripped.rstrip()), tokens)

    def _add_up(self, text: str, atoms: Sequence[Atom]) -> bool:
        """Whether the tokenizer promises that the tokens of these atoms are those of their text."""
        return bool(self._separators) and self._separators.issuperset([text[start - 1] for start, _, _, _ in atoms[1:]])

    def _measure(self, runs: Sequence[Run]) -> None:
        """Long paragraphs are counted in the pieces that they will most likely be cut into, and their sum is theirs."""
        flat: list[tuple[Run, Sequence[Atom]]] = []
        for run in runs:
            self._foresee(run)
            flat.append((run, [new for at, atom in enumerate(run.atoms) for new in run.finer.get(at, ((atom,),))[0]]
                         if run.finer else run.atoms))  # fmt: skip
        counts = self._count(flat)
        for run in runs:
            run.sizes = []
            _fill(run, counts)

    def _foresee(self, run: Run) -> None:
        text, most = run.document.text, USUAL_CHARACTERS * self._fine
        if self._separators:
            for position, (start, end, _, grain) in enumerate(run.atoms):
                if end - start > most and grain == PARAGRAPH:
                    pieces = finer(text, run.atoms[position], run.document.format)
                    if self._add_up(text, pieces):
                        run.finer[position] = pieces, []

    def _refine(self, runs: list[Run]) -> None:
        """Break up the large atoms of runs that must be cut; one counting call per level of structure."""
        while runs:
            broken = [(run, parts) for run in runs if (parts := self._broken(run))]
            counts = self._count(
                [(run, atoms) for run, parts in broken for atoms, sizes in parts.values() if not sizes]
            )
            for run, parts in broken:
                _replace(run, parts, counts)
            runs = [run for run, _ in broken]

    def _broken(self, run: Run) -> dict[int, Sized]:
        """The pieces of each atom that is too large, by its position, with their sizes where these are known.

        Paragraphs become sentences or lines early, to leave a choice of cuts; these are broken only where they do not
        fit, since a cut inside one is worse than a half-full chunk.
        """
        parts: dict[int, Sized] = {}
        for position, size in enumerate(run.sizes):
            if size <= self._fine:
                continue
            start, end, _, grain = atom = run.atoms[position]
            is_smallest = grain == PIECE and end - start == 1
            if not is_smallest and (size > self._room or grain == PARAGRAPH):
                known = run.finer.get(position)
                parts[position] = known or (finer(run.document.text, atom, run.document.format), [])
        return parts

    def _count(self, runs: Sequence[tuple[Run, Sequence[Atom]]]) -> Iterator[int]:
        texts: list[str] = []
        for run, atoms in runs:
            text = run.document.text
            texts += [text[start:end] for start, end, _, _ in atoms]
        return iter([count - self._added for count in self._tokenizer.count(texts)] if texts else [])


def _fill(run: Run, counts: Iterator[int]) -> None:
    """Take the sizes of a run's atoms from the counts; an atom whose pieces were counted has their sum."""
    if not run.finer:
        run.sizes = _sized(run, run.atoms, list(islice(counts, len(run.atoms))))
        return
    totals: list[int] = []
    for position in range(len(run.atoms)):
        if known := run.finer.get(position):
            pieces, sizes = known
            each = list(islice(counts, len(pieces)))
            sizes += _sized(run, pieces, each)
            totals.append(sum(each))
        else:
            totals.append(next(counts))
    run.sizes = _sized(run, run.atoms, totals)


def _sized(run: Run, atoms: Sequence[Atom], counts: list[int]) -> list[int]:
    """The counts, but for texts that would be too long to read.

    Some tokenizers see one unknown token in a word of ten megabytes.
    """
    sizes = [
        count if count * MOST_CHARACTERS > end - start else max(count, (end - start) // MOST_CHARACTERS)
        for count, (start, end, _, _) in zip(counts, atoms, strict=True)
    ]
    run.exact = run.exact and sizes == counts
    return sizes


def _replace(run: Run, parts: dict[int, Sized], counts: Iterator[int]) -> None:
    atoms: list[Atom] = []
    sizes: list[int] = []
    for position, (atom, size) in enumerate(zip(run.atoms, run.sizes, strict=True)):
        if position in parts:
            pieces, known = parts[position]
            atoms += pieces
            sizes += known or _sized(run, pieces, list(islice(counts, len(pieces))))
        else:
            atoms.append(atom)
            sizes.append(size)
    run.atoms, run.sizes, run.finer = atoms, sizes, {}


def cut_run(text: str, atoms: Sequence[Atom], sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Ranges [first, last) of atoms, in order, whose sizes sum to at most `limit`; a larger atom stands alone.

    Content decides where it is cut, not the distance from the start. A run that is too large is cut before the atom
    with the best rank, among equals the one with the highest hash of the text round the cut, and so on in both
    parts until all fit. Text inserted or removed elsewhere neither changes a hash here nor moves a cut, so an edit
    changes the chunks around it and no others.

    In text that repeats itself many have the same hash: then the middle one, for each cut looks at all that is left,
    and halves are soon small.
    """
    sums = list(accumulate(sizes, initial=0))
    if sums[-1] <= limit:
        return [(0, len(atoms))]
    ranks = [rank for _, _, rank, _ in atoms]
    hashes: dict[int, int] = {}
    margin = math.ceil(MARGIN * limit)
    ranges: list[tuple[int, int]] = []
    waiting = [(0, len(atoms))]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2 or sums[last] - sums[first] <= limit:
            ranges.append((first, last))
        else:
            lowest = bisect_left(sums, sums[first] + margin, first + 1, last)
            highest = bisect_right(sums, sums[last] - margin, first + 1, last)
            cuts = range(lowest, highest) or range(first + 1, last)
            best = max(ranks[cuts.start : cuts.stop])
            equals = [cut for cut in cuts if ranks[cut] == best]
            if len(equals) > 1:
                hashes.update((cut, _hash(text, atoms[cut][0])) for cut in equals if cut not in hashes)
                highest_hash = max(map(hashes.__getitem__, equals))
                equals = [cut for cut in equals if hashes[cut] == highest_hash]
            cut = equals[len(equals) // 2]
            waiting += [(cut, last), (first, cut)]
    return ranges


def _hash(text: str, cut: int) -> int:
    """A hash of the text on both sides, so that a line that stands many times does not tie."""
    near = text[max(0, cut - CONTEXT_CHARACTERS) : cut + CONTEXT_CHARACTERS]
    return zlib.crc32(near.encode() if near.isascii() else near.encode("utf-8", "surrogatepass"))
