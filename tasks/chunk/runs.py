"""What is cut: stretches of sections, and the parts that become chunks."""

from dataclasses import dataclass, field

from tasks.chunk.atoms import Atom
from tasks.chunk.layout import Layout, Lead, stands_in
from tasks.chunk.outline import Section
from tasks.records import Chunk, Document

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
    layout: Layout
    atoms: list[Atom]
    sizes: list[int] = field(default_factory=list[int])
    exact: bool = True
    finer: dict[int, Sized] = field(default_factory=dict[int, Sized])

    def lead(self, start: int, end: int) -> Lead | None:
        """What is embedded before these characters."""
        lead = self.layout.leads.at(start)
        return None if lead and lead.unless and stands_in(lead.unless, self.document.text[start:end]) else lead

    def told(self, atom: Atom) -> int:
        """Tokens of what a chunk that begins with the atom is told before its text."""
        lead = self.layout.leads.at(atom[0]) if self.layout.leads.all else None
        return lead.tokens if lead else 0


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
    lead: Lead | None

    @property
    def text(self) -> str:
        """The document's own words."""
        return self.run.document.text[self.start : self.end]

    @property
    def embedded(self) -> str:
        """What the model reads."""
        return self.lead.text + self.text if self.lead else self.text

    def chunk(self, tokens: int) -> Chunk:
        """Told what stands above it."""
        run, lead = self.run, self.lead
        headings = run.layout.definitions.titles(self.start, self.end) or run.section.headings
        if lead is None:
            return Chunk(self.text, tokens, self.start, headings)
        return Chunk(self.text, tokens, self.start, headings, repeated=lead.repeated, context=lead.context)
