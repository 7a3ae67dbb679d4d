"""What every embedder that costs money promises beside: limits, money, retries, errors, and answers that do not fit."""

import sqlite3
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.embed.api.dispatch.backoff import ATTEMPTS, LOST_ATTEMPTS
from tasks.embed.api.embedder import SAFETY, PaidEmbedder
from tasks.embed.models import paid_models, providers
from tasks.embed.queries import embed_queries
from tasks.errors import BudgetError, ConfigError, FencedError, HeadraceError, ServiceError
from tests.contracts.embedder_kinds import KEY, PAID, Bench, bench
from tests.provider_server import Fault, vector_of

NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture(params=PAID)
def paid(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID[request.param], tmp_path) as made:
        yield made


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


def spent(paid: Bench) -> float:
    """USD by the books of all runs."""
    with sqlite3.connect(paid.budget) as connection:
        [(usd,)] = connection.execute("SELECT coalesce(sum(usd), 0) FROM spending").fetchall()
        assert connection.execute("SELECT count(*) FROM reservation").fetchall() == [(0,)]
    connection.close()
    return float(usd)


# What is sent


def test_documents_and_queries_go_to_their_own_side(paid: Bench) -> None:
    embedder = paid.open()
    [document] = embed(embedder, ["one text"])
    query = embedder.embed_query("one text")
    is_sided = paid.server.dialect.is_sided
    assert [asked.side for asked in paid.server.asked] == (["document", "query"] if is_sided else [None, None])
    for vector, asked in zip((document, query), paid.server.asked, strict=True):
        np.testing.assert_allclose(vector, vector_of("one text", paid.kind.dimension, asked.side), atol=1e-6)


def test_many_queries_go_together_to_their_own_side(paid: Bench) -> None:
    """But those of models for chunks in context."""
    embedder = paid.open()
    assert len(embed_queries(embedder, ["one", "two", "three"])) == 3
    assert len(paid.server.asked) == (3 if embedder.late else 1)
    assert {asked.side for asked in paid.server.asked} == {"query" if paid.server.dialect.is_sided else None}


def test_the_model_and_the_dimension_of_the_settings_are_asked_for(paid: Bench) -> None:
    embed(paid.open(), ["a"])
    embed(paid.open(model=paid.kind.other_model), ["a"])
    assert [asked.model for asked in paid.server.asked] == [paid.kind.settings["model"], paid.kind.other_model]
    assert {asked.dimension for asked in paid.server.asked} == {paid.kind.dimension}


def test_a_length_that_the_model_does_not_make_is_refused_before_anything_is_sent(paid: Bench) -> None:
    with pytest.raises(ConfigError, match=r"embedder\.dimensions is 60000, but .* is known to make vectors of .*\d+"):
        paid.open(dimensions=60_000)
    assert paid.server.requests == []


def test_queries_may_be_embedded_by_a_relative_at_its_own_price(paid: Bench) -> None:
    relative = paid.kind.relative
    if not relative:
        return
    embedder = paid.open(query_model=relative, dimensions=None)
    [document] = embed(embedder, ["one text"])
    before = embedder.spent_usd
    assert len(embedder.embed_query("one text")) == len(document)
    assert [(asked.model, asked.side) for asked in paid.server.asked] == [
        (paid.kind.settings["model"], "document"),
        (relative, "query"),
    ]
    other = paid.open(model=relative, dimensions=None)
    assert embedder.space == other.space, "so documents of one are never paid again for the other"
    assert before == pytest.approx(2 * embedder.usd_per_million_tokens / 1e6)
    assert embedder.spent_usd - before == pytest.approx(2 * other.usd_per_million_tokens / 1e6)
    assert other.usd_per_million_tokens not in (0, embedder.usd_per_million_tokens)
    assert (embedder.other_model, embedder.model) == ("", paid.kind.settings["model"])


def test_a_query_model_of_another_space_is_refused(paid: Bench) -> None:
    known = paid.kind.settings["model"]
    space = paid.open().space.model
    for model, query, named in (
        (known, paid.kind.other_model, (space, paid.kind.other_model)),
        (known, "my-own", (space, "my-own")),
        ("my-own", known, ("my-own", space)),
        ("my-own", "another", ("my-own", "another")),
    ):
        with pytest.raises(ConfigError, match="query_model") as caught:
            paid.open(model=model, query_model=query)
        assert [repr(name) in str(caught.value) for name in named] == [True, True]
    paid.open(model="my-own", query_model="my-own")


