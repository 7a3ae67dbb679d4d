"""What OpenAI alone has, and what all providers owe to the dispatcher, shown with OpenAI's API."""

import inspect
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config import embedders
from tasks.embed.api.dispatch.backoff import Clock, asked_delay, duration_seconds, jitter
from tasks.embed.api.dispatch.outcomes import MalformedError
from tasks.embed.api.dispatch.requests import OutcomePolicy, Request
from tasks.embed.api.openai import BILLING_CODES, OpenAIProvider
from tasks.embed.api.openai_answer import read_answer
from tasks.embed.api.sdk import AnsweredError
from tasks.errors import BudgetError, ConfigError, FencedError, HeadraceError, ServiceError
from tests.contracts.embedder_kinds import KEY, PAID, Bench, Time, bench
from tests.contracts.test_paid_embedder import embed, embed_all
from tests.provider_server import Fault, vector_of


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["openai"], tmp_path) as made:
        yield made


def test_vectors_come_as_base64_with_the_asked_dimension(paid: Bench) -> None:
    [vector] = embed(paid.open(dimensions=32), ["hello"])
    np.testing.assert_allclose(vector, vector_of("hello", 32), atol=1e-6)
    assert paid.server.bodies == [
        {"model": "text-embedding-3-small", "input": ["hello"], "dimensions": 32, "encoding_format": "base64"}
    ]


def test_floats_are_read_where_base64_was_asked_for() -> None:
    content = b'{"data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": "AACAPwAAAEA="}]}'
    answer = read_answer(content, 2, {})
    assert [list(vector) for vector in answer.vectors] == [[1, 2], [0.5, 1]]
    assert answer.billed_tokens is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b" <html>private</html>", "it is a web page"),
        (b"", "it is empty"),
        (b"private", "Invalid JSON"),
        (b'{"data": [{"index": 1, "embedding": [1]}]}', "1 vectors came for 1 texts, and their indexes are not"),
        (b'{"data": [{"index": 0, "embedding": [["private"]]}]}', "data.0.embedding is neither base64 nor a list"),
        (b'{"private": "private"}', "0 vectors came for 1 texts"),
        (b'{"data": [{"embedding": "AACAPw=="}]}', "data.0.index Field required"),
        (b'{"data": [{"index": 0, "embedding": "private?"}]}', "data.0.embedding"),
        (b'{"data": [{"index": 0, "embedding": "AAAA"}]}', "cannot be read"),
    ],
)
def test_an_answer_that_cannot_be_read_says_where_and_quotes_nothing(content: bytes, said: str) -> None:
    with pytest.raises(MalformedError, match=said) as caught:
        read_answer(content, 1, {})
    assert "private" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_numbers_beyond_32_bits_are_no_vector_and_nobody_is_warned(recwarn: pytest.WarningsRecorder) -> None:
    content = b'{"data": [{"index": 0, "embedding": [1e300, 1]}, {"index": 1, "embedding": [1e30, 1e30]}]}'
    answer = read_answer(content, 2, {})
    settled = OutcomePolicy("OpenAI", 2, Clock()).answered(Request((0, 1)), answer)
    assert (settled.rows, len(recwarn)) == ((), 0)


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        (Fault(200, code="502", message="Provider returned error"), None, 2),
        (Fault(200, message="The model is overloaded"), None, 2),
        (Fault(200, message="timed out waiting for a worker"), None, 2),
        (Fault(200, code="429", message="slow down"), None, 2),
        (Fault(200, message="Rate limit reached"), None, 2),
        (Fault(200, code="401", message="bad key"), ConfigError, 1),
        (Fault(200, code="insufficient_quota", message="no money"), ServiceError, 1),
    ],
)
def test_an_error_inside_a_good_answer_is_what_its_status_would_be(
    paid: Bench, fault: Fault, error: type[Exception] | None, requests: int
) -> None:
    paid.server.faults.append(fault)
    with pytest.raises(error, match=fault.message) if error else nullcontext():
        embed(paid.open(), ["a"])
    assert len(paid.server.requests) == requests


