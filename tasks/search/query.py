"""Searches a collection as its pipeline would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import ConfigError
from tasks.records import Condition
from tasks.session import Session, check_space


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


def search_collection(session: Session, query: str, limit: int, conditions: Sequence[Condition]) -> list[Found]:
    """Embed the query with the query side's prefix and ask the store; refuses a collection of another space."""
    if not query.strip():
        raise ConfigError("the query is empty; expected words to look for")
    sentinel = session.store.sentinel()
    if sentinel is None:
        raise ConfigError(f"{session.pipeline.name!r} has no collection yet; run `headrace sync` first")
    check_space(session, sentinel)
    hits = session.store.search(session.embedder.embed_query(query), limit, conditions)
    return [
        Found(hit.score, hit.payload["headrace"]["document"], hit.payload["text"], hit.payload["metadata"])
        for hit in hits
    ]
