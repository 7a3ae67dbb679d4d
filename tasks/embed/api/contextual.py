"""Chunks inside their documents, by a provider whose model takes a document as the list of its chunks.

A row of a request is a whole document then, all chunks in one text with a sign between them, so that accounts, limits,
retries and the search for what is refused are those of all texts. The matrix that is answered for it stays here; the
dispatcher sees its first vector, or one that is no vector where there is one.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.embed.api.dispatch.outcomes import Answer, MalformedError
from tasks.embed.api.sdk import count_of, decoded, refuse_error
from tasks.errors import FencedError
from tasks.passages import Passage
from tasks.records import EmbeddedBatch, Tokenizer, Vector, Vectors
from tasks.slices import bounded

BETWEEN = "\0"  # no text has one

Row = Mapping[str, object]
Embed = Callable[[Sequence[str], Sequence[int]], Generator[EmbeddedBatch, None, None]]


def chunks_of(text: str) -> list[str]:
    """The chunks of a row."""
    return text.split(BETWEEN)


def chunks_in(text: str) -> int:
    """How many there are."""
    return text.count(BETWEEN) + 1


def read_rows(answer: object, texts: Sequence[str], dtype: str, *, is_contextual: bool) -> Answer:
    """The vectors of an answer, or a matrix for each document where `is_contextual`; MalformedError if they do not fit.

    AnsweredError where an error stands in their place. The protocol is Voyage's, and Perplexity's of chunks in context.
    """
    if isinstance(answer, Mapping) and not answer.get("data"):
        refuse_error(answer)
    answer, rows = _in_order(answer, len(texts))
    if is_contextual:
        documents = [_in_order(row, chunks_in(text))[1] for row, text in zip(rows, texts, strict=True)]
        vectors = [_matrix([decoded(chunk.get("embedding"), dtype) for chunk in chunks]) for chunks in documents]
    else:
        vectors = [decoded(row.get("embedding"), dtype) for row in rows]
    usage, model = answer.get("usage"), answer.get("model")
    tokens = count_of(usage.get("total_tokens")) if isinstance(usage, Mapping) else None
    return Answer(vectors, tokens, model=model if isinstance(model, str) else "")


def _in_order(answer: object, count: int) -> tuple[Row, list[Row]]:
    """An answer, or the part of one that is about a document, with its rows."""
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(rows, list):
        raise MalformedError("there are no vectors in the answer")
    places = {row.get("index"): row for row in rows if isinstance(row, Mapping)}
    if len(rows) != count or places.keys() != set(range(count)):
        raise MalformedError(f"{len(rows)} vectors came for {count} texts")
    return answer, [places[place] for place in range(count)]


def _matrix(vectors: Sequence[Vector]) -> Vectors:
    if len({len(vector) for vector in vectors}) > 1:
        raise MalformedError("the vectors of one document have several dimensions")
    return np.stack(vectors)


class ContextualChunks:
    """The matrices of documents between their answer and whoever has asked for them."""

    def __init__(self) -> None:
        """Filled from several threads."""
        self._matrices: dict[str, Vectors] = {}

    def keep(self, texts: Sequence[str], answer: Answer) -> Answer:
        """The answer with one vector for each document, bad where that of one of its chunks is."""
        vectors: list[Vector] = []
        for text, matrix in zip(texts, answer.vectors, strict=True):
            norms = np.linalg.norm(matrix, axis=1)
            good = np.isfinite(norms) & (norms > 0)
            vectors.append(matrix[int(np.argmin(good))])  # the first that is bad, else the first
            if BETWEEN in text and good.all():
                self._matrices[text] = matrix / norms[:, None]
        return replace(answer, vectors=vectors)

    def of(self, text: str, first: Vector) -> Vectors:
        """Unit vectors of all chunks; `first` is the answer's vector, and all there is for one chunk alone."""
        return self._matrices[text] if BETWEEN in text else first[None]

    def forget(self, texts: Sequence[str]) -> None:
        """Nobody asks for these any more."""
        for text in texts:
            self._matrices.pop(text, None)


@dataclass(slots=True)
class _Part:
    """Chunks that go together: all of a document, unless it is too long. `asked` has passages, and their chunk here."""

    tokens: int
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


class ContextualEmbedder:
    """Sends the same chunks round a passage whichever are asked for, so that its vector is always the same."""

    count = None

    def __init__(self, tokenizer: Tokenizer, most_tokens: int, embed: Embed, chunks: ContextualChunks) -> None:
        """`embed` sends rows, of at most so many tokens each; `chunks` has what was answered."""
        self._tokenizer = tokenizer
        self._most_tokens = most_tokens
        self._embed = embed
        self._chunks = chunks

    def embed(self, passages: Sequence[Passage], /) -> Generator[EmbeddedBatch, None, None]:
        """Batches of whole documents; where one chunk is refused, or has no vector, all of them are rejected."""
        parts = self._parts(passages)
        texts, tokens = [*parts], [part.tokens for part in parts.values()]
        try:
            with closing(self._embed(texts, tokens)) as batches:
                batch = next(batches, None)
                while batch is not None:
                    try:
                        yield self._of_passages(batch, texts, parts)
                        batch = next(batches, None)
                    except FencedError as error:
                        batch = batches.throw(error)
        finally:
            self._chunks.forget(texts)

    def _of_passages(self, batch: EmbeddedBatch, texts: Sequence[str], parts: dict[str, _Part]) -> EmbeddedBatch:
        rows: list[int] = []
        vectors = [batch.vectors[:0]]
        for row, first in zip(batch.rows, batch.vectors, strict=True):
            asked = parts[texts[row]].asked
            rows += [passage for passage, _ in asked]
            vectors.append(self._chunks.of(texts[row], first)[[place for _, place in asked]])
        rejected = {one: why for row, why in batch.rejected.items() for one, _ in parts[texts[row]].asked}
        return replace(batch, rows=tuple(rows), vectors=np.concatenate(vectors), rejected=rejected)

    def _parts(self, passages: Sequence[Passage]) -> dict[str, _Part]:
        """Parts by their text; only those in which there is a passage."""
        rows: dict[str, list[int]] = defaultdict(list)
        for row, passage in enumerate(passages):
            rows[passage.context.digest].append(row)
        parts: dict[str, _Part] = {}
        for own in rows.values():
            context = passages[own[0]].context
            chunks = [context.text[start:end] for start, end in context.spans]
            tokens = self._tokenizer.count(chunks)
            places = {span: place for place, span in enumerate(context.spans)}
            asked = [(row, places[passages[row].start, passages[row].end]) for row in own]
            for part in bounded(tokens, sys.maxsize, self._most_tokens):
                inside = [(row, place - part.start) for row, place in asked if part.start <= place < part.stop]
                if inside:
                    text = BETWEEN.join(chunks[part])
                    parts.setdefault(text, _Part(sum(tokens[part]))).asked += inside
        return parts
