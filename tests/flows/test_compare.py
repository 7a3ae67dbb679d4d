"""Which model suits a corpus, as a user asks."""

from typing import Any

import pytest

from tests.conftest import Pipeline

BODY = "Open the valve by a quarter turn, wait for a minute, and read the gauge marked {0} before touching {0}.\n"


@pytest.fixture
def manual(pipeline: Pipeline) -> Pipeline:
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for page in range(4):
        parts = "".join(f"## Greasing bearing{page}{k} now\n\n{BODY.format(f'bearing{page}{k}')}\n" for k in range(3))
        pipeline.write(f"{page}.md", f"# Page {page}\n\n{parts}")
    assert pipeline.sync()["code"] == 0
    return pipeline


def compare(pipeline: Pipeline, *options: str) -> Any:
    return pipeline.run("compare", str(pipeline.config), "--bootstrap", *options)


def test_models_sizes_and_modes_stand_side_by_side_and_one_is_suggested(manual: Pipeline) -> None:
    before = manual.texts()
    chart = manual.folder / "chart.html"
    options = "--models", "hashing@16,hashing@64", "--mode", "dense,text", "--chunk-tokens", "32,64"
    rows = compare(manual, *options, "--chart", str(chart), "--json").json
    assert len(rows) == 8
    assert [row["label"] for row in rows[:2]] == ["hashing@16, 32 tokens, dense", "hashing@16, 32 tokens, text"]
    assert {(row["dimension"], row["chunk_tokens"]) for row in rows} == {(16, 32), (16, 64), (64, 32), (64, 64)}
    for row in rows:
        assert row["bytes"] == row["chunks"] * row["dimension"] * 4
        assert (row["synthetic"], row["usd"]) == (True, 0)
        assert row["tokens_per_second"] > 0
        low, high = row["confidence"]["ndcg@10"]
        assert low <= row["metrics"]["ndcg@10"] <= high
    assert [row["why"].partition(":")[0] for row in rows if row["suggested"]] == ["hashing@16, 64 tokens, dense"]
    page = chart.read_text()
    assert [words for words in ("synthetic queries", "hashing@64", "<svg") if words not in page] == []
    assert "src=" not in page
    assert manual.texts() == before
    assert manual.sync()["chunks"]["written"] == 0


def test_the_table_says_what_was_compared_and_why_one_is_suggested(manual: Pipeline) -> None:
    out = compare(manual, "--models", "hashing@16", "--precision", "float32,float16").out
    assert "free" in out
    assert "  suggested: hashing@16, float16: " in out
    assert "  ! synthetic queries, made from the documents: 12 headings" in out


def test_coarse_vectors_are_compared_with_whole_ones(manual: Pipeline) -> None:
    names = ("float32", "float16", "int8", "binary")
    rows = compare(manual, "--models", "hashing@16", "--precision", ",".join(names), "--mode", "dense", "--json").json
    assert [row["bytes"] for row in rows] == [
        row["chunks"] * 16 * size / 8 for row, size in zip(rows, (32, 16, 8, 1), strict=True)
    ]
    whole, _, coarse, coarsest = (row["metrics"]["ndcg@10"] for row in rows)
    assert 0.8 * whole < coarse <= 1
    assert coarsest > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--models", "no-such-model"], "is not known"),
        (["--models", "hashing@16,hashing@16"], "named twice"),
        (["--models", "hashing", "--mode", "fast"], "expected some of hybrid, dense, text"),
        (["--models", "hashing", "--chunk-tokens", "8"], "greater than or equal to 16"),
        (["--models", ","], "--models is empty"),
        (["--models", "hashing", "--chart", "x.jpg"], "ends in .png or .html"),
        (["--models", "hashing", "--queries", "q.txt"], "do not go with it"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_made(
    manual: Pipeline, options: list[str], words: str
) -> None:
    outcome = compare(manual, *options, "--json")
    assert (outcome.code, words in outcome.json["error"]) == (2, True), outcome.json["error"]


@pytest.mark.parametrize(
    ("model", "words"), [("./no-such-model", "no-such-model"), ("text-embedding-3-small", "export")]
)
def test_a_model_that_cannot_be_used_is_told_before_another_one_is_measured(
    manual: Pipeline, model: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    section = "kind: sentence-transformers, model: sentence-transformers/all-MiniLM-L6-v2"
    manual.config.write_text(manual.config.read_text().replace("kind: hashing, dimensions: 64", section))
    outcome = compare(manual, "--models", f"sentence-transformers/all-MiniLM-L6-v2,{model}")
    assert (outcome.code, words in outcome.err) == (2, True), outcome.err
    assert "documents to read" not in outcome.err


def test_an_evaluation_with_queries_of_its_own_is_marked_and_drawn(manual: Pipeline) -> None:
    chart = manual.folder / "chart.png"
    run = ["evaluate", str(manual.config), "--bootstrap", "5", "--against", "dense", "--chart", str(chart), "--json"]
    shape = manual.run(*run).json
    assert (shape["queries"], shape["synthetic"]) == (5, True)
    assert shape["notes"] == ["synthetic queries, made from the documents: 5 headings"]
    assert chart.read_bytes().startswith(b"\x89PNG")
    outcome = manual.run("evaluate", str(manual.config), "--json")
    assert (outcome.code, "which queries?" in outcome.json["error"]) == (2, True)
