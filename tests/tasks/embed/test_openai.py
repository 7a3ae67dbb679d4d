"""OpenAI's API through its SDK: limits, retries, money, and answers that do not fit."""

from collections.abc import Callable
from email.utils import formatdate

import numpy as np
import pytest

from config.schema import OpenAIEmbedder as Config
from tasks.embed.backoff import Clock, asked_delay, duration_seconds, jitter
from tasks.embed.openai import OpenAIEmbedder
from tasks.errors import BudgetError, ConfigError, ServiceError, TransientError
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
def make(openai_server: OpenAIServer, time: Time) -> Callable[..., OpenAIEmbedder]:
    def made(**settings: object) -> OpenAIEmbedder:
        values = {"kind": "openai", "api_key": "sk-test", "base_url": openai_server.url, **settings}
        return OpenAIEmbedder(Config.model_validate(values), time.clock)

    return made


def embed(embedder: OpenAIEmbedder, texts: list[str]) -> list[np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for batch in embedder.embed(texts, embedder.tokenizer.count(texts)):
        found.update(zip(batch.rows, batch.vectors, strict=True))
    return [found[row] for row in range(len(texts))]


def test_vectors_come_as_base64_with_the_asked_dimension(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer
) -> None:
    [vector] = embed(make(dimensions=32), ["hello"])
    np.testing.assert_allclose(vector, vector_of("hello", 32), atol=1e-6)
    assert openai_server.bodies == [
        {"model": "text-embedding-3-small", "input": ["hello"], "dimensions": 32, "encoding_format": "base64"}
    ]


def test_requests_are_packed_to_the_limits(make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer) -> None:
    embed(make(dimensions=8), [f"text {number}" for number in range(4100)])
    assert [len(inputs) for inputs in openai_server.requests] == [2048, 2048, 4]
    openai_server.requests.clear()
    embed(make(dimensions=8), ["word " * 8000] * 40)
    assert [len(inputs) for inputs in openai_server.requests] == [35, 5]


def test_answers_out_of_order_are_put_in_order(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.append(Fault(bend="reorder"))
    texts = ["a", "b", "c"]
    for text, vector in zip(texts, embed(make(dimensions=8), texts), strict=True):
        np.testing.assert_allclose(vector, vector_of(text, 8), atol=1e-6)


@pytest.mark.parametrize("bend", ["short", "nan", "zero", "dimension"])
def test_an_answer_that_does_not_fit_is_refused(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer, bend: str
) -> None:
    openai_server.faults.append(Fault(bend=bend))
    with pytest.raises(ServiceError):
        embed(make(dimensions=8), ["a", "b"])


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
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer, time: Time, headers: dict[str, str], least: float
) -> None:
    openai_server.faults.append(Fault(429, headers))
    embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 2
    assert least <= sum(time.slept) <= least + 60


@pytest.mark.parametrize("fault", [Fault(500), Fault(503), Fault(408), Fault(drop=True)])
def test_an_outage_is_waited_for(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer, time: Time, fault: Fault
) -> None:
    openai_server.faults.extend([fault] * 5)
    embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 6
    assert time.slept == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_an_outage_that_lasts_ends_as_a_transient_error(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.extend([Fault(500)] * 50)
    with pytest.raises(TransientError, match="500"):
        embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 6


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_model_is_a_setting_to_change(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer, status: int
) -> None:
    openai_server.faults.append(Fault(status))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embed(make(dimensions=8), ["a"])
    assert len(openai_server.requests) == 1


def test_an_account_without_money_stops_at_once(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer, time: Time
) -> None:
    openai_server.faults.append(Fault(429, {"Retry-After": "5"}, code="insufficient_quota"))
    with pytest.raises(ServiceError, match="account"):
        embed(make(dimensions=8), ["a"])
    assert (len(openai_server.requests), time.slept) == (1, [])


def test_a_request_that_is_too_large_is_halved(
    make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer
) -> None:
    openai_server.faults.append(Fault(400, code="max_tokens_per_request"))
    embed(make(dimensions=8), [f"text {number}" for number in range(10)])
    assert [len(inputs) for inputs in openai_server.requests] == [10, 5, 5]
    assert len(openai_server.answered) == len(set(openai_server.answered)) == 10


def test_the_money_limit_is_never_passed(make: Callable[..., OpenAIEmbedder], openai_server: OpenAIServer) -> None:
    embedder = make(dimensions=8, max_usd=0.02 * 8100 / 1e6)  # the price of 8,100 tokens
    embed(embedder, ["word " * 8000])
    with pytest.raises(BudgetError, match="max_usd"):
        embed(embedder, ["word " * 200])
    assert len(openai_server.requests) == 1


def test_requests_and_tokens_per_minute_are_kept(make: Callable[..., OpenAIEmbedder], time: Time) -> None:
    embedder = make(dimensions=8, requests_per_minute=60)
    for number in range(90):
        embed(embedder, [f"text {number}"])
    assert time.now - 1000 == pytest.approx(30, abs=1)
    embedder = make(dimensions=8, tokens_per_minute=600)
    before = time.now
    for _ in range(4):
        embed(embedder, ["word " * 299])
    assert time.now - before == pytest.approx(60, abs=2)


def test_a_missing_key_names_what_to_set(make: Callable[..., OpenAIEmbedder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    embedder = make(api_key=None)
    assert embedder.tokenizer.count(["a plan needs no key"]) == [5]
    with pytest.raises(ConfigError, match="export OPENAI_API_KEY"):
        embed(embedder, ["a"])


def test_an_unknown_model_needs_its_dimension(make: Callable[..., OpenAIEmbedder]) -> None:
    with pytest.raises(ConfigError, match=r"embedder\.dimensions"):
        _ = make(model="my-own").space
    assert make(model="my-own", dimensions=12).space.dimension == 12


def test_the_base_url_is_no_part_of_the_space(make: Callable[..., OpenAIEmbedder]) -> None:
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