def test_no_request_has_more_texts_than_the_provider_takes(paid: Bench) -> None:
    most = paid.server.dialect.most_inputs
    texts = [f"text {number}" for number in range(2 * most + 4)]
    for text, vector in zip(texts, embed(paid.open(), texts), strict=True):
        side = "document" if paid.server.dialect.is_sided else None
        np.testing.assert_allclose(vector, vector_of(text, paid.kind.dimension, side), atol=1e-6)
    assert sorted(len(request) for request in paid.server.requests) == [4, most, most]


def test_no_request_has_more_tokens_than_the_provider_takes(paid: Bench) -> None:
    embedder = paid.open()
    model = embedder._known
    most = paid.server.dialect.most_tokens
    count = int(min(model.max_tokens, most * SAFETY / model.tokens_factor))
    together = min(int(most * SAFETY / model.tokens_factor / count), paid.server.dialect.most_inputs)
    texts = [f"text {number}" for number in range(together + 1)]
    assert sum(len(batch.rows) for batch in embedder.embed(texts, [count] * len(texts))) == len(texts)
    assert sorted(len(request) for request in paid.server.requests) == sorted([1, together])


# Answers that do not fit


def test_answers_out_of_order_are_put_in_order(paid: Bench) -> None:
    if not paid.server.dialect.has_indexes:
        return
    paid.server.faults.append(Fault(bend="reorder"))
    texts = ["a", "b", "c"]
    for text, vector in zip(texts, embed(paid.open(), texts), strict=True):
        side = paid.server.asked[0].side
        np.testing.assert_allclose(vector, vector_of(text, paid.kind.dimension, side), atol=1e-6)


def test_an_answer_that_does_not_fit_is_asked_for_once_more(paid: Bench) -> None:
    for bend in ("short", "nan", "zero"):
        paid.server.forget()
        paid.server.faults.append(Fault(bend=bend))
        assert len(embed(paid.open(), ["a", "b"])) == 2, bend
        assert len(paid.server.requests) == 2, bend


def test_a_provider_that_cannot_count_stops_the_run(paid: Bench) -> None:
    paid.server.faults.extend([Fault(bend="short")] * 9)
    with pytest.raises(ServiceError, match="1 vectors came for 2 texts"):
        embed(paid.open(), ["a", "b"])
    assert len(paid.server.requests) == 2


def test_another_dimension_stops_the_run_at_once(paid: Bench) -> None:
    paid.server.faults.append(Fault(bend="dimension"))
    wanted = paid.kind.dimension
    with pytest.raises(ConfigError, match=f"{wanted + 1} dimensions, expected {wanted}"):
        embed(paid.open(), ["a", "b"])
    assert len(paid.server.requests) == 1


def test_a_text_that_never_gets_a_vector_is_rejected_and_the_others_are_paid_once(paid: Bench) -> None:
    paid.server.senseless = {"b"}
    found, rejected = embed_all(paid.open(), ["a", "b", "c"])
    assert (set(found), set(rejected)) == ({0, 2}, {1})
    assert paid.server.requests == [["a", "b", "c"], ["b"]]
    assert "zero or not finite" in rejected[1]


# Texts and requests that are refused


def test_refused_texts_are_all_found_and_the_others_are_embedded_once(paid: Bench) -> None:
    texts = [f"text {number}" for number in range(min(300, paid.server.dialect.most_inputs))]
    refused = {7, 8, len(texts) - 5}
    paid.server.refused = {texts[row] for row in refused}
    found, rejected = embed_all(paid.open(), texts)
    assert set(rejected) == refused
    assert set(found) == set(range(len(texts))) - refused
    assert len(paid.server.answered) == len(found) + 1, "each once, and the probe"


def test_a_request_that_is_always_refused_stops_the_run_instead_of_blaming_documents(paid: Bench) -> None:
    paid.server.faults.extend([Fault(400, message="dimensions are not supported")] * 50)
    with pytest.raises(ServiceError, match=r"dimensions are not supported.*settings of the embedder"):
        embed(paid.open(), [f"text {number}" for number in range(90)])
    assert len(paid.server.requests) == 2


def test_a_query_that_is_refused_says_so(paid: Bench) -> None:
    paid.server.refused = {"a bad query"}
    with pytest.raises(ServiceError, match="the query cannot be embedded"):
        paid.open().embed_query("a bad query")


