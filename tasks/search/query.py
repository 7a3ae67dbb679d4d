"""Searches a collection as its pipeline would."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import ConfigError
from tasks.session import Session, check_space
from tasks.system.file_system import readable


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk near the query; `document` is its id, and `score` the cosine similarity."""

    score: float
    document: str
    text: str
    metadata: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """One of `hits` in `search --json`."""
        return {
            "score": round(self.score, 4),
            "document": self.document,
            "text": self.text,
            "metadata": self.metadata,
        }


def parse_filters(pairs: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` arguments as a mapping."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise ConfigError(f"--filter {wrong[0]!r}: expected KEY=VALUE, for example --filter source=docs")
    split = [readable(pair).partition("=") for pair in pairs]
    filters = {key: value for key, _, value in split}
    twice = next((key for key, _, value in split if filters[key] != value), None)
    if twice is not None:
        raise ConfigError(f"--filter {twice}: two values for one field, and no record has both; name one")
    return filters


def search_collection(session: Session, query: str, limit: int, filters: Mapping[str, str]) -> list[Found]:
    """Embed the query with the query side's prefix and ask the store; refuses a collection of another space."""
    if not query.strip():
        raise ConfigError("the query is empty; expected words to look for")
    sentinel = session.store.sentinel()
    if sentinel is None:
        raise ConfigError(f"{session.pipeline.name!r} has no collection yet; run `headrace sync` first")
    check_space(session, sentinel)
    stored = _stored(filters, session.sources)
    hits = session.store.search(session.embedder.embed_query(query), limit, stored)
    return [
        Found(hit.score, hit.payload["headrace"]["document"], hit.payload["text"], hit.payload["metadata"])
        for hit in hits
    ]


def _stored(filters: Mapping[str, str], sources: Container[str]) -> dict[str, str]:
    """Results name a document `source:path`; records hold the two in fields of their own."""
    source, colon, path = filters.get("document", "").partition(":")
    named = {"source": source, "document": path} if colon and source in sources else {}
    return {**filters, **named} if filters.get("source", source) == source else dict(filters)
