"""Questions with texts that answer them: from a file, from judgments, or from the corpus itself."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.embed.queries import embed_queries
from tasks.errors import ConfigError
from tasks.evaluate.golden import golden_pairs
from tasks.evaluate.judgments import Judged, numbered_lines
from tasks.load.decode import normalised
from tasks.records import Document, DocumentId, Filter, Hit, Query, Vector
from tasks.session import Session

MOST_CHUNKS = 1_000  # of a document, among which the one with the answer is looked for
_MARKS = re.compile(r"[\W_]+")
_SHAPE = '{"query": "…", "passage": "…"}, and perhaps "negatives": ["…"] and "document": "…"'
_NAMES = (("query", "anchor", "question"), ("passage", "positive", "answer"))  # ours, and those of others


@dataclass(frozen=True, slots=True)
class Example:
    """A question and a text that answers it; `document` is where the text stands, by its id, empty where unknown.

    `negatives` are texts that look like answers and are none.
    """

    query: str
    passage: str
    document: str = ""
    negatives: tuple[str, ...] = ()


def normal(text: str) -> str:
    """Equal for texts that differ in case, white space and punctuation alone."""
    return " ".join(_MARKS.sub(" ", text.casefold()).split())


def read_pairs(path: Path) -> list[Example]:
    """One example a line, as JSON; ConfigError says in which line something is wrong."""
    return [_example(path, number, line) for number, line in numbered_lines(path)]


def _example(path: Path, number: int, line: str) -> Example:
    try:
        shape = json.loads(line)
        query, passage = (_text([shape[name] for name in names if name in shape]) for names in _NAMES)
        negatives = shape.get("negatives") or shape.get("negative") or []
        given = [negatives] if isinstance(negatives, str) else [*negatives]
        return Example(query, passage, str(shape.get("document") or ""), tuple(_text([one]) for one in given))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path}, line {number}, is no pair; expected {_SHAPE}, with words in each") from error


def _text(values: Sequence[Any]) -> str:
    if not isinstance(values[0], str) or not (text := normalised(values[0]).strip()):
        raise ValueError
    return text


def judged_pairs(session: Session, queries: Sequence[Judged]) -> list[Example]:
    """Each query with a chunk of each of its documents: the one with the answer, else the one that is found best."""
    vectors = embed_queries(session.embedder, [query.text for query in queries])
    return [
        Example(query.text, hit.payload["text"], document)
        for query, vector in zip(queries, vectors, strict=True)
        for document in query.grades
        if (hit := _answering(session, vector, query, document))
    ]


def best_chunk(session: Session, vector: Vector, document: str) -> Hit | None:
    """The nearest one of a document; None where it has none."""
    return next(iter(_chunks(session, vector, document, 1)), None)


def _answering(session: Session, vector: Vector, query: Judged, document: DocumentId) -> Hit | None:
    spans = [span for span in query.spans if span.document == document]
    chunks = _chunks(session, vector, document, MOST_CHUNKS if spans else 1)

    def share(hit: Hit) -> int:
        start, end = hit.payload["metadata"]["start"], hit.payload["metadata"]["end"]
        return sum(max(0, min(end, span.end) - max(start, span.start)) for span in spans)

    return max(chunks, key=share, default=None)  # of equals the first, which is the nearest


def _chunks(session: Session, vector: Vector, document: str, most: int) -> list[Hit]:
    source, _, path = document.partition(":")
    own = (Filter("source", "in", (source,)), Filter("document", "in", (path,)))
    return session.store.search(Query(vector, most, own))


def mined_pairs(session: Session, documents: Sequence[Document]) -> list[Example]:
    """What the corpus asks of itself; of a long passage its first chunk."""
    by_id = {document.ref.id: document for document in documents}
    pairs = golden_pairs(documents, titles=True)
    passages = [
        replace(document, text=pair.passage(document), places=(), headings=None, metadata={})
        for pair in pairs
        for document in [by_id[pair.document]]
    ]
    return [
        Example(pair.query, own[0].stored.strip(), pair.document)
        for pair, own in zip(pairs, session.chunker.split(passages), strict=True)
        if own
    ]
