"""What Gemini alone has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.embed.api.gemini import GeminiProvider
from tasks.errors import ConfigError, ServiceError
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed
from tests.gemini_server import NO_KEY, GeminiDialect
from tests.provider_server import Fault, vector_of

BOTH = ("gemini-embedding-001", "gemini-embedding-2")
MINUTE = "EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier"
DAY = "EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier"


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["gemini"], tmp_path) as made:
        yield made


@pytest.mark.parametrize("model", BOTH)
def test_each_text_is_a_content_of_its_own(paid: Bench, model: str) -> None:
    """A newer model makes one vector of a list of texts."""
    embed(paid.open(model=model), ["one", "two", "three"])
    [body] = paid.server.bodies
    texts = [request["content"]["parts"] for request in body["requests"]]
    assert [(len(parts), parts[0]["text"].rpartition(" ")[2]) for parts in texts] == [
        (1, "one"),
        (1, "two"),
        (1, "three"),
    ]


def test_a_side_is_told_by_the_task_or_by_a_prompt(paid: Bench) -> None:
    for model in BOTH:
        embedder = paid.open(model=model)
        embed(embedder, ["a"])
        embedder.embed_query("a")
    told = [(body["requests"][0].get("taskType"), text(body)) for body in paid.server.bodies]
    assert told == [
        ("RETRIEVAL_DOCUMENT", "a"),
        ("RETRIEVAL_QUERY", "a"),
        (None, "title: none | text: a"),
        (None, "task: search result | query: a"),
    ]


def text(body: Any) -> str:
    return str(body["requests"][0]["content"]["parts"][0]["text"])


def test_a_prompt_is_counted_and_part_of_the_space(paid: Bench) -> None:
    newer = paid.open(model="gemini-embedding-2")
    assert newer.tokenizer.count(["a"])[0] > paid.open().tokenizer.count(["a"])[0]
    assert newer.space.document_prefix == "title: none | text: "
    assert newer.query_prefix == "task: search result | query: "


def test_shorter_vectors_have_unit_length_all_the_same(paid: Bench) -> None:
    """They come as they were cut."""
    [vector] = embed(paid.open(dimensions=128), ["a"])
    assert paid.server.bodies[0]["requests"][0]["outputDimensionality"] == 128
    np.testing.assert_allclose(vector, vector_of("a", 128, "document"), atol=1e-6)


def test_texts_are_the_requests_of_a_minute(paid: Bench) -> None:
    embedder = paid.open(requests_per_minute=60)
    embed(embedder, [f"text {number}" for number in range(70)])
    assert paid.time.now - 1000 == pytest.approx(60, abs=11), "ten texts at once, then one a second"
    assert max(map(len, paid.server.requests)) == 30, "half of a minute's"


def test_what_is_not_told_is_booked_as_counted(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = GeminiDialect.answer
    monkeypatch.setattr(
        GeminiDialect,
        "answer",
        lambda *arguments: {"embeddings": answer(*arguments)["embeddings"]},  # type: ignore[index]
    )
    embedder = paid.open(usd_per_million_tokens=1.0)
    embed(embedder, ["one two three"])
    assert embedder.spent_usd == pytest.approx(3 / 1e6)


def test_a_key_that_is_refused_comes_as_a_bad_request(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    error = {"code": 400, "message": NO_KEY, "status": "INVALID_ARGUMENT", "details": [reason]}
    monkeypatch.setattr(GeminiDialect, "error", lambda self, fault: {"error": error})
    paid.server.faults.append(Fault(400))
    with pytest.raises(ConfigError, match=r"API key not valid.*check GEMINI_API_KEY"):
        embed(paid.open(), ["a"])


def test_a_days_limit_ends_the_run_and_a_minutes_is_waited_for(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    error = GeminiDialect.error

    def wished(self: GeminiDialect, fault: Fault) -> object:
        body: Any = error(self, fault)
        body["error"]["details"].append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"})
        return body

    monkeypatch.setattr(GeminiDialect, "error", wished)
    words = "You exceeded your current quota, please check your plan and billing details."
    paid.server.faults.append(Fault(429, code=MINUTE, message=words))
    embed(paid.open(), ["a"])
    assert 17 <= sum(paid.time.slept) < 20
    paid.server.faults.append(Fault(429, code=DAY, message=words))
    with pytest.raises(ServiceError, match="may spend again"):
        embed(paid.open(), ["a"])


@pytest.mark.parametrize("words", ["Your prepayment credits are depleted.", "exceeded its monthly spending cap"])
def test_an_empty_account_ends_the_run(paid: Bench, words: str) -> None:
    paid.server.faults.append(Fault(429, message=words))
    with pytest.raises(ServiceError, match="may spend again"):
        embed(paid.open(), ["a"])


def test_the_environment_does_not_lead_elsewhere(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "sk-test")
    provider = GeminiProvider(paid.kind.section.model_validate(paid.settings))  # type: ignore[arg-type]
    address = str(provider._client._api_client._http_options.base_url)
    assert (address, "sk-test") == ("https://generativelanguage.googleapis.com", provider._client._api_client.api_key)
    assert provider.account == (address, "sk-test")
    provider.close()
