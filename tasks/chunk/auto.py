"""The chunker: structure first, exact in the embedder's own tokens, and local."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from tasks.chunk.cutting import MOST_CHARACTERS, Cutting, Part
from tasks.chunk.outline import Section, find_sections
from tasks.errors import ConfigError
from tasks.records import Chunk, Document, Tokenizer

VERSION = 2
CHARACTERS_PER_TOKEN = 8  # more than any ordinary text has, so the words looked at for an overlap are enough
SHORT = 4.0  # characters per token of room: sections up to here most likely fit, and are counted whole
_WORD = re.compile(r"\S+\s*")

Placed = tuple[int, int, Chunk]  # number of the document, where the chunk's part of it begins


class AutoChunker:
    """All documents of a call share the tokenizer's batches; their chunks do not depend on one another.

    It is made in processes of its own too, which start in half of the time without the configuration's classes.
    """

    def __init__(self, max_tokens: int, overlap_tokens: int, tokenizer: Tokenizer) -> None:
        """The smaller of the configured limit and the model's own counts."""
        self._tokenizer = tokenizer
        self._limit = min(max_tokens, tokenizer.max_tokens)
        self._overlap = overlap_tokens
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
            over: list[tuple[Part, int]] = []
            for part, tokens in self._counted(parts):
                if tokens > self._limit:
                    over.append((part, tokens))
                else:
                    run = part.run
                    chunk = Chunk(run.document.text[part.start : part.end], tokens, part.start, run.section.headings)
                    yield run.number, run.atoms[part.first][0], chunk
            parts = cutting.smaller(over)

    def _counted(self, parts: Sequence[Part]) -> Iterator[tuple[Part, int]]:
        """The parts with the tokens of what is really sent; where those of pieces need not add up, they are counted."""
        unsure = [part for part in parts if not part.tokens or self._overlap]
        if self._overlap:
            bounds = [(part.run.document.text, part.run.section.start, part.start) for part in unsure]
            for part, start in zip(unsure, widened(self._tokenizer, bounds, self._overlap), strict=True):
                part.start = start
        texts = [part.run.document.text[part.start : part.end] for part in unsure]
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