def test_a_refusal_quotes_neither_the_document_nor_the_key(paid: Bench) -> None:
    document = "the secret recipe of the house of orange"
    message = (
        f"Bad input {document!r} from {KEY}, or from sk-abcdefgh for /v1?api-key=sk_key and Basic sk_pw=: " + "x" * 1000
    )
    paid.server.faults.extend([Fault(), Fault(400, message=message)])
    embedder = paid.open()
    embed(embedder, ["fine"])
    _, rejected = embed_all(embedder, [document])
    assert "recipe" not in rejected[0]
    assert "sk" not in rejected[0]
    assert len(rejected[0]) < 400
    for fault in (Fault(401), Fault(500), paid.server.dialect.no_money):
        paid.server.faults.extend([replace(fault, message=message)] * ATTEMPTS)
        with pytest.raises(HeadraceError) as caught:
            embed(embedder, [document])
        said = "".join(traceback.format_exception(caught.value))
        assert ("recipe" in said, "sk-" in said, "sk_" in said) == (False, False, False), said
        paid.server.faults.clear()


def test_a_request_that_is_too_large_is_halved(paid: Bench) -> None:
    paid.server.faults.append(paid.server.dialect.too_large)
    embed(paid.open(), [f"text {number}" for number in range(10)])
    assert sorted(len(request) for request in paid.server.requests) == [5, 5, 10]
    assert len(paid.server.answered) == len(set(paid.server.answered)) == 10


# Times when nothing goes


def test_a_rate_limit_waits_as_long_as_it_is_asked_to(paid: Bench) -> None:
    paid.server.faults.append(Fault(429, {"Retry-After": "7"}))
    embed(paid.open(), ["a"])
    assert len(paid.server.requests) == 2
    assert 7.0 <= sum(paid.time.slept) <= 67.0


def test_an_outage_is_waited_for_here_and_nowhere_else(paid: Bench) -> None:
    """Retries of the SDK's own would be sent unseen: without a reservation, and while the clock stands still."""
    for fault in (Fault(500), Fault(503), Fault(408), Fault(drop=True)):
        paid.server.forget()
        paid.time.slept.clear()
        paid.server.faults.extend([fault] * 5)
        embed(paid.open(), ["a"])
        assert len(paid.server.requests) == 6, fault
        assert sum(paid.time.slept) == 0.25 + 0.5 + 1.0 + 2.0 + 4.0, fault
        assert max(paid.time.slept) <= 1.0, "in between somebody may end the wait"


def test_an_outage_that_asks_for_hours_ends_the_run(paid: Bench) -> None:
    paid.server.faults.append(Fault(503, {"retry-after": "7200"}))
    with pytest.raises(ServiceError, match="asks to wait for 120 minutes"):
        embed(paid.open(), ["a"])
    assert paid.time.slept == []


def test_an_outage_that_lasts_ends_the_run_for_good(paid: Bench) -> None:
    """A TransientError would be tried again by each stage, and multiply what was tried here."""
    for fault, attempts in ((Fault(500), ATTEMPTS), (Fault(drop=True), LOST_ATTEMPTS)):
        paid.server.forget()
        paid.server.faults.extend([fault] * 50)
        with pytest.raises(ServiceError, match=rf"tried {attempts} times"):
            embed(paid.open(), ["a"])
        assert len(paid.server.requests) == attempts
        paid.server.faults.clear()


def test_a_server_that_was_never_reached_ends_the_run_soon_and_costs_nothing(paid: Bench) -> None:
    with pytest.raises(ServiceError, match=r"cannot be reached.*embedder\.base_url"):
        embed(paid.open(base_url=NOBODY), ["a"])
    assert sum(paid.time.slept) < 16
    assert spent(paid) == 0


# Keys and accounts


def test_a_refused_key_or_model_is_a_setting_to_change(paid: Bench) -> None:
    for status in (401, 403, 404):
        paid.server.forget()
        paid.server.faults.append(Fault(status))
        with pytest.raises(ConfigError, match=paid.kind.key_variable):
            embed(paid.open(), ["a"])
        assert len(paid.server.requests) == 1, status
    with pytest.raises(ConfigError, match=paid.kind.key_variable):
        embed(paid.open(api_key="sk-other"), ["a"])


def test_a_missing_key_names_what_to_set_before_anything_is_sent(paid: Bench) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(paid.kind.key_variable, raising=False)
        embedder = paid.open(api_key=None)
        assert embedder.tokenizer.count(["a plan needs no key"]) == [5]
        for use in (embedder.check, lambda: embed(embedder, ["a"]), lambda: embedder.embed_query("a")):
            with pytest.raises(ConfigError, match=f"export {paid.kind.key_variable}"):
                use()
        patch.setenv(paid.kind.key_variable, KEY)
        embedder.check()
        embed(embedder, ["a"])
    assert [asked.key for asked in paid.server.asked] == [KEY]


