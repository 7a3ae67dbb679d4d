"""Searches a collection as its pipeline would."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.embed.base import Embedder, ImageEmbedder
from tasks.errors import ConfigError, DocumentError
from tasks.image import Image
from tasks.load.parse.open import parse_image
from tasks.records import Condition, Hit, Query, Vector
from tasks.search.links import link_of
from tasks.session import Session, check_space
from tasks.upsert.base import VectorStore

DIGITS = 4  # of a score, as it is shown and compared


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results are shown: `offset` counts those that are left by `per_document`, which None leaves all."""

    limit: int
    offset: int = 0
    conditions: Sequence[Condition] = ()
    min_score: float | None = None
    per_document: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk near the query; `document` is its id, `score` the cosine similarity, `link` opens it where one can."""

    score: float
    document: str
    text: str
    metadata: Mapping[str, Any]
    link: str = ""

    def as_json(self) -> dict[str, Any]:
        """One of `hits` in `search --json`."""
        return {
            "score": round(self.score, DIGITS),
            "document": self.document,
            "text": self.text,
            "metadata": self.metadata,
            "link": self.link or None,
        }


def search_collection(session: Session, query: str | Image, wanted: Wanted) -> list[Found]:
    """Embed the query with the query side's prefix and ask the store; refuses a collection of another space."""
    if isinstance(query, str) and not query.strip():
        raise ConfigError("the query is empty; expected words to look for")
    sentinel = session.store.sentinel()
    if sentinel is None:
        raise ConfigError(f"{session.pipeline.name!r} has no collection yet; run `headrace sync` first")
    check_space(session, sentinel)
    asked = Query(_embedded(session.embedder, query), wanted.limit, wanted.conditions, wanted.offset)
    hits = session.store.search(asked) if wanted.per_document is None else _folded(session.store, asked, wanted)
    return [
        Found(hit.score, _document(hit), hit.payload["text"], metadata, link_of(metadata, session.pipeline.sources))
        for hit in hits
        for metadata in [hit.payload["metadata"]]
        if _is_near(hit, wanted)
    ]


def read_image(path: Path) -> Image:
    """A picture to look for, read as those of a source are; ConfigError for what is none."""
    try:
        return parse_image(str(path), path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; expected a picture to look for") from error
    except DocumentError as error:
        raise ConfigError(str(error)) from error


def _embedded(embedder: Embedder, query: str | Image) -> Vector:
    if isinstance(query, str):
        return embedder.embed_query(query)
    if not isinstance(embedder, ImageEmbedder):
        raise ConfigError(f"the model {embedder.model!r} takes no pictures; look for words, or see `clip` in README")
    (batch,) = embedder.embed_images([query])
    if batch.rejected:
        raise ConfigError(f"nothing can be looked for by this picture: {batch.rejected[0]}")
    vector: Vector = batch.vectors[0]
    return vector


def _folded(store: VectorStore, asked: Query, wanted: Wanted) -> list[Hit]:
    """Asks for more as long as folding leaves too few, and the store has some that are near enough."""
    end = asked.offset + asked.limit
    limit = 4 * end
    while True:
        hits = store.search(replace(asked, limit=limit, offset=0))
        shown: Counter[str] = Counter()
        left: list[Hit] = []
        for hit in hits:
            shown[_document(hit)] += 1
            left += [hit] if shown[_document(hit)] <= (wanted.per_document or limit) else []
        if len(left) >= end or len(hits) < limit or not _is_near(hits[-1], wanted):
            return left[asked.offset : end]
        limit *= 4


def _document(hit: Hit) -> str:
    return str(hit.payload["headrace"]["document"])


def _is_near(hit: Hit, wanted: Wanted) -> bool:
    """The score as it is shown decides: what a user has read is found again by it."""
    return wanted.min_score is None or round(hit.score, DIGITS) >= wanted.min_score
