"""The chunker: structure first, exact in the embedder's own tokens, and local."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config import schema
from tasks.chunk.atoms import PARAGRAPH, PIECE, Atom, finer, paragraphs
from tasks.chunk.base import Tokenizer
from tasks.chunk.cut import cut_run
from tasks.chunk.outline import Section, find_sections
from tasks.chunk.overlap import widened
from tasks.errors import ConfigError
from tasks.records import Chunk, Document

VERSION = 1
FINE = 3  # a section that must be cut is made of atoms of at most a third of the limit, where it has such places

MOST_CHARACTERS = 64  # per token; ordinary text has 3 to 6


@dataclass(slots=True)
class _Run:
    """A stretch of one section: `sizes[i]` are the tokens of `atoms[i]`, without what is added to each text sent."""

    document: Document
    number: int
    section: Section
    atoms: list[Atom]
    sizes: list[int]

    def part(self, first: int, last: int) -> "_Run":
        """Some of its atoms."""
        return _Run(self.document, self.number, self.section, self.atoms[first:last], self.sizes[first:last])

    def span(self) -> tuple[int, int]:
        """Where its text begins and ends, white space trimmed; empty for a blank one."""
        text = self.document.text
        start, end = self.atoms[0].start, self.atoms[-1].end
        stripped = text[start:end].strip()
        start = text.index(stripped, start, end) if stripped else end
        return start, start + len(stripped)


class AutoChunker:
    """All documents of a call share the tokenizer's batches; their chunks do not depend on one another."""

    def __init__(self, config: schema.Chunking, tokenizer: Tokenizer) -> None:
        """The smaller of the configured limit and the model's own counts."""
        self._tokenizer = tokenizer
        self._limit = min(config.max_tokens, tokenizer.max_tokens)
        self._overlap = config.overlap_tokens
        self.fingerprint = f"auto-{VERSION}/{self._limit}/{self._overlap}/{tokenizer.fingerprint}"

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """Sections, then paragraphs, sentences, words: each document's chunks in order."""
        chunks: list[list[Chunk]] = [[] for _ in documents]
        runs = [
            _Run(document, number, section, paragraphs(document.text, section.start, section.end, document.format), [])
            for number, document in enumerate(documents)
            for section in find_sections(document)
            if document.text[section.start : section.end].strip()
        ]
        if not runs:
            return chunks
        added = self._tokenizer.count([""])[0]
        room = self._limit - added - self._overlap
        if room < 1:
            raise ConfigError(
                f"chunking.max_tokens {self._limit} leaves no room: prefix and special tokens take {added},"
                f" the overlap {self._overlap}"
            )
        cutting = _Cutting(self._tokenizer, added, room)
        cutting.measure(runs)
        for run, chunk in self._fitting(runs, cutting):
            chunks[run.number].append(chunk)
        return chunks

    def _fitting(self, runs: Sequence[_Run], cutting: "_Cutting") -> Iterator[tuple[_Run, Chunk]]:
        """Cut, then count what is really sent: tokens of joined pieces do not always add up. Cut again what is over."""
        waiting: list[_Run] = cutting.cut(runs)
        fitting: dict[tuple[int, int], tuple[_Run, Chunk]] = {}
        while waiting:
            spans = [part.span() for part in waiting]
            parts = [part for part, (start, end) in zip(waiting, spans, strict=True) if start < end]
            spans = self._overlapping(parts, [span for span in spans if span[0] < span[1]])
            texts = [part.document.text[start:end] for part, (start, end) in zip(parts, spans, strict=True)]
            waiting = []
            for part, text, count, (start, _) in zip(parts, texts, self._tokenizer.count(texts), spans, strict=True):
                if count > self._limit:
                    waiting += cutting.smaller(part, count)
                else:
                    place = part.number, part.atoms[0].start
                    fitting[place] = part, Chunk(text, count, start, part.section.headings)
        for place in sorted(fitting):
            yield fitting[place]

    def _overlapping(self, parts: Sequence[_Run], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        if not self._overlap:
            return list(spans)
        found: list[tuple[int, int]] = []
        for part, (start, end) in zip(parts, spans, strict=True):
            begin = widened(self._tokenizer, part.document.text, (part.section.start, start), self._overlap)
            found.append((begin, end))
        return found


class _Cutting:
    """Runs to runs that fit."""

    def __init__(self, tokenizer: Tokenizer, added: int, room: int) -> None:
        """`added` tokens are sent with each text, `room` are left for the text itself."""
        self._tokenizer = tokenizer
        self._added = added
        self._room = room

    def measure(self, runs: Sequence[_Run]) -> None:
        """Count the atoms of all runs in one call."""
        sizes = iter(self._count([(run, atom) for run in runs for atom in run.atoms]))
        for run in runs:
            run.sizes = [next(sizes) for _ in run.atoms]

    def cut(self, runs: Sequence[_Run]) -> list[_Run]:
        """Parts in order, each of at most `room` tokens as far as the sizes of the atoms tell."""
        self._refine([run for run in runs if sum(run.sizes) > self._room])
        parts: list[_Run] = []
        for run in runs:
            ranges = cut_run(run.document.text, run.atoms, run.sizes, self._room)
            parts += [run.part(first, last) for first, last in ranges]
        return parts

    def smaller(self, part: _Run, count: int) -> list[_Run]:
        """A part of `count` tokens, over the limit after all, in parts that should fit now."""
        while len(part.atoms) == 1:
            part.atoms = finer(part.document.text, part.atoms[0], part.document.format)
            if part.atoms[0].end - part.atoms[0].start == 1 and len(part.atoms) == 1:
                raise ConfigError(f"{part.document.ref.id}: one character takes more tokens than chunking.max_tokens")
        self.measure([part])
        size = sum(part.sizes)
        limit = min(size - 1, self._room * size // count)
        ranges = cut_run(part.document.text, part.atoms, part.sizes, max(1, limit))
        return [part.part(first, last) for first, last in ranges]

    def _refine(self, runs: list[_Run]) -> None:
        """Break up the large atoms of runs that must be cut; one counting call per level of structure."""
        while runs:
            broken = [(run, parts) for run in runs if (parts := self._broken(run))]
            sizes = iter(self._count([(run, atom) for run, parts in broken for new in parts.values() for atom in new]))
            for run, parts in broken:
                _replace(run, parts, sizes)
            runs = [run for run, _ in broken]

    def _broken(self, run: _Run) -> dict[int, list[Atom]]:
        """By position: the pieces of each atom that is too large.

        Paragraphs become sentences or lines early, to leave a choice of cuts; these are broken only where they do not
        fit, since a cut inside one is worse than a half-full chunk.
        """
        fine = max(1, self._room // FINE)
        parts: dict[int, list[Atom]] = {}
        for position, (atom, size) in enumerate(zip(run.atoms, run.sizes, strict=True)):
            is_smallest = atom.grain == PIECE and atom.end - atom.start == 1
            if not is_smallest and size > (fine if atom.grain == PARAGRAPH else self._room):
                parts[position] = finer(run.document.text, atom, run.document.format)
        return parts

    def _count(self, atoms: Sequence[tuple[_Run, Atom]]) -> list[int]:
        texts = [run.document.text[atom.start : atom.end] for run, atom in atoms]
        counts = self._tokenizer.count(texts) if texts else []
        # Some tokenizers see one unknown token in a word of ten megabytes; a chunk must stay readable all the same.
        return [max(n - self._added, len(text) // MOST_CHARACTERS) for n, text in zip(counts, texts, strict=True)]


def _replace(run: _Run, parts: dict[int, list[Atom]], sizes: Iterator[int]) -> None:
    atoms: list[Atom] = []
    counts: list[int] = []
    for position, (atom, size) in enumerate(zip(run.atoms, run.sizes, strict=True)):
        pieces = parts.get(position)
        atoms += pieces or [atom]
        counts += [next(sizes) for _ in pieces] if pieces else [size]
    run.atoms, run.sizes = atoms, counts
