"""One list of results out of two: those near the query's vector, and those that hold its words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath

from tasks.load.parse.formats import CODE, format_of
from tasks.records import Hit, PointId

# How much the vectors count against the words. Measured on five collections; code has names that many functions share.
PROSE, SOURCE_CODE = 0.5, 0.7

DEPTH = 100  # of each list

Weight = Callable[[Hit], float]


def weight_by_kind(hit: Hit) -> float:
    """The weight of vectors for the kind of text that a record holds, told by its document's suffix."""
    return _weight_of(str(hit.payload["metadata"].get("document", "")))


@lru_cache(maxsize=10_000)
def _weight_of(document: str) -> float:
    suffix = PurePosixPath(document).suffix.lower()
    return SOURCE_CODE if suffix and format_of(suffix) is CODE else PROSE


def same_weight(weight: float, _hit: Hit) -> float:
    """The weight that the settings give to vectors in every record."""
    return weight


def fused(near: Sequence[Hit], worded: Sequence[Hit], weight: Weight) -> list[Hit]:
    """All of both lists, best first: of the first DEPTH of each the best scores 1 and the last 0, as do all others.

    So a longer list changes no score, and pages fit together; what scores 0 follows in the order of `near`. Ranks
    alone, as reciprocal rank fusion takes them, forget by how much the first is better: on code that lost.
    """
    by_vector, by_words = _scaled(near[:DEPTH]), _scaled(worded[:DEPTH])
    hits = {hit.id: hit for hit in (*near, *worded)}  # in this order, which sorting keeps

    def score(hit: Hit) -> float:
        share = weight(hit)
        return share * by_vector.get(hit.id, 0.0) + (1.0 - share) * by_words.get(hit.id, 0.0)

    scored = [replace(hit, score=score(hit)) for hit in hits.values()]
    return sorted(scored, key=lambda hit: -hit.score)


def folded(hits: Sequence[Hit]) -> tuple[list[Hit], Mapping[PointId, list[Hit]]]:
    """The first hit of each text, and by its id the others with the same one; pictures may share a caption."""
    firsts: dict[str, Hit] = {}
    kept: list[Hit] = []
    copies: dict[PointId, list[Hit]] = defaultdict(list)
    for hit in hits:
        text = " ".join(hit.payload["text"].split())
        is_picture = "width" in hit.payload["metadata"]
        first = firsts.setdefault(text, hit) if text and not is_picture else hit
        (kept if first is hit else copies[first.id]).append(hit)
    return kept, copies


def spread(hits: Sequence[Hit], per_document: int, document: Callable[[Hit], str]) -> tuple[list[Hit], list[Hit]]:
    """The first `per_document` hits of each document, and the others; both in the order that they had."""
    seen: Counter[str] = Counter()
    first: list[Hit] = []
    rest: list[Hit] = []
    for hit in hits:
        seen[document(hit)] += 1
        (first if seen[document(hit)] <= per_document else rest).append(hit)
    return first, rest


def _scaled(hits: Sequence[Hit]) -> dict[PointId, float]:
    if not hits:
        return {}
    best, last = max(hit.score for hit in hits), min(hit.score for hit in hits)
    return {hit.id: (hit.score - last) / (best - last) if best > last else 1.0 for hit in hits}
