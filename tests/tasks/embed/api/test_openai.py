"""OpenAI's API through its SDK: limits, retries, money, and answers that do not fit."""

from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest

from config.embedders import OpenAIEmbedder as Config
from tasks.embed.api.dispatch.backoff import Clock, asked_delay, duration_seconds, jitter
from tasks.embed.api.dispatch.outcomes import MalformedError
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.api.openai import OpenAIProvider
from tasks.embed.api.openai_answer import read_answer
from tasks.errors import BudgetError, ConfigError, FencedError, ServiceError, TransientError
from tests.openai_server import Fault, OpenAIServer, vector_of


class Time:
    """A clock that sleeping moves."""

    def __init__(self, chance: float = 0.5) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(now=lambda: self.now, sleep=self._sleep, chance=lambda: chance)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def make(openai_server: OpenAIServer, time: Time, tmp_path: Path) -> Iterator[Callable[..., PaidEmbedder]]:
    opened: list[PaidEmbedder] = []

    def made(**settings: object) -> PaidEmbedder:
        values = {"kind": "openai", "api_key": "sk-test", "base_url": openai_server.url, **settings}
        budget = f"sqlite:///{tmp_path}/budget-{len(opened)}.db"
        config = Config.model_validate(values)
        opened.append(PaidEmbedder(config, OpenAIProvider(config), budget, time.clock))
        return opened[-1]

    yield made
    for embedder in opened:
        embedder.close()


def embed_all(embedder: PaidEmbedder, texts: list[str]) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    found: dict[int, np.ndarray] = {}
    rejected: dict[int, str] = {}
    for batch in embedder.embed(texts, embedder.tokenizer.count(texts)):
        assert not found.keys() & set(batch.rows), "each row once"
        found.update(zip(batch.rows, batch.vectors, strict=True))
        rejected.update(batch.rejected)
    return found, rejected


def embed(embedder: PaidEmbedder, texts: list[str]) -> list[np.ndarray]:
    found, rejected = embed_all(embedder, texts)
    assert not rejected
    return [found[row] for row in range(len(texts))]


def test_vectors_come_as_base64_with_the_asked_dimension(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    [vector] = embed(make(dimensions=32), ["hello"])
    np.testing.assert_allclose(vector, vector_of("hello", 32), atol=1e-6)
    assert openai_server.bodies == [
        {"model": "text-embedding-3-small", "input": ["hello"], "dimensions": 32, "encoding_format": "base64"}
    ]


def test_requests_are_packed_to_the_limits(make: Callable[..., PaidEmbedder], openai_server: OpenAIServer) -> None:
    embed(make(dimensions=8), [f"text {number}" for number in range(4100)])
    assert sorted(len(inputs) for inputs in openai_server.requests) == [4, 2048, 2048]
    openai_server.requests.clear()
    embed(make(dimensions=8), ["word " * 8000] * 40)
    assert sorted(len(inputs) for inputs in openai_server.requests) == [5, 35]


def test_answers_out_of_order_are_put_in_order(make: Callable[..., PaidEmbedder], openai_server: OpenAIServer) -> None:
    openai_server.faults.append(Fault(bend="reorder"))
    texts = ["a", "b", "c"]
    for text, vector in zip(texts, embed(make(dimensions=8), texts), strict=True):
        np.testing.assert_allclose(vector, vector_of(text, 8), atol=1e-6)


@pytest.mark.parametrize("bend", ["short", "nan", "zero"])
def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, bend: str
) -> None:
    openai_server.faults.append(Fault(bend=bend))
    assert len(embed(make(dimensions=8), ["a", "b"])) == 2
    assert len(openai_server.requests) == 2


def test_floats_are_read_where_base64_was_asked_for() -> None:
    content = b'{"data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": "AACAPwAAAEA="}]}'
    answer = read_answer(content, 2, {})
    assert [list(vector) for vector in answer.vectors] == [[1, 2], [0.5, 1]]
    assert answer.billed_tokens is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>private</html>", "Invalid JSON"),
        (b'{"error": "private"}', "0 vectors came for 1 texts"),
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


