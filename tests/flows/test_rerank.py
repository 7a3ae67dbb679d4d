"""A second model sorts the best results."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.search.rerank import open_reranker
from tests.cohere_server import CohereServer
from tests.conftest import Outcome, Pipeline
from tests.provider_server import ProviderServer
from tests.tasks.embed.local.families import FAMILIES, build
from tests.voyage_server import VoyageServer

SERVICES = {"cohere": (CohereServer, "rerank-v3.5", "/v2/rerank"), "voyage": (VoyageServer, "rerank-2.5", "/v1/rerank")}


@pytest.fixture
def pages(pipeline: Pipeline) -> Pipeline:
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for number in range(8):
        pipeline.write(f"{number}.md", f"Pump number {number} wants grease. {'It is old. ' * number}")
    pipeline.sync()
    return pipeline


def configured(pipeline: Pipeline, settings: str) -> None:
    text = pipeline.config.read_text().partition("search:")[0]
    pipeline.config.write_text(f"{text}search:\n  rerank: {settings}\n")


def search(pipeline: Pipeline, *options: str) -> Outcome:
    return pipeline.run("search", str(pipeline.config), "which pump wants grease", "--limit", "8", "--json", *options)


def order(outcome: Outcome) -> list[tuple[str, float]]:
    return [(hit["document"].removeprefix("docs:"), hit["score"]) for hit in outcome.json["hits"]]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small, of the real class, with random weights."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("cross")
    build(FAMILIES["BERT, mean"], folder)
    torch.manual_seed(3)
    model = BertForSequenceClassification(BertConfig.from_pretrained(folder / "weights", num_labels=1))
    for parameter in model.parameters():
        parameter.data.mul_(10 if parameter.dim() > 1 else 1)
    model.save_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(folder / "weights").save_pretrained(folder / "model")
    return folder / "model"


def test_a_cross_encoder_sorts_the_best_and_its_scores_are_shown(pages: Pipeline, cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    plain = order(search(pages))
    configured(pages, f"{{model: {cross_encoder}, top: 50, device: cpu}}")
    outcome = search(pages)
    pairs = [("which pump wants grease", hit["text"]) for hit in outcome.json["hits"]]
    right = CrossEncoder(str(cross_encoder), device="cpu").predict(pairs)
    scores = [score for _, score in order(outcome)]
    assert scores == pytest.approx([float(score) for score in right], abs=1e-3)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 3
    assert outcome.json["rerank"] == str(cross_encoder)
    assert {name for name, _ in order(outcome)} == {name for name, _ in plain}
    assert order(search(pages, "--no-rerank")) == plain
    paged = [order(search(pages, "--limit", "1", "--offset", str(rank)))[0] for rank in range(3)]
    assert paged == order(outcome)[:3]


def test_an_evaluation_says_what_reranking_gains(pages: Pipeline, cross_encoder: Path) -> None:
    configured(pages, f"{{model: {cross_encoder}, device: cpu}}")
    (pages.folder / "q").write_text("1 which pump wants grease\n")
    (pages.folder / "r").write_text("1 0 3 1\n")
    files = ["--queries", str(pages.folder / "q"), "--qrels", str(pages.folder / "r")]
    shape = pages.run("evaluate", str(pages.config), *files, "--against-plain", "--json").json
    assert (shape["rerank"], shape["against"]["rerank"]) == (str(cross_encoder), None)
    assert shape["difference"]["map"][0] == pytest.approx(shape["metrics"]["map"] - shape["against"]["metrics"]["map"])


@pytest.fixture(params=list(SERVICES))
def service(
    request: pytest.FixtureRequest, pages: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Pipeline, ProviderServer, str]]:
    monkeypatch.setenv("RERANK_KEY", "sk-test")
    make, model, path = SERVICES[request.param]
    with make() as server:
        place = f"api_key: '${{RERANK_KEY}}', base_url: '{server.url}'"
        configured(pages, f"{{model: {model}, {place}, usd_per_query: 0.002, max_usd: 0.005}}")
        yield pages, server, path


Answers = Callable[[str, str, bytes], tuple[int, bytes] | None]


def answering(path: str, statuses: list[int], asked: list[Any]) -> Answers:
    """The shortest text is best; each of the statuses comes first, once."""

    def answer(_method: str, at: str, content: bytes) -> tuple[int, bytes] | None:
        assert at == path
        body = json.loads(content)
        asked.append(body)
        if statuses:
            return statuses.pop(0), b'{"message": "not now: sk-test"}'
        rows = [{"index": n, "relevance_score": 1 / len(text)} for n, text in enumerate(body["documents"])]
        return 200, json.dumps({"results": rows[::-1], "data": rows[::-1]}).encode()

    return answer


def test_a_service_sorts_the_best(
    service: tuple[Pipeline, ProviderServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.embed.api.dispatch.backoff.full_jitter", lambda *_: 0.0)
    pages, server, path = service
    asked: list[Any] = []
    server.elsewhere = answering(path, [429, 503], asked)
    outcome = search(pages)
    assert [name for name, _ in order(outcome)] == [f"{number}.md" for number in range(8)]
    assert len(asked) == 3
    assert (len(asked[0]["documents"]), asked[0]["query"]) == (8, "which pump wants grease")
    server.elsewhere = answering(path, [401], asked)
    refused = search(pages)
    assert (refused.code, "search.rerank.api_key" in refused.json["error"], "sk-test" in refused.out) == (
        2,
        True,
        False,
    )
    server.elsewhere = answering(path, [500] * 9, asked)
    assert "run again later; tried 4 times" in search(pages).json["error"]
    server.elsewhere = answering(path, [], asked)
    assert search(pages).code == 0
    spent = search(pages)
    assert (spent.code, "max_usd is 0.005" in spent.json["error"]) == (4, True)
    assert search(pages, "--no-rerank").code == 0


def test_what_all_searches_of_a_day_pay_has_a_limit(service: tuple[Pipeline, ProviderServer, str]) -> None:
    pages, server, path = service
    asked: list[Any] = []
    server.elsewhere = answering(path, [], asked)
    pages.config.write_text(pages.config.read_text().replace("max_usd:", "max_usd_per_day:"))
    codes = []
    for _ in range(3):
        open_reranker.cache_clear()  # as in another process
        codes.append(search(pages).code)
    assert (codes, len(asked)) == ([0, 0, 4], 2)
    refused = search(pages)
    assert "max_usd_per_day is 0.005: $0.004000 are spent" in refused.json["error"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{model: ./nowhere}", "nowhere"),
        ("{model: rerank-2.5}", "export VOYAGE_API_KEY"),
        ("{model: rerank-v3.5, max_usd: 1}", "max_usd needs `usd_per_query`"),
        ("{model: rerank-v3.5, max_usd_per_day: 1}", "max_usd_per_day needs `usd_per_query`"),
        ("{top: 5}", "model"),
    ],
)
def test_what_cannot_sort_is_told(pages: Pipeline, settings: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOYAGE_API_KEY", raising=False)
    configured(pages, settings)
    outcome = search(pages)
    assert (outcome.code, words in outcome.json["error"]) == (2, True), outcome.json["error"]


def test_whoever_asks_for_it_without_a_model_is_told(pages: Pipeline) -> None:
    outcome = search(pages, "--rerank")
    assert (outcome.code, "no model is named" in outcome.json["error"]) == (2, True)