def test_an_account_without_money_stops_at_once(paid: Bench) -> None:
    paid.server.faults.extend([paid.server.dialect.no_money] * 9)
    with pytest.raises(ServiceError, match="may spend again"):
        embed(paid.open(concurrency=1), [f"text {number}" for number in range(paid.many)])
    assert (len(paid.server.requests), paid.time.slept) == (1, [])


@pytest.mark.parametrize(
    "key", [f"{KEY}\n", f"{KEY} ", f"\t{KEY}", "sk-te st", "sk-t\u00e9st", f"{KEY}\r\n", "sk-\x00"]
)
def test_a_key_that_no_header_can_carry_is_told_before_anything_is_sent_or_booked(paid: Bench, key: str) -> None:
    embedder = paid.open(api_key=key, usd_per_million_tokens=1.0, max_usd=1.0)
    for use in (embedder.check, lambda: embed(embedder, ["a"]), lambda: embedder.embed_query("a")):
        with pytest.raises(ConfigError, match=r"embedder\.api_key.* at place \d+ of \d+") as caught:
            use()
        assert "sk-" not in str(caught.value)
    assert (paid.server.requests, embedder.spent_usd) == ([], 0.0)


@pytest.mark.parametrize("sign", ['"', "'", "`"])
def test_a_key_in_quotation_marks_is_told_before_anything_is_sent(paid: Bench, sign: str) -> None:
    with pytest.raises(ConfigError, match="stands in quotation marks") as caught:
        embed(paid.open(api_key=f"{sign}{KEY}{sign}"), ["a"])
    assert KEY not in str(caught.value)
    assert paid.server.requests == []


# Money


@pytest.mark.parametrize("told", [-(10**9), 0, 1, 10**5, 10**30])
def test_a_bill_that_cannot_be_is_not_believed(paid: Bench, told: int) -> None:
    """Neither talks it a limit away, nor does it end a run, and the next run finds sound books."""
    text = "one two three four five " * 20
    paid.server.count = lambda _: told
    embedder = paid.open(usd_per_million_tokens=1.0, max_usd=250 / 1e6, tokens_per_minute=None)
    [counted] = embedder.tokenizer.count([text])
    embed(embedder, [text])
    assert embedder.spent_usd == pytest.approx(counted / 1e6)
    embed(embedder, [text])
    with pytest.raises(BudgetError, match="max_usd"):
        embed(embedder, [text])
    embedder.close()
    assert spent(paid) == pytest.approx(2 * counted / 1e6)


def test_what_the_provider_bills_is_what_the_books_and_the_batches_say(paid: Bench) -> None:
    paid.server.count = lambda text: 2 * len(text.split())  # so that what is billed is not what was counted here
    embedder = paid.open(usd_per_million_tokens=3.0)
    paid.server.faults.extend([Fault(500), Fault(bend="nan"), Fault(429, {"Retry-After": "1"})])
    texts = [f"a text with the number {number}" for number in range(paid.many)]
    batches = list(embedder.embed(texts, embedder.tokenizer.count(texts)))
    billed = paid.server.billed_tokens
    assert billed > 2 * sum(len(text.split()) for text in texts), "the second answer for the text without a vector"
    assert sum(batch.billed_tokens for batch in batches) == billed
    assert sum(batch.cost_usd for batch in batches) == pytest.approx(billed * 3.0 / 1e6)
    embedder.embed_query("how much is a query")
    embedder.close()
    assert embedder.spent_usd == pytest.approx(paid.server.billed_tokens * 3.0 / 1e6)
    assert spent(paid) == pytest.approx(paid.server.billed_tokens * 3.0 / 1e6)
    assert paid.server.billed_tokens > billed


def test_a_list_price_is_known_for_known_models(paid: Bench) -> None:
    for model in (paid.kind.settings["model"], paid.kind.other_model):
        assert paid.open(model=model, max_usd=1).usd_per_million_tokens > 0
    assert paid.open(usd_per_million_tokens=0.5).usd_per_million_tokens == 0.5


def test_a_money_limit_without_a_price_is_refused(paid: Bench) -> None:
    for limit in ("max_usd", "max_usd_per_day"):
        with pytest.raises(ConfigError, match=r"usd_per_million_tokens"):
            paid.open(model="my-own", **{limit: 1})
        paid.open(model="my-own", usd_per_million_tokens=0, **{limit: 1})


