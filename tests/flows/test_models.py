"""Which models there are, and what this corpus would cost with another one."""

import json
from datetime import date, timedelta

import pytest

from tasks.embed import models
from tests.conftest import CONFIG, Pipeline


def test_each_model_says_what_it_costs_and_why_it_does_not_run_here(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    rows = {row["model"]: row for row in pipeline.run("models", "--json").json}
    minilm, small = rows["sentence-transformers/all-MiniLM-L6-v2"], rows["text-embedding-3-small"]
    assert (minilm["dimension"], minilm["max_tokens"], minilm["usd_per_million_tokens"]) == (384, 256, 0)
    assert (minilm["kind"], minilm["licence"], minilm["runs_here"], minilm["why_not"]) == (
        "sentence-transformers", "apache-2.0", True, ""
    )  # fmt: skip
    assert (small["kind"], small["usd_per_million_tokens"], small["batch_usd_per_million_tokens"]) == (
        "openai", 0.02, 0.01
    )  # fmt: skip
    assert (small["runs_here"], small["why_not"]) == (False, "export OPENAI_API_KEY")
    assert "code from its own repository" in rows["jinaai/jina-embeddings-v3"]["why_not"]
    assert "of memory" in rows["microsoft/harrier-oss-v1-27b"]["why_not"]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    text = pipeline.run("models").out
    line = next(line for line in text.splitlines() if line.startswith("text-embedding-3-small"))
    assert line.split() == ["text-embedding-3-small", "openai", "1536", "8,191", "0.02", "-", "yes"]


def test_a_plan_prices_the_corpus_for_another_model_and_touches_nothing(pipeline: Pipeline) -> None:
    assert pipeline.sync()["code"] == 0
    before = {path: path.read_bytes() for path in (pipeline.folder / "state").rglob("*") if path.is_file()}
    planned = pipeline.run("plan", str(pipeline.config), "--model", "text-embedding-3-small", "--json")
    shape = planned.json
    assert (planned.code, shape["documents"]["added"], shape["chunks"]["embedded"]) == (0, 3, 4)
    assert shape["cost_usd"] == pytest.approx(shape["tokens"]["embedded"] * 0.02 / 1e6)
    assert "as a rebuild would embed them" in shape["notes"][0]
    assert {path: path.read_bytes() for path in (pipeline.folder / "state").rglob("*") if path.is_file()} == before
    assert (pipeline.plan()["chunks"]["embedded"], pipeline.sync()["documents"]["unchanged"]) == (0, 3)


def test_a_model_of_the_same_kind_is_asked_for_with_the_settings_that_are_there(pipeline: Pipeline) -> None:
    own = "{kind: openai, base_url: 'http://127.0.0.1:9', usd_per_million_tokens: 5, max_usd: 0.000001}"
    pipeline.config.write_text(CONFIG.format(embedder=own))
    planned = pipeline.run("plan", str(pipeline.config), "--model", "text-embedding-3-large", "--json")
    assert planned.code == 4
    assert planned.json["cost_usd"] == pytest.approx(planned.json["tokens"]["embedded"] * 5 / 1e6)


def test_a_model_that_nobody_knows_is_named(pipeline: Pipeline) -> None:
    refused = pipeline.run("plan", str(pipeline.config), "--model", "nobody-knows-it", "--json")
    assert (refused.code, "nobody-knows-it" in refused.json["error"]) == (2, True)


def test_a_retirement_is_told_by_plan_and_status(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = models.paid_models("openai")
    near = rows.models["text-embedding-3-small"].model_copy(update={"retires": date.today() + timedelta(days=90)})
    changed = rows.model_copy(update={"models": {**rows.models, "text-embedding-3-small": near}})
    monkeypatch.setattr(models, "paid_models", lambda provider: changed)
    pipeline.config.write_text(CONFIG.format(embedder="{kind: openai}"))
    for command in ("plan", "status"):
        notes = json.dumps(pipeline.run(command, str(pipeline.config), "--json").json["notes"])
        assert f"text-embedding-3-small is to be retired on {near.retires}" in notes
        assert "is to be retired" in pipeline.run(command, str(pipeline.config)).out
