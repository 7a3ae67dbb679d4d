"""The nearest records that pass a search's conditions."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from heapq import nlargest
from typing import Any

from tasks.records import Condition, Hit, PointId, Query, Vector
from tasks.upsert.chroma.filter import where
from tasks.upsert.chroma.records import as_payload
from tasks.upsert.filters import passes
from tasks.upsert.page import page, refuse_words
from tasks.upsert.vectors import as_vector, cosine

PAGE = 300  # records in an answer; Chroma Cloud gives no more

Ask = Callable[[str, dict[str, Any]], Any]  # an action on the collection, and its request


def nearest(ask: Ask, query: Query) -> list[Hit]:
    """Best first; Chroma is asked for more as long as it gives some that do not pass.

    Chroma's graph does not reach every record, such as one behind hundreds that are alike. Where it gives fewer than
    there are, all that come into question are compared here.
    """
    refuse_words(query, "Chroma")
    return page(query, partial(_nearest, ask, query.vector, query.conditions))


def _nearest(ask: Ask, vector: Vector, conditions: Sequence[Condition], limit: int) -> list[Hit]:
    narrow = {"where": clause} if (clause := where(conditions)) else {}
    query = {"query_embeddings": [vector.tolist()], "include": ["documents", "metadatas", "distances"], **narrow}
    wanted = limit
    while True:
        answer = ask("query", {"n_results": wanted, **query})
        hits = [hit for hit in _hits(answer) if _passes(hit, conditions)]
        if len(hits) >= limit:
            return hits[:limit]
        seen = len(answer["ids"][0])
        if seen < wanted:
            break
        wanted *= 4
    if len(ask("get", {"limit": seen + 1, "include": [], **narrow})["ids"]) <= seen:
        return hits
    candidates = (hit for hit in _compared(ask, vector, narrow) if _passes(hit, conditions))
    return nlargest(limit, candidates, key=lambda hit: hit.score)


def _hits(answer: dict[str, Any]) -> Iterator[Hit]:
    """The part of an answer for the one vector asked for."""
    rows = zip(*(answer[column][0] for column in ("ids", "distances", "documents", "metadatas")), strict=True)
    for point, distance, document, metadata in rows:
        yield Hit(PointId(point), 1.0 - float(distance), as_payload(document, metadata))


def _passes(hit: Hit, conditions: Sequence[Condition]) -> bool:
    return passes(hit.payload.get("metadata") or {}, conditions)


def _compared(ask: Ask, vector: Vector, narrow: dict[str, Any]) -> Iterator[Hit]:
    start = 0
    while True:
        include = ["documents", "metadatas", "embeddings"]
        page = ask("get", {"limit": PAGE, "offset": start, "include": include, **narrow})
        for point, document, metadata, row in zip(
            page["ids"], page["documents"], page["metadatas"], page["embeddings"], strict=True
        ):
            yield Hit(PointId(point), cosine(vector, as_vector(row)), as_payload(document, metadata))
        if len(page["ids"]) < PAGE:
            return
        start += PAGE
