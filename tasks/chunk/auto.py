"""The chunker: structure first, exact in the embedder's own tokens, and local."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal, NamedTuple

from tasks.chunk.blocks import find_blocks
from tasks.chunk.cutting import MOST_CHARACTERS, Cutting
from tasks.chunk.definitions import Definitions, find_definitions
from tasks.chunk.layout import Layout, Lead, Leads, block_leads, scope_leads, title_lead
from tasks.chunk.outline import Section, find_sections
from tasks.chunk.runs import Part, Run
from tasks.errors import ConfigError
from tasks.records import Chunk, Document, Tokenizer

VERSION = 5  # raised when the same file would be read or cut otherwise
CHARACTERS_PER_TOKEN = 8  # more than any ordinary text has, so the words looked at for an overlap are enough
SHORT = 4.0  # characters per token of room: sections up to here most likely fit, and are counted whole
_WORD = re.compile(r"\S+\s*")

Placed = tuple[int, int, Chunk]  # number of the document, where the chunk's part of it begins


class Piece(NamedTuple):
    """A section of the document with this number; its words, from the character `begin` on, and what is told first."""

    number: int
    section: Section
    begin: int
    body: str
    title: Lead | None
    definitions: Definitions


class AutoChunker:
    """All documents of a call share the tokenizer's batches; their chunks do not depend on one another.

    It is made in processes of its own too, which start in half of the time without the configuration's classes.
    """

    def __init__(
        self, max_tokens: int, overlap_tokens: int, tokenizer: Tokenizer, context: Literal["auto", "none"] = "auto"
    ) -> None:
        """The smaller of the configured limit and the model's own counts."""
        self._tokenizer = tokenizer
        self._limit = min(max_tokens, tokenizer.max_tokens)
        self._overlap = overlap_tokens
        self._tells = context == "auto"
        self.fingerprint = f"auto-{VERSION}/{self._limit}/{self._overlap}/{context}/{tokenizer.fingerprint}"

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """Sections, then paragraphs, sentences, words: each document's chunks in order."""
        chunks: list[list[Chunk]] = [[] for _ in documents]
        pieces = [piece for number, document in enumerate(documents) for piece in self._pieces(number, document)]
        if pieces:
            for number, _, chunk in sorted(self._placed(documents, pieces)):
                chunks[number].append(chunk)
        if self._tells:
            self._add_titles(documents, chunks)
        return chunks

    def _pieces(self, number: int, document: Document) -> Iterator[Piece]:
        text, may_be_told = document.text, self._tells
        definitions = find_definitions(document)
        for section in find_sections(document):
            start, end, _ = section
            if body := text[start:end].strip():
                begin = start if text[start] == body[0] else text.index(body[0], start)
                if document.format == "code":
                    begin, stop = max(start, text.rfind("\n", start, begin) + 1), begin + len(body)
                    body = text[begin:stop]
                title = title_lead(document, start, body, self._room) if may_be_told else None
                may_be_told = False
                yield Piece(number, section, begin, body, title, definitions)

    def _add_titles(self, documents: Sequence[Document], chunks: list[list[Chunk]]) -> None:
        """A document without a text is found by its title and its description, which are then what is stored."""
        bare = [number for number, own in enumerate(chunks) if not own and documents[number].metadata.get("title")]
        named = [replace(documents[number], text=_words_of(documents[number]), metadata={}) for number in bare]
        for number, own in zip(bare, self.split(named) if named else [], strict=True):
            chunks[number] = [Chunk("", chunk.tokens, 0, repeated=chunk.text) for chunk in own]

    def _placed(self, documents: Sequence[Document], pieces: list[Piece]) -> Iterator[Placed]:
        """Most sections fit whole; the others are cut."""
        added, room = self._added, self._room
        longest = SHORT * room if self._tokenizer.separators else 0
        short = [piece for piece in pieces if len(piece.body) <= longest]
        long = [piece for piece in pieces if len(piece.body) > longest]
        texts = [piece.title.text + piece.body if piece.title else piece.body for piece in short]
        counts = self._tokenizer.count(texts) if short else []
        for piece, count in zip(short, counts, strict=True):
            number, (start, end, headings), begin, body, title, definitions = piece
            if count - added + (end - start) // MOST_CHARACTERS <= room:
                path = definitions.titles(begin, begin + len(body)) or headings
                yield number, start, Chunk(body, count, begin, path, context=title.context if title else "")
            else:
                long.append(piece)
        cutting = Cutting(self._tokenizer, added, room)
        parts = cutting.cut([self._opened(cutting, documents[piece.number], piece) for piece in long])
        while parts:
            over: list[tuple[Part, int]] = []
            for part, tokens in self._counted(parts):
                if tokens > self._limit:
                    over.append((part, tokens))
                else:
                    yield part.run.number, part.run.atoms[part.first][0], part.chunk(tokens)
            parts = cutting.smaller(over)

    def _opened(self, cutting: Cutting, document: Document, piece: Piece) -> Run:
        (start, end, _), definitions = piece.section, piece.definitions
        blocks = find_blocks(document.text, start, end, document.format)
        leads = [*block_leads(blocks), *scope_leads(definitions, self._room)] if self._tells else []
        first = [piece.title] if piece.title else []
        layout = Layout(document.format, blocks, definitions, Leads([*first, *leads]))
        return cutting.open(document, piece.number, piece.section, layout)

    def _counted(self, parts: Sequence[Part]) -> Iterator[tuple[Part, int]]:
        """The parts with the tokens of what is really sent; where those of pieces need not add up, they are counted."""
        unsure = [part for part in parts if not part.tokens or self._overlap]
        if self._overlap:
            bounds = [(part.run.document.text, part.run.section.start, part.start) for part in unsure]
            for part, start in zip(unsure, widened(self._tokenizer, bounds, self._overlap), strict=True):
                part.start, part.lead = start, part.run.lead(start, part.end)
        texts = [part.embedded for part in unsure]
        yield from zip(unsure, self._tokenizer.count(texts) if texts else [], strict=True)
        if not self._overlap:
            yield from ((part, part.tokens) for part in parts if part.tokens)

    @cached_property
    def _added(self) -> int:
        """Tokens that are sent with every text: prefix and special tokens."""
        return self._tokenizer.count([""])[0]

    @property
    def _room(self) -> int:
        """Tokens left for the text itself."""
        room = self._limit - self._added - self._overlap
        if room < 1:
            raise ConfigError(
                f"chunking.max_tokens {self._limit} leaves no room: prefix and special tokens take {self._added},"
                f" the overlap {self._overlap}"
            )
        return room


