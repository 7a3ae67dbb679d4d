"""Measures by their definitions, and intervals that are right as often as they say."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.judgments import Judged, Span
from tasks.evaluate.measures import Passage, difference, document_measures, mean, passage_measures
from tasks.records import DocumentId

DOCUMENTS = [DocumentId(f"s:{letter}") for letter in "abcdefghijkl"]


def gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def by_definition(grades: Mapping[DocumentId, int], ranking: Sequence[DocumentId]) -> dict[str, float]:
    hits = [document in grades for document in ranking]
    first = next((rank for rank, hit in enumerate(hits, start=1) if hit), 0)
    precisions = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, start=1) if hit]
    return {
        "ndcg@10": gain([grades.get(one, 0) for one in ranking[:10]])
        / gain(sorted(grades.values(), reverse=True)[:10]),
        "recall@100": sum(hits) / len(grades),
        "mrr@10": 1 / first if 0 < first <= 10 else 0.0,
        "map": sum(precisions) / len(grades),
        "hit@1": float(any(hits[:1])),
        "hit@5": float(any(hits[:5])),
    }


@given(
    st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(1, 4), min_size=1),
    st.permutations(DOCUMENTS),
    st.integers(0, len(DOCUMENTS)),
)
def test_measures_are_what_their_definitions_say(
    grades: dict[DocumentId, int], order: list[DocumentId], found: int
) -> None:
    values = document_measures([Judged("q", "?", grades)], {"q": order[:found]})
    measured = {name: one["q"] for name, one in values.items()}
    assert measured == pytest.approx(by_definition(grades, order[:found]))


def passage(start: int, end: int, tokens: int = 100, document: str = "s:a") -> Passage:
    return Passage(Span(DocumentId(document), start, end), tokens)


def places(spans: Sequence[tuple[int, int]], passages: Sequence[Passage]) -> tuple[float, float]:
    a = DocumentId("s:a")
    query = Judged("q", "?", {a: 1}, tuple(Span(a, start, end) for start, end in spans))
    values = passage_measures([query], {"q": passages})
    return values["mrr:chunk"]["q"], values["answer@1000"]["q"]


def test_a_chunk_answers_that_holds_half_of_the_answer() -> None:
    assert places([(100, 110)], [passage(0, 105), passage(105, 200)]) == (1.0, 1.0)
    assert places([(100, 110)], [passage(0, 104), passage(104, 200)]) == (0.5, 1.0)
    assert places([(100, 110)], [passage(100, 110, document="s:b")]) == (0.0, 0.0)


def test_the_share_of_an_answer_is_what_fits_into_a_thousand_tokens() -> None:
    assert places([(0, 100)], [passage(0, 50, 600), passage(50, 100, 400)])[1] == 1.0
    assert places([(0, 100)], [passage(0, 50, 600), passage(50, 100, 401)])[1] == 0.5
    assert places([(0, 10), (90, 100)], [passage(0, 50, 600)])[1] == 0.5
    assert places([(0, 10), (5, 15)], [passage(0, 9, 600)])[1] == pytest.approx(9 / 15)


def test_queries_without_places_have_no_share() -> None:
    assert passage_measures([Judged("q", "?", {DOCUMENTS[0]: 1})], {}) == {"mrr:chunk": {}, "answer@1000": {}}


def test_an_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    dice = np.random.default_rng(7)
    samples = [{str(row): float(value) for row, value in enumerate(dice.random(60))} for _ in range(60)]
    inside = sum(one.low <= 0.5 <= one.high for one in map(mean, samples))
    assert 51 <= inside <= 60


def test_a_small_gain_on_every_query_is_no_chance() -> None:
    hard = {str(query): query / 100 for query in range(50)}
    better = {query: value + 0.01 for query, value in hard.items()}
    assert difference(better, hard) == pytest.approx((0.01, 0.01, 0.01))
    assert mean(better).low < mean(hard).mean  # unpaired nothing could be said
    assert mean(hard) == mean(hard)