@pytest.mark.parametrize("fault", [Fault(200, code="500"), Fault(200, message="no such thing as dimensions here")])
def test_an_error_inside_every_answer_ends_the_run_with_the_servers_words(paid: Bench, fault: Fault) -> None:
    paid.server.faults.extend([replace(fault, message=f"{fault.message or 'internal'}, said {KEY}")] * 50)
    with pytest.raises(ServiceError, match=r"(internal|no such thing as dimensions here), said \*\*\*"):
        embed(paid.open(), ["a", "b"])
    assert len(paid.server.requests) == (8 if fault.code else 2)


@pytest.mark.parametrize(
    ("body", "said", "status"),
    [
        ({"detail": "The server is busy"}, "The server is busy", 503),
        ({"detail": [{"loc": ["input"], "msg": "must be a list", "input": "private"}]}, "must be a list", 400),
        ({"error": {"message": "no worker", "code": 504}}, "no worker", 504),
        ({"error": "upstream failed", "data": []}, "upstream failed", 500),
        ({"error": {"unknown": 1}}, "an error without words", 400),
    ],
)
def test_an_error_is_read_in_any_of_its_forms(body: object, said: str, status: int) -> None:
    with pytest.raises(AnsweredError, match=rf"^{said}$") as caught:
        read_answer(json.dumps(body).encode(), 1, {})
    assert caught.value.status == status


@pytest.mark.parametrize(
    "usage", ["null", '"5"', "5.5", "1e300", '{"total_tokens": "5"}', '{"total_tokens": 1e300}', "[]"]
)
def test_a_bill_that_is_no_number_is_no_reason_to_lose_an_answer(usage: str) -> None:
    answer = read_answer(b'{"data": [{"index": 0, "embedding": [1.0]}], "usage": %s}' % usage.encode(), 1, {})
    assert answer.billed_tokens is None


@pytest.mark.parametrize("value", ["org\n", "\u043e\u0440\u0433"])
def test_a_header_that_cannot_be_written_is_a_setting_and_costs_nothing(
    paid: Bench, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", value)
    embedder = paid.open(usd_per_million_tokens=1.0)
    with pytest.raises(ConfigError, match=r"cannot be written.*environment variables") as caught:
        embed(embedder, ["a"])
    assert value.strip() not in str(caught.value)
    assert (paid.server.requests, embedder.spent_usd) == ([], 0.0)


@pytest.mark.parametrize("position", [0, 1, 1000, 1023, 1024, 2046, 2047])
def test_a_poisoned_text_is_found_and_the_others_are_embedded_once(paid: Bench, position: int) -> None:
    embedder = paid.open()
    embed(embedder, ["a first text that is taken"])
    paid.server.requests.clear()
    paid.server.answered.clear()
    texts = [f"text {number}" for number in range(2048)]
    paid.server.refused = {texts[position]}
    found, rejected = embed_all(embedder, texts)
    assert set(rejected) == {position}
    assert set(found) == set(range(2048)) - {position}
    assert sorted(paid.server.answered) == sorted(set(texts) - paid.server.refused)
    _whole, *bisection = paid.server.requests
    alone = bisection.index([texts[position]])
    assert alone + 1 <= 12
    assert len(bisection) <= 13, "and one request for what was left aside"


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": formatdate(1030, usegmt=True)}, 30.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2s"}, 62.0),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "1h"}, 0.0),
    ],
)
def test_a_rate_limit_waits_as_long_as_it_is_asked_to(paid: Bench, headers: dict[str, str], least: float) -> None:
    paid.server.faults.append(Fault(429, headers))
    embed(paid.open(), ["a"])
    assert len(paid.server.requests) == 2
    assert least <= sum(paid.time.slept) <= least + 60


def test_whoever_has_seen_enough_ends_a_wait(paid: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "headrace")
    paid.server.faults.append(Fault(429, {"retry-after": "40"}))
    batches = paid.open().embed(["a"], [1])
    assert next(batches).rows == ()
    with pytest.raises(FencedError):
        batches.throw(FencedError("enough"))
    assert sum(paid.time.slept) <= 1.0
    assert [record.message for record in caplog.records] == [
        "waiting for 40 s: the provider asks for it, or its limits do"
    ]


