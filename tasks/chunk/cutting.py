"""Long sections to parts that fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from tasks.chunk.atoms import INNER_DEFINITION, PARAGRAPH, PIECE, Atom, finer, paragraphs
from tasks.chunk.layout import SHARE, Layout, Lead
from tasks.chunk.outline import Section
from tasks.chunk.ranges import cut_run
from tasks.chunk.runs import Part, Run, Sized
from tasks.errors import ConfigError, DocumentError
from tasks.records import Document, Tokenizer

FINE = 3  # a section that must be cut is made of atoms of at most a third of the limit, where it has such places
MOST_TIMES = 64  # that each character is counted, on average; the worst texts that are known take 10
MOST_CHARACTERS = 64  # per token; ordinary text has 3 to 6
VAST_CHARACTERS = 8  # per token of the limit: more than a definition that fits has
USUAL_CHARACTERS = 3  # per token: a paragraph with more is counted in finer atoms at once


class Cutting:
    """Cuts the runs of one call; each level of structure is counted in one call of the tokenizer."""

    def __init__(self, tokenizer: Tokenizer, added: int, room: int) -> None:
        """`added` tokens are sent with each text, `room` are left for the text itself."""
        self._tokenizer = tokenizer
        self._separators = frozenset(tokenizer.separators)
        self._added = added
        self._room = room
        self._fine = max(1, room // FINE)
        self._counted: Counter[int] = Counter()

    def open(self, document: Document, number: int, section: Section, layout: Layout) -> Run:
        """A whole section, in paragraphs that are not counted yet; what is surely too large is broken up."""
        atoms = paragraphs(document.text, section.start, section.end, layout)
        while layout.form == "code" and any(_is_vast(atom, self._room) for atom in atoms):
            pieces = (finer(document.text, atom, layout) if _is_vast(atom, self._room) else [atom] for atom in atoms)
            atoms = list(chain.from_iterable(pieces))
        return Run(document, number, section, layout, atoms)

    def cut(self, runs: Sequence[Run]) -> list[Part]:
        """Parts in order, each of at most `room` tokens as far as the sizes of the atoms tell."""
        self._weigh([lead for run in runs for lead in run.layout.leads.all])
        self._measure(runs)
        self._refine([run for run in runs if sum(run.sizes) + run.told(run.atoms[0]) > self._room])
        return [part for run in runs for part in self._parts(run, self._room)]

    def smaller(self, over: Sequence[tuple[Part, int]]) -> list[Part]:
        """Parts that are over the limit after all, with their tokens, in parts that should fit now."""
        runs = [self._broken_up(part) for part, _ in over]
        self._measure(runs)
        parts: list[Part] = []
        for run, (_, count) in zip(runs, over, strict=True):
            if sum(run.sizes) <= 1:  # the prefix and the first word may make one token: then sizes say nothing
                run.sizes, run.exact = [1] * len(run.atoms), False
            size = sum(run.sizes)
            parts += self._parts(run, max(1, min(size - 1, self._room * size // count)))
        return parts

    def _broken_up(self, part: Part) -> Run:
        """Its atoms, or finer ones; where nothing can be cut, it is told nothing."""
        run = part.run
        atoms, layout = run.atoms[part.first : part.last], run.layout
        while len(atoms) == 1:
            atoms = finer(run.document.text, atoms[0], layout)
            start, end, _, _ = atoms[0]
            if end - start == 1 and len(atoms) == 1:
                if not part.lead:
                    name = run.document.ref.id
                    raise ConfigError(f"{name}: one character takes more tokens than chunking.max_tokens")
                layout = layout.without_leads()
                break
        return Run(run.document, run.number, run.section, layout, atoms)

    def _parts(self, run: Run, limit: int) -> Iterator[Part]:
        """The parts of a run that is cut at the limit, without blank ones."""
        text, atoms, sizes, leads = run.document.text, run.atoms, run.sizes, run.layout.leads
        is_exact = run.exact and self._add_up(text, atoms)
        told = leads.tokens([atom[0] for atom in atoms]) if leads else None
        for first, last in cut_run(text, atoms, sizes, limit, told):
            start, end = atoms[first][0], atoms[last - 1][1]
            body = text[start:end].rstrip()
            words = body.lstrip()
            if words:
                end = start + len(body)
                start = run.layout.begin(text, start, end - len(words))
                lead = run.lead(start, end) if told else None
                tokens = 0
                if is_exact and (lead is None or lead.text[-1] in self._separators):
                    tokens = sum(sizes[first:last]) + self._added + (lead.tokens if lead else 0)
                yield Part(run, first, last, start, end, tokens, lead)

    def _weigh(self, leads: Sequence[Lead]) -> None:
        """What would take more than its share is left out."""
        counts = self._tokenizer.count([lead.text for lead in leads]) if leads else []
        for lead, count in zip(leads, counts, strict=True):
            lead.tokens = count - self._added if count - self._added <= self._room // SHARE else 0

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
                    pieces = finer(text, run.atoms[position], run.layout)
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
            if not is_smallest and (size + run.told(atom) > self._room or grain == PARAGRAPH):
                known = run.finer.get(position)
                parts[position] = known or (finer(run.document.text, atom, run.layout), [])
        return parts

    def _count(self, runs: Sequence[tuple[Run, Sequence[Atom]]]) -> Iterator[int]:
        texts: list[str] = []
        for run, atoms in runs:
            text = run.document.text
            texts += [text[start:end] for start, end, _, _ in atoms]
            self._counted[run.number] += atoms[-1][1] - atoms[0][0]
            if self._counted[run.number] > MOST_TIMES * (len(text) + self._room):
                raise DocumentError(
                    "too-intricate",
                    f"{run.document.ref.id} takes too much work to be cut into chunks of {self._room} tokens;"
                    " split it, raise chunking.max_tokens, or exclude it",
                )
        return iter([count - self._added for count in self._tokenizer.count(texts)] if texts else [])


def _is_vast(atom: Atom, room: int) -> bool:
    """A definition that cannot fit: to count it whole would be in vain."""
    start, end, _, grain = atom
    return grain >= INNER_DEFINITION and end - start > VAST_CHARACTERS * room


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
