"""Whole documents through the transformer, and a vector for each of their chunks: the mean over its own tokens."""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tasks.embed.local.lanes import Lanes
from tasks.embed.local.runtime.base import NO_VECTOR, Features, Span, Spans, padded_ids
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ServiceError
from tasks.passages import Passage
from tasks.records import EmbeddedBatch, Vectors

REPEATED = 4  # a document that the model cannot read at once repeats a quarter of each window in the next one

Forward = Callable[[Features, Spans], Vectors]
Unit = Callable[[Vectors], Vectors]


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it, without special tokens: `starts` and `ends` are characters of the text."""

    prefix: list[int]
    body: list[int]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def span(self, start: int, end: int) -> Span:
        """The tokens that have a part in these characters."""
        return int(np.searchsorted(self.ends, start, "right")), int(np.searchsorted(self.starts, end, "left"))


@dataclass(slots=True)
class Window:
    """What goes through the transformer at once; each of `rows` gets the mean over its of `spans`."""

    ids: list[int]
    rows: list[int] = field(default_factory=list[int])
    spans: list[Span] = field(default_factory=list[Span])


class LateEmbedder:
    """Chunks of one document together. What surrounds a chunk depends on the document alone, not on what is asked."""

    def __init__(self, tokenizer: ModelTokenizer, padding: int, forward: Forward, unit: Unit, lanes: Lanes) -> None:
        """`forward` makes the vectors of spans, `unit` brings them to their length; batches are those of `lanes`."""
        self._tokenizer = tokenizer
        self._padding = padding
        self._forward = forward
        self._unit = unit
        self._lanes = lanes

    def count(self, documents: Sequence[str], /) -> list[int]:
        """Tokens that the model reads of each, with what is read twice."""
        return [sum(len(self._ids(tokens, part)) for part in self._parts(tokens)) for tokens in self._read(documents)]

    def embed(self, passages: Sequence[Passage], /) -> Generator[EmbeddedBatch, None, None]:
        """Batches of whole windows, in any order; a passage without a vector is rejected."""
        windows = self._windows(passages)
        vectors: dict[int, Vectors] = {}

        def call(rows: Sequence[int]) -> Vectors:
            """A number for each window: whether all of its vectors are good."""
            batch = [windows[row] for row in rows]
            features = padded_ids([window.ids for window in batch], self._padding)
            made = self._unit(self._forward(features, [window.spans for window in batch]))
            ends = np.cumsum([len(window.spans) for window in batch])
            vectors.update(zip(rows, np.split(made, ends[:-1]), strict=True))
            return np.array([[vectors[row].any(axis=1).all()] for row in rows], np.float32)

        sizes = [len(window.ids) for window in windows]
        try:
            with closing(self._lanes.run(sizes, call, lambda good: good[:, 0] > 0)) as batches:
                for batch in batches:
                    for row in [*batch.rows, *batch.bad]:
                        yield _batch(windows[row].rows, vectors.pop(row))
        except MemoryError as error:
            raise ServiceError(
                f"too little memory for up to {max(sizes)} tokens of a document at once; leave chunking.late out, or"
                " choose a model that reads fewer"
            ) from error

    def _windows(self, passages: Sequence[Passage]) -> list[Window]:
        """Each passage in the window that shows most of what is before and behind it."""
        rows: dict[str, list[int]] = defaultdict(list)
        for row, passage in enumerate(passages):
            rows[passage.context.digest].append(row)
        texts = [passages[own[0]].context.text for own in rows.values()]
        windows: list[Window] = []
        for own, tokens in zip(rows.values(), self._read(texts), strict=True):
            parts = self._parts(tokens)
            made = [Window(self._ids(tokens, part)) for part in parts]
            for row in own:
                span = tokens.span(passages[row].start, passages[row].end)
                rooms = [_room(span, part, len(tokens.body)) for part in parts]
                best = rooms.index(max(rooms))
                made[best].rows.append(row)
                made[best].spans.append(self._placed(span, parts[best], len(tokens.prefix)))
            windows += [window for window in made if window.rows]
        return windows

    def _placed(self, span: Span, part: Span, prefix: int) -> Span:
        """The span in its window; the whole window where the passage has no token of its own."""
        first, last = max(span[0], part[0]), min(span[1], part[1])
        if first >= last:
            first, last = part
        shift = len(self._ends[0]) + prefix - part[0]
        return first + shift, last + shift

    def _parts(self, tokens: Tokens) -> list[Span]:
        return windows(len(tokens.body), self._tokenizer.max_tokens - len(tokens.prefix) - sum(map(len, self._ends)))

    def _ids(self, tokens: Tokens, part: Span) -> list[int]:
        before, behind = self._ends
        return [*before, *tokens.prefix, *tokens.body[slice(*part)], *behind]

    @cached_property
    def _ends(self) -> tuple[list[int], list[int]]:
        """The special tokens before and behind every text."""
        encoding = self._tokenizer.loaded.encode("a")
        place = encoding.special_tokens_mask.index(0)
        last = len(encoding.ids) - encoding.special_tokens_mask[::-1].index(0)
        return encoding.ids[:place], encoding.ids[last:]

    def _read(self, texts: Sequence[str]) -> list[Tokens]:
        """Only the document's prefix, not a document, can be apart from the first word."""
        prefix = self._tokenizer.prefix
        encodings = self._tokenizer.loaded.encode_batch([prefix + text for text in texts], add_special_tokens=False)
        found: list[Tokens] = []
        for encoding in encodings:
            places = np.array(encoding.offsets, np.int64).reshape(-1, 2) - len(prefix)
            own = int(np.searchsorted(places[:, 1], 0, "right")) if prefix else 0
            found.append(Tokens(encoding.ids[:own], encoding.ids[own:], places[own:, 0], places[own:, 1]))
        return found


def windows(length: int, room: int) -> list[Span]:
    """So many tokens in parts of at most `room`: the last one is as long as the others."""
    starts = [0]
    while starts[-1] + room < length:
        starts.append(min(starts[-1] + room - room // REPEATED, length - room))
    return [(start, min(start + room, length)) for start in starts]


def _room(span: Span, part: Span, length: int) -> int:
    """Tokens on the shorter side of the span, negative where it is not all there; a document's own end is no lack."""
    before = length if part[0] == 0 else span[0] - part[0]
    behind = length if part[1] == length else part[1] - span[1]
    return min(before, behind)


def _batch(rows: Sequence[int], vectors: Vectors) -> EmbeddedBatch:
    good = np.any(vectors, axis=1).tolist()
    chosen = tuple(row for row, is_good in zip(rows, good, strict=True) if is_good)
    return EmbeddedBatch(chosen, vectors[good], rejected=dict.fromkeys({*rows} - {*chosen}, NO_VECTOR))
