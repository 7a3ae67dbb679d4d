"""Charts can be read, however long the names are."""

from pathlib import Path

import pytest
from matplotlib.image import imread

from config.pipeline import SearchMode
from tasks.console.charts import comparison_chart, evaluation_chart
from tasks.evaluate.compare import Candidate
from tasks.evaluate.evaluation import Comparison, Evaluation

MODEL = "organisation/multilingual-model-large-instruct-v2"
MEASURES = ("ndcg@10", "recall@100", "mrr@10", "map", "hit@1", "hit@5", "mrr:chunk", "answer@1000")


def evaluated(mode: SearchMode, value: float) -> Evaluation:
    values = {name: {str(query): value + query / 20 for query in range(4)} for name in MEASURES}
    return Evaluation("handbook", mode, 1, MODEL, values, 0, made="synthetic queries, made from the documents")


def require_whole(chart: Path) -> None:
    """Its edges are white, so nothing is cut off."""
    pixels = imread(chart)[:, :, :3]
    assert [edge.min() for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])] == [1, 1, 1, 1]


def test_nothing_of_an_evaluation_is_cut_off(tmp_path: Path) -> None:
    one, other = evaluated("hybrid", 0.8), evaluated("dense", 0.1)
    evaluation_chart(str(tmp_path / "one.png"), one, None)
    evaluation_chart(str(tmp_path / "two.png"), one, Comparison(one, other))
    require_whole(tmp_path / "one.png")
    require_whole(tmp_path / "two.png")


@pytest.mark.parametrize("value", [0.0, 0.5, 0.85])
def test_nothing_of_a_comparison_is_cut_off(value: float, tmp_path: Path) -> None:
    rows = [
        Candidate(
            f"{MODEL}@{size}, 256 tokens, {mode}", size, 256, 9, evaluated(mode, value), 9.0, 0.0, size * 9, "mit"
        )
        for size in (64, 384, 1024)
        for mode in ("hybrid", "dense")
    ]
    comparison_chart(str(tmp_path / "chart.png"), rows, "the first one: it answers best")
    require_whole(tmp_path / "chart.png")
