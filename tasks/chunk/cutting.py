"""Long sections to parts that fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tasks.chunk.atoms import PARAGRAPH, PIECE, Atom, finer, paragraphs
from tasks.chunk.base import Tokenizer
from tasks.chunk.cut import cut_run
from tasks.chunk.outline import Section
from tasks.errors import ConfigError
from tasks.records import Document

FINE = 3  # a section that must be cut is made of atoms of at most a third of the limit, where it has such places
MOST_CHARACTERS = 64  # per token; ordinary text has 3 to 6
USUAL_CHARACTERS = 3  # per token: a paragraph with more is counted in finer atoms at once

Sized = tuple[list[Atom], list[int]]


@dataclass(slots=True)
class Run:
    """A stretch of one section: `sizes[i]` are the tokens of `atoms[i]`, without what is added to each text sent.

    `finer` are atoms, by position, whose pieces are known too. Sizes are `exact` unless one was raised.
    """

    document: Document
    number: int
    section: Section
    atoms: list[Atom]
    sizes: list[int] = field(default_factory=list[int])
    exact: bool = True
    finer: dict[int, Sized] = field(default_factory=dict[int, Sized])

    def part(self, first: int, last: int) -> "Run":
        """Some of its atoms."""
        atoms, sizes = self.atoms[first:last], self.sizes[first:last]
        return Run(self.document, self.number, self.section, atoms, sizes, self.exact)

    def span(self) -> tuple[int, int]:
        """Where its text begins and ends, white space trimmed; empty for a blank one."""
        start, end = self.atoms[0].start, self.atoms[-1].end
        text = self.document.text[start:end]
        stripped = text.lstrip()
        start += len(text) - len(stripped)
        return start, start + len(stripped.rstrip())


class Cutting:
    """Cuts the runs of one call; each level of structure is counted in one call of the tokenizer."""

    def __init__(self, tokenizer: Tokenizer, added: int, room: int) -> None:
        """`added` tokens are sent with each text, `room` are left for the text itself."""
        self._tokenizer = tokenizer
        self._separators = tokenizer.separators
        self._added = added
        self._room = room
        self._fine = max(1, room // FINE)

    def open(self, document: Document, number: int, section: Section) -> Run:
        """A whole section, in paragraphs that are not counted yet."""
        return Run(document, number, section, paragraphs(document.text, section.start, section.end, document.format))

    def cut(self, runs: Sequence[Run]) -> list[Run]:
        """Parts in order, each of at most `room` tokens as far as the sizes of the atoms tell."""
        self._measure(runs)
        self._refine([run for run in runs if sum(run.sizes) > self._room])
        parts: list[Run] = []
        for run in runs:
            ranges = cut_run(run.document.text, run.atoms, run.sizes, self._room)
            parts += [run.part(first, last) for first, last in ranges]
        return parts

    def tokens(self, part: Run) -> int | None:
        """What the model reads for the part, where that follows from the sizes."""
        text = part.document.text
        if part.exact and self._separators and _all_behind(text, part.atoms, self._separators):
            return sum(part.sizes) + self._added
        return None

    def smaller(self, over: Sequence[tuple[Run, int]]) -> list[Run]:
        """Parts that are over the limit after all, with their tokens, in parts that should fit now."""
        for part, _ in over:
            while len(part.atoms) == 1:
                part.atoms = finer(part.document.text, part.atoms[0], part.document.format)
                if part.atoms[0].end - part.atoms[0].start == 1 and len(part.atoms) == 1:
                    name = part.document.ref.id
                    raise ConfigError(f"{name}: one character takes more tokens than chunking.max_tokens")
        self._measure([part for part, _ in over])
        parts: list[Run] = []
        for part, count in over:
            size = sum(part.sizes)
            limit = max(1, min(size - 1, self._room * size // count))
            ranges = cut_run(part.document.text, part.atoms, part.sizes, limit)
            parts += [part.part(first, last) for first, last in ranges]
        return parts

    def _measure(self, runs: Sequence[Run]) -> None:
        """Long paragraphs are counted in the pieces that they will most likely be cut into, and their sum is theirs."""
        groups = [[self._foreseen(run, atom) for atom in run.atoms] for run in runs]
        counts = self._count(
            [(run, atom) for run, found in zip(runs, groups, strict=True) for at in found for atom in at]
        )
        for run, found in zip(runs, groups, strict=True):
            run.sizes = []
            for position, (atom, atoms) in enumerate(zip(run.atoms, found, strict=True)):
                total, sizes = _sized(run, atom, atoms, counts)
                run.sizes.append(total)
                if atoms[0].grain != atom.grain:
                    run.finer[position] = atoms, sizes

    def _foreseen(self, run: Run, atom: Atom) -> list[Atom]:
        text = run.document.text
        if atom.grain == PARAGRAPH and atom.end - atom.start > USUAL_CHARACTERS * self._fine and self._separators:
            pieces = finer(text, atom, run.document.format)
            if _all_behind(text, pieces, self._separators):
                return pieces
        return [atom]

    def _refine(self, runs: list[Run]) -> None:
        """Break up the large atoms of runs that must be cut; one counting call per level of structure."""
        while runs:
            broken = [(run, parts) for run in runs if (parts := self._broken(run))]
            unknown = [(run, atom) for run, parts in broken for at, new in parts.items() if at not in run.finer
                       for atom in new]  # fmt: skip
            counts = self._count(unknown)
            for run, parts in broken:
                _replace(run, parts, counts)
            runs = [run for run, _ in broken]

    def _broken(self, run: Run) -> dict[int, list[Atom]]:
        """By position: the pieces of each atom that is too large.

        Paragraphs become sentences or lines early, to leave a choice of cuts; these are broken only where they do not
        fit, since a cut inside one is worse than a half-full chunk.
        """
        parts: dict[int, list[Atom]] = {}
        for position, size in enumerate(run.sizes):
            if size <= self._fine:
                continue
            atom = run.atoms[position]
            is_smallest = atom.grain == PIECE and atom.end - atom.start == 1
            if not is_smallest and (size > self._room or atom.grain == PARAGRAPH):
                known = run.finer.get(position)
                parts[position] = known[0] if known else finer(run.document.text, atom, run.document.format)
        return parts

    def _count(self, atoms: Sequence[tuple[Run, Atom]]) -> Iterator[int]:
        texts = [run.document.text[atom.start : atom.end] for run, atom in atoms]
        return iter([count - self._added for count in self._tokenizer.count(texts)] if texts else [])


def _sized(run: Run, whole: Atom, atoms: list[Atom], counts: Iterator[int]) -> tuple[int, list[int]]:
    """The sizes of the atoms, and that of the whole that they make.

    Some tokenizers see one unknown token in a word of ten megabytes; a chunk must stay readable all the same.
    """
    found = list(islice(counts, len(atoms)))
    sizes = [max(n, (atom.end - atom.start) // MOST_CHARACTERS) for n, atom in zip(found, atoms, strict=True)]
    total = max(sum(found), (whole.end - whole.start) // MOST_CHARACTERS)
    run.exact = run.exact and sizes == found and total == sum(found)
    return total, sizes


def _replace(run: Run, parts: dict[int, list[Atom]], counts: Iterator[int]) -> None:
    atoms: list[Atom] = []
    sizes: list[int] = []
    for position, (atom, size) in enumerate(zip(run.atoms, run.sizes, strict=True)):
        pieces = parts.get(position)
        if pieces is None:
            atoms.append(atom)
            sizes.append(size)
        else:
            known = run.finer.get(position)
            atoms += pieces
            sizes += known[1] if known else _sized(run, atom, pieces, counts)[1]
    run.atoms, run.sizes, run.finer = atoms, sizes, {}


def _all_behind(text: str, atoms: Sequence[Atom], separators: str) -> bool:
    return all(text[atom.start - 1] in separators for atom in atoms[1:])