def test_a_foreign_tokenizer_is_given_room_until_the_provider_has_told(paid: Bench) -> None:
    """Half as many tokens again may be billed; the first answer says how many it really is."""
    embedder = paid.open(model="my-own", max_usd=140 / 1e6, usd_per_million_tokens=1)
    with pytest.raises(BudgetError):
        list(embedder.embed(["word " * 100], [100]))
    assert paid.server.requests == []
    assert list(embedder.embed(["word " * 90], [90]))
    assert list(embedder.embed(["word " * 49], [49]))


def test_a_provider_that_bills_more_than_was_counted_passes_no_limit_with_what_is_in_flight(paid: Bench) -> None:
    """The first request goes alone, for its answer says what the others cost."""
    paid.server.count = lambda text: 40
    embedder = paid.open(usd_per_million_tokens=1.0, max_usd=130 / 1e6, batch_texts=1)
    with pytest.raises(BudgetError, match="max_usd"):
        list(embedder.embed([f"word {number} of ten of them all in a row" for number in range(20)], [10] * 20))
    assert paid.server.billed_tokens == 120


def test_the_money_limit_of_a_run_is_never_passed_by_documents_and_queries_together(paid: Bench) -> None:
    embedder = paid.open(usd_per_million_tokens=1.0, max_usd=13 / 1e6)
    embed(embedder, ["one two three four five"])
    embedder.embed_query("one two three four five")
    embedder.close()
    with pytest.raises(BudgetError, match="max_usd"):
        embed(embedder, ["one two three four five"])
    with pytest.raises(BudgetError, match="max_usd"):
        embedder.embed_query("one two three four five")
    assert paid.server.billed_tokens == 10


def test_the_money_of_a_day_is_shared_by_all_with_one_key_and_server(paid: Bench) -> None:
    terms = {"usd_per_million_tokens": 1.0, "max_usd_per_day": 8 / 1e6}
    embed(paid.open(**terms), ["one two three four five"])
    with pytest.raises(BudgetError, match="max_usd_per_day"):
        embed(paid.open(**terms), ["one two three four five"])
    paid.server.key = "sk-other"
    embed(paid.open(api_key="sk-other", **terms), ["one two three four five"])
    with pytest.raises(ServiceError):  # for nobody is there; the other server's money is its own
        embed(paid.open(base_url=NOBODY, **terms), ["one two three four five"])


def test_the_books_name_neither_key_nor_text(paid: Bench) -> None:
    embedder = paid.open()
    embed(embedder, ["a private text"])
    embedder.close()
    with sqlite3.connect(paid.budget) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "spending" in dump
    assert KEY not in dump
    assert "private" not in dump
    assert paid.budget.stat().st_mode & 0o077 == 0


def test_a_run_that_was_overtaken_gets_all_that_is_paid_and_sends_nothing_more(paid: Bench) -> None:
    embedder = paid.open(concurrency=3)
    most = int(embedder._known.limits.tokens_per_request.most * SAFETY / embedder._known.tokens_factor)
    batches = embedder.embed([f"text {number}" for number in range(40)], [most] * 40)
    two_there, has_first = threading.Semaphore(0), threading.Event()

    def hold_all_but_one(texts: list[str]) -> None:
        if texts is not paid.server.requests[0]:
            two_there.release()
            has_first.wait(60)

    paid.server.before_answer = hold_all_but_one
    rows = [*next(batches).rows]
    has_first.set()
    assert all(two_there.acquire(timeout=60) for _ in range(2))
    with pytest.raises(FencedError, match="overtaken"):  # noqa: PT012 - what was paid for comes first
        rows += batches.throw(FencedError("overtaken")).rows
        for batch in batches:
            rows += batch.rows
    assert sorted(f"text {row}" for row in rows) == sorted(text for texts in paid.server.requests for text in texts)
    assert len(rows) <= 2 * 3


# What is known


def test_every_family_of_the_registry_is_tried() -> None:
    for name in set(PAID) & set(providers()):
        spaces = [row.space for row in paid_models(name).models.values() if row.space]
        assert bool(spaces) == bool(PAID[name].relative), name


def test_an_unknown_model_needs_its_dimension(paid: Bench) -> None:
    with pytest.raises(ConfigError, match=r"embedder\.dimensions"):
        _ = paid.open(model="my-own", dimensions=None).space
    assert paid.open(model="my-own", dimensions=12).space.dimension == 12


def test_a_fault_of_ours_is_not_taken_for_the_providers(paid: Bench) -> None:
    embedder = paid.open()
    assert embedder._provider.translate(KeyError("a fault of ours"), paid.time.clock) is None
