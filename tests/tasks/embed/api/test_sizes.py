"""A server that is slow, or takes few texts: what it can is learned, and no text is paid again and again for it."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.embed.api.dispatch import sizes
from tasks.embed.api.dispatch.sizes import LONGEST_SECONDS, Sizes
from tasks.errors import ServiceError
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed, embed_all, spent
from tests.provider_server import Fault

TEXTS = [f"text {number}" for number in range(200)]
SECONDS = 20.0  # a test waits so long for an answer that comes at once


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["openai"], tmp_path) as made:
        yield made


@pytest.fixture
def silence(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """No answer comes to a request of more texts than the number in the list says."""
    monkeypatch.setattr(sizes, "BASE_SECONDS", 0.5)
    monkeypatch.setattr(sizes, "SLACK", SECONDS / 0.5)
    most, ended = [0], threading.Event()
    paid.server.before_answer = lambda texts: ended.wait(SECONDS) and None if len(texts) > most[0] else None
    yield most
    ended.set()


def sent(paid: Bench) -> list[int]:
    return [len(request) for request in paid.server.requests]


# Slow servers


def test_what_took_too_long_is_sent_once_more_in_parts_and_so_is_what_follows(paid: Bench, silence: list[int]) -> None:
    silence[0] = 25
    embedder = paid.open()
    assert len(embed(embedder, TEXTS)) == 200
    assert sent(paid) == [200] + [25] * 8
    paid.server.forget()
    assert len(embed(embedder, [f"more {number}" for number in range(200)])) == 200
    assert sent(paid) == [25] * 8, "no request of a size that took too long"


def test_no_text_is_sent_more_than_twice_and_the_run_ends_with_the_cause(
    paid: Bench, silence: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "LONGEST_SECONDS", 0.5)
    embedder = paid.open(usd_per_million_tokens=1.0, concurrency=2, batch_texts=80)
    said = r"OpenAI needs more than \d+ s for a request of 10 texts .*embedder\.batch_texts to fewer than 10.*faster"
    with pytest.raises(ServiceError, match=said):
        embed(embedder, TEXTS)
    assert sorted(sent(paid)) == [10, 80, 80]
    times = Counter(text for request in paid.server.requests for text in request)
    assert max(times.values()) == 2
    tokens = sum(sum(embedder.tokenizer.count(request)) for request in paid.server.requests)
    assert spent(paid) == pytest.approx(tokens / 1e6), "it may have been billed each time"


def test_one_text_that_takes_too_long_is_sent_twice(
    paid: Bench, silence: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "LONGEST_SECONDS", 0.5)
    with pytest.raises(ServiceError, match=r"for a request of 1 texts \(1 tokens\).*smaller chunks"):
        embed(paid.open(), ["a"])
    assert sent(paid) == [1, 1]


@pytest.mark.parametrize("fault", [Fault(504), Fault(524), Fault(drop=True)])
def test_a_proxy_that_gives_up_is_a_slow_server_too(paid: Bench, fault: Fault) -> None:
    def wait(_: list[str]) -> None:
        paid.time.now += 60

    paid.server.before_answer = wait
    paid.server.faults.extend([fault] * 50)
    with pytest.raises(ServiceError, match="OpenAI needs more than 60 s for a request of 25 texts"):
        embed(paid.open(), TEXTS)
    assert sent(paid) == [200, 25]


def test_a_proxy_that_gives_up_at_once_is_an_outage(paid: Bench) -> None:
    paid.server.faults.append(Fault(504))
    assert len(embed(paid.open(), ["a", "b"])) == 2
    assert sent(paid) == [2, 2]


def test_the_time_grows_with_the_tokens_and_with_what_the_server_needed() -> None:
    learned = Sizes()
    assert learned.seconds(1) == pytest.approx(60, abs=1)
    assert learned.seconds(100_000) > 2 * learned.seconds(10_000)
    before = learned.seconds(10_000)
    learned.taken(100, 10_000, 90.0)
    assert learned.seconds(10_000) > max(before, 3 * 90.0)
    assert learned.seconds(10**9) == LONGEST_SECONDS
    learned.taken(1, 2, 10.0)
    assert learned.seconds(1000) < 120, "a small request says nothing of the speed"


def test_what_took_too_long_bounds_all_that_follows_which_is_given_more_time() -> None:
    learned = Sizes()
    learned.timed_out(80, 8000)
    assert learned.bound == (10, 1000)
    assert learned.seconds(1) == pytest.approx(240, abs=1)
    learned.timed_out(10, 1000)
    assert learned.bound == (1, 125)
    for _ in range(1000):
        learned.taken(1, 100, 0.1)
    assert learned.bound == (5, 500), "never again as many as took too long"


# Limits that nobody told


TOO_MANY = {
    "TEI": Fault(413, message="batch size {sent} > maximum allowed batch size {most}"),
    "TEI, older": Fault(422, message="batch size {sent} > maximum allowed batch size {most}"),
    "OpenAI": Fault(400, message="array too long. Expected an array with maximum length {most}, but got {sent}"),
    "Azure": Fault(400, message="Too many inputs. The max number of inputs is {most}."),
    "Cohere": Fault(400, message="total number of texts must be at most {most} - received {sent}"),
    "Voyage": Fault(400, message="The batch size limit is {most}. Your batch size is {sent}."),
    "pydantic": Fault(422, message="List should have at most {most} items after validation, not {sent}"),
    "DashScope": Fault(400, message="batch size is invalid, it should not be larger than {most}.: input.contents"),
}


@pytest.mark.parametrize("fault", TOO_MANY.values(), ids=TOO_MANY)
def test_a_limit_that_the_server_names_is_kept_from_then_on(paid: Bench, fault: Fault) -> None:
    paid.server.dialect.most_inputs, paid.server.too_many = 32, fault
    embedder = paid.open()
    assert len(embed(embedder, TEXTS)) == 200
    assert sent(paid)[0] == 200
    assert sorted(sent(paid)[1:]) == [8, *[32] * 6]
    paid.server.forget()
    embed(embedder, [f"more {number}" for number in range(200)])
    assert sorted(sent(paid)) == [8, *[32] * 6]


@pytest.mark.parametrize(("fault", "most"), [(Fault(413), 11), (Fault(400, message="bad"), 20)], ids=["413", "400"])
def test_a_limit_that_the_server_does_not_name_is_found(paid: Bench, fault: Fault, most: int) -> None:
    paid.server.dialect.most_inputs, paid.server.too_many = 32, fault
    embedder = paid.open(concurrency=1)
    found, rejected = embed_all(embedder, TEXTS)
    assert (len(found), rejected) == (200, {})
    assert len(paid.server.requests) <= most
    assert len(paid.server.answered) - paid.server.answered.count("hello") == 200, "each is paid once"
    paid.server.forget()
    embed(embedder, [f"more {number}" for number in range(200)])
    assert len(paid.server.requests) == 8


def test_a_poisoned_text_is_found_at_a_server_of_few_texts(paid: Bench) -> None:
    paid.server.dialect.most_inputs, paid.server.too_many = 32, TOO_MANY["TEI"]
    paid.server.refused = {TEXTS[77]}
    found, rejected = embed_all(paid.open(), TEXTS)
    assert (set(rejected), len(found)) == ({77}, 199)
    assert len(paid.server.requests) < 22


@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, message="This model's maximum context length is 8192 tokens"),
        Fault(413, message="`inputs` must have less than 512 tokens. Given: 600"),
        Fault(500, message="input is too large to process. increase the physical batch size"),  # llama.cpp's status
    ],
)
def test_one_text_that_is_too_long_makes_no_later_request_smaller(paid: Bench, fault: Fault) -> None:
    embedder = paid.open()
    paid.server.faults.append(fault)
    embed(embedder, ["a", "b"])
    assert sent(paid)[0] == 2
    assert 1 in sent(paid), "they went on apart, at once"
    paid.server.forget()
    embed(embedder, TEXTS)
    assert sent(paid) == [200]


def test_larger_requests_are_tried_again_after_a_while() -> None:
    learned = Sizes()
    learned.refused(2, 20)
    assert learned.bound == (1, 10)
    for _ in range(200):
        learned.taken(1, 10, 0.1)
    assert learned.bound[0] > 1


def test_whoever_runs_it_may_set_the_texts_of_a_request(paid: Bench) -> None:
    embed(paid.open(batch_texts=64), TEXTS)
    assert sorted(sent(paid)) == [8, 64, 64, 64]