def test_a_provider_that_cannot_count_stops_the_run(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.extend([Fault(bend="short")] * 9)
    with pytest.raises(ServiceError, match="1 vectors came for 2 texts"):
        embed(make(dimensions=8), ["a", "b"])
    assert len(openai_server.requests) == 2


def test_another_dimension_stops_the_run_at_once(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.append(Fault(bend="dimension"))
    with pytest.raises(ConfigError, match="9 dimensions, expected 8"):
        embed(make(dimensions=8), ["a", "b"])
    assert len(openai_server.requests) == 1


def test_a_text_that_never_gets_a_vector_is_rejected_and_the_others_are_paid_once(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.senseless = {"b"}
    found, rejected = embed_all(make(dimensions=8), ["a", "b", "c"])
    assert (set(found), set(rejected)) == ({0, 2}, {1})
    assert openai_server.requests == [["a", "b", "c"], ["b"]]
    assert "zero or not finite" in rejected[1]


@pytest.mark.parametrize("position", [0, 1, 1000, 1023, 1024, 2046, 2047])
def test_a_poisoned_text_is_found_and_the_others_are_embedded_once(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, position: int
) -> None:
    embedder = make(dimensions=8)
    embed(embedder, ["a first text that is taken"])
    openai_server.requests.clear()
    openai_server.answered.clear()
    texts = [f"text {number}" for number in range(2048)]
    openai_server.refused = {texts[position]}
    found, rejected = embed_all(embedder, texts)
    assert set(rejected) == {position}
    assert set(found) == set(range(2048)) - {position}
    assert sorted(openai_server.answered) == sorted(set(texts) - openai_server.refused)
    _whole, *bisection = openai_server.requests
    alone = bisection.index([texts[position]])
    assert alone + 1 <= 12
    assert len(bisection) <= 13, "and one request for what was left aside"


def test_several_poisoned_texts_are_all_found(make: Callable[..., PaidEmbedder], openai_server: OpenAIServer) -> None:
    texts = [f"text {number}" for number in range(300)]
    openai_server.refused = {texts[7], texts[8], texts[250]}
    found, rejected = embed_all(make(dimensions=8), texts)
    assert set(rejected) == {7, 8, 250}
    assert len(found) == 297
    assert len(openai_server.answered) == 297 + 1, "each once, and the probe"


def test_a_request_that_is_always_refused_stops_the_run_instead_of_blaming_documents(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.extend([Fault(400, message="dimensions are not supported")] * 50)
    with pytest.raises(ServiceError, match=r"dimensions are not supported.*settings of the embedder"):
        embed(make(dimensions=8), [f"text {number}" for number in range(100)])
    assert len(openai_server.requests) == 2


def test_a_refusal_quotes_neither_the_document_nor_the_key(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    document = "the secret recipe of the house of orange"
    message = f"Bad input {document!r} from sk-test, or from sk-abcdefgh: " + "x" * 1000
    openai_server.faults.extend([Fault(), Fault(400, message=message)])
    embedder = make(dimensions=8)
    embed(embedder, ["fine"])
    _, rejected = embed_all(embedder, [document])
    assert "recipe" not in rejected[0]
    assert "sk-" not in rejected[0]
    assert len(rejected[0]) < 400


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
def test_a_rate_limit_waits_as_long_as_it_is_asked_to(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, time: Time, headers: dict[str, str], least: float
) -> None:
    openai_server.faults.append(Fault(429, headers))
    embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 2
    assert least <= sum(time.slept) <= least + 60


@pytest.mark.parametrize("fault", [Fault(500), Fault(503), Fault(408), Fault(drop=True)])
def test_an_outage_is_waited_for(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, time: Time, fault: Fault
) -> None:
    openai_server.faults.extend([fault] * 5)
    embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 6
    assert sum(time.slept) == 0.25 + 0.5 + 1.0 + 2.0 + 4.0
    assert max(time.slept) <= 1.0  # in between somebody may end the wait


def test_an_outage_that_asks_for_hours_ends_the_run(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, time: Time
) -> None:
    openai_server.faults.append(Fault(503, {"retry-after": "7200"}))
    with pytest.raises(ServiceError, match="asks to wait for 120 minutes"):
        embed(make(dimensions=8), ["a"])
    assert time.slept == []


def test_whoever_has_seen_enough_ends_a_wait(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "headrace")
    openai_server.faults.append(Fault(429, {"retry-after": "40"}))
    batches = make(dimensions=8).embed(["a"], [1])
    assert next(batches).rows == ()
    with pytest.raises(FencedError):
        batches.throw(FencedError("enough"))
    assert sum(time.slept) <= 1.0
    assert [record.message for record in caplog.records] == [
        "waiting for 40 s: the provider asks for it, or its limits do"
    ]


def test_the_last_money_is_spent_on_smaller_requests(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    """Or a limit below the price of one full request would stand still for ever."""
    texts = [f"word {number}" for number in range(5000)]
    embedder = make(dimensions=8, usd_per_million_tokens=1.0, max_usd=100 / 1e6)
    billed: list[int] = []
    counts = embedder.tokenizer.count(texts)
    with pytest.raises(BudgetError):
        billed.extend(batch.billed_tokens for batch in embedder.embed(texts, counts))
    assert 100 - max(counts) < sum(billed) <= 100
    assert len(openai_server.requests) < 10


def test_an_outage_that_lasts_ends_as_a_transient_error(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.extend([Fault(500)] * 50)
    with pytest.raises(TransientError, match="500"):
        embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 6


def test_a_server_that_was_never_reached_ends_the_run_soon(make: Callable[..., PaidEmbedder], time: Time) -> None:
    with pytest.raises(ServiceError, match=r"cannot be reached.*embedder\.base_url"):
        embed(make(base_url="http://127.0.0.1:9/v1", dimensions=8), ["a"])
    assert sum(time.slept) < 16


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_model_is_a_setting_to_change(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, status: int
) -> None:
    openai_server.faults.append(Fault(status))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 1


def test_an_account_without_money_stops_at_once(
    make: Callable[..., PaidEmbedder], openai_server: OpenAIServer, time: Time
) -> None:
    openai_server.faults.append(Fault(429, {"Retry-After": "5"}, code="insufficient_quota"))
    with pytest.raises(ServiceError, match="account"):
        embed(make(dimensions=8), ["a"])
    assert (len(openai_server.requests), time.slept) == (1, [])


def test_a_request_that_is_too_large_is_halved(make: Callable[..., PaidEmbedder], openai_server: OpenAIServer) -> None:
    openai_server.faults.append(Fault(400, code="max_tokens_per_request"))
    embed(make(dimensions=8), [f"text {number}" for number in range(10)])
    assert sorted(len(inputs) for inputs in openai_server.requests) == [5, 5, 10]
    assert len(openai_server.answered) == len(set(openai_server.answered)) == 10


def test_the_money_limit_is_never_passed(make: Callable[..., PaidEmbedder], openai_server: OpenAIServer) -> None:
    embedder = make(dimensions=8, max_usd=0.02 * 8100 / 1e6)  # the price of 8,100 tokens
    embed(embedder, ["word " * 8000])
    with pytest.raises(BudgetError, match="max_usd"):
        embed(embedder, ["word " * 200])
    assert len(openai_server.requests) == 1


def test_requests_and_tokens_per_minute_are_kept(make: Callable[..., PaidEmbedder], time: Time) -> None:
    embedder = make(dimensions=8, requests_per_minute=60)
    for number in range(90):
        embed(embedder, [f"text {number}"])
    assert time.now - 1000 == pytest.approx(80, abs=1), "ten at once, then one a second"
    embedder = make(dimensions=8, tokens_per_minute=600)
    before = time.now
    for _ in range(4):
        embed(embedder, ["word " * 299])
    assert time.now - before == pytest.approx(90, abs=2)


def test_a_missing_key_names_what_to_set(make: Callable[..., PaidEmbedder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    embedder = make(api_key=None)
    assert embedder.tokenizer.count(["a plan needs no key"]) == [5]
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embedder.check()
    with pytest.raises(ConfigError, match="export OPENAI_API_KEY"):
        embed(embedder, ["a"])


def test_an_unknown_model_needs_its_dimension(make: Callable[..., PaidEmbedder]) -> None:
    with pytest.raises(ConfigError, match=r"embedder\.dimensions"):
        _ = make(model="my-own").space
    assert make(model="my-own", dimensions=12).space.dimension == 12


def test_the_base_url_is_no_part_of_the_space(make: Callable[..., PaidEmbedder]) -> None:
    assert make().space == make(base_url="http://127.0.0.1:9/v1").space
    assert make().space != make(dimensions=8).space


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
