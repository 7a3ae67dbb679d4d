"""The chunker: structure first, exact in the embedder's own tokens, and local."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from config import schema
from tasks.chunk.base import Tokenizer
from tasks.chunk.cutting import MOST_CHARACTERS, Cutting, Run
from tasks.chunk.outline import Section, find_sections
from tasks.chunk.overlap import widened
from tasks.errors import ConfigError
from tasks.records import Chunk, Document

VERSION = 1
SHORT = 2.5  # characters per token of room: sections up to here most likely fit, and are counted whole

Placed = tuple[int, int, Chunk]  # number of the document, where the chunk's part of it begins


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
        sections = [
            (number, section, body)
            for number, document in enumerate(documents)
            for section in find_sections(document)
            if (body := document.text[section.start : section.end].strip())
        ]
        if sections:
            for number, _, chunk in sorted(self._placed(documents, sections)):
                chunks[number].append(chunk)
        return chunks

    def _placed(self, documents: Sequence[Document], sections: list[tuple[int, Section, str]]) -> Iterator[Placed]:
        """Most sections fit whole; the others are cut."""
        added, room = self._added, self._room
        longest = SHORT * room if self._tokenizer.separators else 0
        short = [entry for entry in sections if len(entry[2]) <= longest]
        long = [entry for entry in sections if len(entry[2]) > longest]
        counts = self._tokenizer.count([body for _, _, body in short]) if short else []
        for entry, count in zip(short, counts, strict=True):
            number, (start, end, headings), body = entry
            if count - added + (end - start) // MOST_CHARACTERS <= room:
                text = documents[number].text
                begin = start if text[start] == body[0] else text.index(body, start)
                yield number, start, Chunk(body, count, begin, headings)
            else:
                long.append(entry)
        cutting = Cutting(self._tokenizer, added, room)
        parts = cutting.cut([cutting.open(documents[number], number, section) for number, section, _ in long])
        while parts:
            over: list[tuple[Run, int]] = []
            for part, (start, end), count in self._counted(parts, cutting):
                if count > self._limit:
                    over.append((part, count))
                else:
                    text = part.document.text[start:end]
                    yield part.number, part.atoms[0].start, Chunk(text, count, start, part.section.headings)
            parts = cutting.smaller(over)

    def _counted(self, parts: Sequence[Run], cutting: Cutting) -> Iterator[tuple[Run, tuple[int, int], int]]:
        """What is really sent, and its tokens; where those of joined pieces need not add up, they are counted."""
        unsure: list[tuple[Run, tuple[int, int]]] = []
        for part in parts:
            start, end = part.span()
            count = None if self._overlap else cutting.tokens(part)
            if start < end and count is not None:
                yield part, (start, end), count
            elif start < end:
                unsure.append((part, (start, end)))
        if not unsure:
            return
        if self._overlap:
            bounds = [(part.document.text, part.section.start, start) for part, (start, _) in unsure]
            starts = widened(self._tokenizer, bounds, self._overlap)
            unsure = [(part, (start, end)) for (part, (_, end)), start in zip(unsure, starts, strict=True)]
        counts = self._tokenizer.count([part.document.text[start:end] for part, (start, end) in unsure])
        for (part, span), count in zip(unsure, counts, strict=True):
            yield part, span, count

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
