"""A whole sync with an embedder that costs money: paid once, never more than allowed, and honest when it fails."""

import pytest

from tests.conftest import CONFIG, Pipeline
from tests.openai_server import OpenAIServer


@pytest.fixture
def paid(pipeline: Pipeline, openai_server: OpenAIServer) -> Pipeline:
    """The pipeline of the other tests, embedded by the loopback server."""
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: 16"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    return pipeline


def test_a_plan_prices_without_a_request(paid: Pipeline, openai_server: OpenAIServer) -> None:
    plan = paid.plan()
    assert openai_server.requests == []
    assert plan["cost_usd"] == round(plan["tokens"]["embedded"] * 0.02 / 1e6, 9)
    report = paid.sync()
    assert (plan["chunks"], plan["tokens"]) == (report["chunks"], report["tokens"])


def test_a_plan_says_that_the_key_is_missing_where_something_is_to_be_paid(
    paid: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = paid.config.read_text()
    paid.config.write_text(settings.replace("api_key: '${OPENAI_KEY}', ", ""))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    plan = paid.plan()
    assert (plan["chunks"]["embedded"], ["export OPENAI_API_KEY" in note for note in plan["notes"]]) == (4, [True])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert paid.plan()["notes"] == []
    assert paid.sync()["code"] == 0
    monkeypatch.delenv("OPENAI_API_KEY")
    assert paid.plan()["notes"] == []


def test_each_text_is_paid_once_in_all_runs_and_pipelines(paid: Pipeline, openai_server: OpenAIServer) -> None:
    paid.write("same.md", "# Beta\n\nSecond page.\n")
    report = paid.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["reused"]) == (4, 1)
    assert report["cost_usd"] > 0
    paid.sync("--paranoid")
    text = paid.config.read_text()
    paid.config.write_text(text.replace("name: trial", "name: other").replace("trial.db", "other.db"))
    assert paid.sync()["chunks"]["reused"] == 5
    assert len(openai_server.answered) == len(set(openai_server.answered)) == 4


def test_a_limit_of_money_stops_the_run_and_keeps_what_was_paid(paid: Pipeline, openai_server: OpenAIServer) -> None:
    for number in range(3):
        paid.write(f"{number}.txt", f"page {number} " + "word " * 200)
    report = paid.sync("--max-usd", "0")
    assert (report["code"], report["outcome"], openai_server.requests) == (4, "budget", [])
    assert paid.sync()["chunks"]["total"] == 7


@pytest.mark.parametrize("limit", ["max_usd", "max_usd_per_day"])
def test_a_plan_says_that_the_money_is_not_enough_and_exits_as_its_sync(paid: Pipeline, limit: str) -> None:
    paid.config.write_text(paid.config.read_text().replace("dimensions: 16", f"dimensions: 16, {limit}: 0.0000001"))
    planned = paid.run("plan", str(paid.config), "--json")
    assert planned.code == 4
    assert [note.startswith(f"{limit} is 1e-07") for note in planned.json["notes"]] == [True]
    assert paid.sync()["code"] == 4


def test_a_refused_key_stops_the_run_and_loses_nothing(paid: Pipeline, openai_server: OpenAIServer) -> None:
    paid.sync()
    before = paid.texts()
    paid.write("new.md", "# New\n")
    openai_server.key = "sk-other"
    outcome = paid.run("sync", str(paid.config), "--json")
    assert (outcome.code, outcome.json["outcome"]) == (2, "failed")
    assert "OPENAI_API_KEY" in outcome.err
    assert "sk-test" not in outcome.err + outcome.out
    assert paid.texts() == before
    openai_server.key = "sk-test"
    assert paid.sync()["documents"]["added"] == 1
