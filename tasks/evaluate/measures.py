"""Measures of retrieval, for each query, and how sure their means are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import ir_measures
import numpy as np
from ir_measures import AP, RR, R, Success, nDCG

from tasks.evaluate.judgments import Judged, Span
from tasks.records import DocumentId

DRAWS = 10_000
OVERLAP = 0.5  # of the shorter of chunk and answer
ANSWER_TOKENS = 1_000
MOST_DOCUMENTS = 100

_MEASURES = {
    "ndcg@10": nDCG @ 10,
    "recall@100": R @ 100,
    "mrr@10": RR @ 10,
    "map": AP,
    "hit@1": Success @ 1,
    "hit@5": Success @ 5,
}


class Passage(NamedTuple):
    """A chunk that was found: its place in the document, and how many tokens it has."""

    span: Span
    tokens: int


class Interval(NamedTuple):
    """A mean, and where it lies with 95 % certainty."""

    mean: float
    low: float
    high: float


def document_measures(
    queries: Sequence[Judged], rankings: Mapping[str, Sequence[DocumentId]]
) -> dict[str, dict[str, float]]:
    """Value by query for every measure by name; a ranking has each document once, best first."""
    grades = {query.id: dict(query.grades) for query in queries}
    run = {
        query: {document: float(MOST_DOCUMENTS - rank) for rank, document in enumerate(ranking[:MOST_DOCUMENTS])}
        for query, ranking in rankings.items()
    }
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(grades, 0.0) for name in _MEASURES}
    names = {measure: name for name, measure in _MEASURES.items()}
    for one in ir_measures.iter_calc(list(names), grades, run):
        values[names[one.measure]][one.query_id] = float(one.value)
    return values


def passage_measures(
    queries: Sequence[Judged], rankings: Mapping[str, Sequence[Passage]]
) -> dict[str, dict[str, float]]:
    """The same for the places of answers, for queries where these are known.

    `mrr:chunk` looks for the first chunk that overlaps an answer, `answer@1000` is the share of the answers' characters
    in the best chunks that have 1,000 tokens together: what a language model gets to read.
    """
    known = [query for query in queries if query.spans]
    return {
        "mrr:chunk": {query.id: _first_hit(query, rankings[query.id]) for query in known},
        f"answer@{ANSWER_TOKENS}": {query.id: _share(query, rankings[query.id]) for query in known},
    }


def mean(values: Mapping[str, float]) -> Interval:
    """The mean over queries, with its interval by bootstrap."""
    return _bootstrap(np.array(list(values.values())))


def difference(one: Mapping[str, float], other: Mapping[str, float]) -> Interval:
    """The gain of `one`, query for query: paired, so that hard queries are hard for both."""
    return _bootstrap(np.array([one[query] - other[query] for query in one]))


def _bootstrap(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    dice = np.random.default_rng(0)  # the same values have the same interval
    means = np.concatenate(
        [values[dice.integers(len(values), size=(DRAWS // 10, len(values)))].mean(axis=1) for _ in range(10)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(*(round(float(value), 4) for value in (values.mean(), low, high)))


def _first_hit(query: Judged, passages: Sequence[Passage]) -> float:
    ranks = (
        rank for rank, one in enumerate(passages, start=1) if any(_answers(one.span, span) for span in query.spans)
    )
    return 1.0 / next(ranks, float("inf"))


def _answers(chunk: Span, answer: Span) -> bool:
    shorter = min(chunk.end - chunk.start, answer.end - answer.start)
    return _overlap(chunk, answer) >= max(1, OVERLAP * shorter)


def _overlap(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start) if one.document == other.document else 0


def _share(query: Judged, passages: Sequence[Passage]) -> float:
    read: list[Span] = []
    left = ANSWER_TOKENS
    for one in passages:
        left -= one.tokens
        if left < 0:
            break
        read.append(one.span)
    wanted = {(span.document, place) for span in query.spans for place in range(span.start, span.end)}
    found = {(span.document, place) for span in read for place in range(span.start, span.end)} & wanted
    return len(found) / len(wanted) if wanted else 0.0
