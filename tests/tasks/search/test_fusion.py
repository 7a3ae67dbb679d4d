"""Two lists become one."""

import pytest

from tasks.records import Hit, PointId
from tasks.search.fusion import DEPTH, PROSE, SOURCE_CODE, fused, spread, weight_by_kind


def hit(name: str, score: float, document: str = "a.md") -> Hit:
    return Hit(PointId(name), score, {"metadata": {"document": document}})


def scores(hits: list[Hit]) -> dict[str, float]:
    return {one.id: round(one.score, 6) for one in hits}


def test_scores_are_scaled_inside_each_list_and_weighted() -> None:
    near = [hit("a", 0.9), hit("b", 0.7), hit("c", 0.5)]
    worded = [hit("c", 30.0), hit("d", 20.0), hit("a", 10.0)]
    assert scores(fused(near, worded, lambda _: 0.75)) == {"a": 0.75, "b": 0.375, "c": 0.25, "d": 0.125}
    assert [one.id for one in fused(near, worded, lambda _: 0.25)] == ["c", "d", "a", "b"]


def test_one_list_alone_keeps_its_order() -> None:
    near = [hit("a", 0.9), hit("b", 0.7)]
    assert [one.id for one in fused(near, [], lambda _: 0.5)] == ["a", "b"]
    assert [one.id for one in fused([], near, lambda _: 0.5)] == ["a", "b"]
    assert fused([], [], lambda _: 0.5) == []


def test_a_longer_list_changes_no_score_and_follows_in_its_order() -> None:
    near = [hit(f"n{rank}", 1 - rank / 1000) for rank in range(300)]
    worded = [hit(f"w{rank}", 50 - rank / 10) for rank in range(300)]
    short, long = (fused(near[:depth], worded[:depth], lambda _: 0.5) for depth in (DEPTH, 300))
    best = [one for one in short if one.score]
    assert long[: len(best)] == best
    assert [one.id for one in long if one.id.startswith("n")] == [one.id for one in near]


@pytest.mark.parametrize(
    ("document", "weight"), [("a.md", PROSE), ("a.PY", SOURCE_CODE), ("LICENSE", PROSE), ("src/a.b.rs", SOURCE_CODE)]
)
def test_code_trusts_vectors_more(document: str, weight: float) -> None:
    assert weight_by_kind(hit("a", 1.0, document)) == weight


def test_further_hits_of_a_document_come_after_those_of_others() -> None:
    hits = [hit(name, 0.0, name[0]) for name in ("a1", "a2", "a3", "b1", "a4", "c1")]
    first, rest = spread(hits, 2, lambda one: str(one.payload["metadata"]["document"]))
    assert [one.id for one in first + rest] == ["a1", "a2", "b1", "c1", "a3", "a4"]