def widened(tokenizer: Tokenizer, bounds: Sequence[tuple[str, int, int]], tokens: int) -> list[int]:
    """Starts up to `tokens` tokens earlier; `bounds` are text, start of the section and start of the chunk."""
    words = [_words_before(text, lowest, start, tokens) for text, lowest, start in bounds]
    added, *counts = tokenizer.count(["", *(text[low:high] for (text, _, _), spans in zip(bounds, words, strict=True)
                                            for low, high in spans)])  # fmt: skip
    sizes = iter(counts)
    starts: list[int] = []
    for (_, _, start), spans in zip(bounds, words, strict=True):
        left = tokens
        for (low, _), size in reversed([(word, next(sizes)) for word in spans]):
            left -= size - added
            if left < 0:
                break
            start = low
        starts.append(start)
    return starts


def _words_before(text: str, lowest: int, start: int, tokens: int) -> list[tuple[int, int]]:
    words = [match.span() for match in _WORD.finditer(text, max(lowest, start - tokens * CHARACTERS_PER_TOKEN), start)]
    begins_inside = bool(words) and words[0][0] > lowest and not text[words[0][0] - 1].isspace()
    return words[1:] if begins_inside else words


def _words_of(document: Document) -> str:
    said = document.metadata
    parts = (said.get("title", ""), said.get("description") or said.get("summary") or "")
    named = (" ".join(str(part).split()) for part in parts)
    return "\n\n".join(filter(None, named))