def test_the_last_money_is_spent_on_smaller_requests(paid: Bench) -> None:
    """Or a limit below the price of one full request would stand still for ever."""
    texts = [f"word {number}" for number in range(5000)]
    embedder = paid.open(usd_per_million_tokens=1.0, max_usd=100 / 1e6)
    billed: list[int] = []
    counts = embedder.tokenizer.count(texts)
    with pytest.raises(BudgetError):
        billed.extend(batch.billed_tokens for batch in embedder.embed(texts, counts))
    assert 100 - max(counts) < sum(billed) <= 100
    assert len(paid.server.requests) < 10


def test_requests_and_tokens_per_minute_are_kept(paid: Bench) -> None:
    embedder = paid.open(requests_per_minute=60)
    for number in range(90):
        embed(embedder, [f"text {number}"])
    assert paid.time.now - 1000 == pytest.approx(80, abs=1), "ten at once, then one a second"
    embedder = paid.open(tokens_per_minute=600)
    before = paid.time.now
    for _ in range(4):
        embed(embedder, ["word " * 299])
    assert paid.time.now - before == pytest.approx(90, abs=2)


@pytest.mark.parametrize(
    ("text", "seconds"), [("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("8", 8), ("soon", 0)]
)
def test_durations_are_read_as_servers_write_them(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


def test_jitter_grows_to_a_minute_and_stops() -> None:
    assert [jitter(attempt, Time(1.0).clock) for attempt in (0, 1, 6, 7, 20)] == [0.5, 1.0, 32.0, 60.0, 60.0]
    assert jitter(9, Time(0.0).clock) == 0


def test_a_header_that_says_nothing_asks_for_nothing() -> None:
    assert asked_delay({"retry-after": "later"}, Time().clock) is None


@pytest.mark.parametrize("code", sorted(BILLING_CODES))
def test_every_word_for_an_empty_account_ends_the_run(paid: Bench, code: str) -> None:
    paid.server.faults.append(Fault(429, {"Retry-After": "5"}, code=code))
    with pytest.raises(ServiceError, match="may spend again"):
        embed(paid.open(), ["a"])
    assert len(paid.server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(413),
        Fault(400, code="max_tokens_per_request"),
        Fault(400, message="This model's maximum context length is 8192 tokens"),
        Fault(429, message="Request too large for this model"),
    ],
)
def test_every_word_for_a_request_that_is_too_large_halves_it(paid: Bench, fault: Fault) -> None:
    paid.server.faults.append(fault)
    embed(paid.open(), ["a", "b"])
    assert sorted(paid.server.requests) == [["a"], ["a", "b"], ["b"]]


def test_a_model_of_one_dimension_is_not_asked_for_another(paid: Bench) -> None:
    embed(paid.open(model="text-embedding-ada-002", dimensions=1536), ["a"])
    assert "dimensions" not in paid.server.bodies[0]


def test_every_exception_of_the_sdk_has_a_meaning_and_quotes_nothing() -> None:
    import httpx
    import openai

    provider = OpenAIProvider(embedders.OpenAIEmbedder.model_validate({"kind": "openai", "api_key": KEY}))
    private = "the secret recipe of the house of orange"
    request = httpx.Request("POST", "https://host/v1/embeddings")
    body = {"error": {"message": f"Bad input '{private}'"}}
    given = {
        "message": private,
        "request": request,
        "body": body,
        "completion": type("Completion", (), {"usage": None}),
    }
    classes = {one for one in [*vars(openai).values()] if isinstance(one, type) and issubclass(one, openai.OpenAIError)}
    assert len(classes) > 15
    for kind in classes:
        taken = inspect.signature(kind.__init__).parameters
        for status in (400, 401, 429, 503):
            values = {**given, "response": httpx.Response(status, request=request), "unsent_messages": []}
            error: Any = kind(**{name: value for name, value in values.items() if name in taken})
            meaning = provider.translate(error, Clock())
            assert isinstance(meaning, HeadraceError), kind
            assert private not in str(meaning), kind
    provider.close()
