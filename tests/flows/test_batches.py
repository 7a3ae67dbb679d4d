"""Documents through the Batch API: half the price, paid once whatever ends a run, and never above a limit of money."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import psycopg
import pytest

from tasks.dedupe.cache import EmbeddingCache
from tasks.embed.api import batches as module
from tasks.embed.api.dispatch.batch_books import BatchAccount
from tasks.embed.api.openai_batches import OpenAIBatches
from tests.batch_server import BatchServer, Fate
from tests.conftest import CONFIG, Pipeline

PRICE = 0.01 / 1e6  # half of the list price of text-embedding-3-small
PROBE = 3  # texts that a run asks for again where vectors are there: they show whether the model is the same


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.001)
    with BatchServer() as made:
        monkeypatch.setenv("OPENAI_KEY", made.key)
        yield made


@pytest.fixture
def batched(pipeline: Pipeline, server: BatchServer) -> Pipeline:
    """The pipeline of the other tests, whose four texts go into a batch."""
    settings = f"kind: openai, delivery: batch, api_key: '${{OPENAI_KEY}}', base_url: '{server.url}', dimensions: 16"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    return pipeline


def books(pipeline: Pipeline) -> tuple[float, int, int]:
    """USD that were spent, and how many reservations and batches are left."""
    with sqlite3.connect(pipeline.folder / "user-state" / "headrace" / "budget.db") as connection:
        [row] = connection.execute(
            "SELECT (SELECT coalesce(sum(usd), 0) FROM spending), (SELECT count(*) FROM reservation),"
            " (SELECT count(*) FROM batch)"
        ).fetchall()
    connection.close()
    return row[0], row[1], row[2]


def check_paid_once(pipeline: Pipeline, server: BatchServer, report: Any, texts: int = 4) -> None:
    assert (report["code"], report["outcome"], report["chunks"]["total"]) == (0, "done", texts)
    assert len(server.worked) == len(set(server.worked)) == texts
    assert len(server.answered) <= PROBE  # nothing else at the full price
    assert {*server.answered} <= {*server.worked}
    assert books(pipeline) == (pytest.approx(server.batch_tokens * PRICE + server.billed_tokens * 2 * PRICE), 0, 0)


def test_a_sync_pays_half_and_a_search_goes_now(batched: Pipeline, server: BatchServer) -> None:
    plan = batched.plan()
    assert plan["cost_usd"] == round(plan["tokens"]["embedded"] * PRICE, 9)
    assert server.calls == []
    report = batched.sync()
    check_paid_once(batched, server, report)
    assert (report["chunks"]["embedded"], report["tokens"]) == (4, plan["tokens"])
    assert report["cost_usd"] == pytest.approx(server.batch_tokens * PRICE, abs=1e-9)
    assert sorted(server.texts()[0]) == sorted(chain(*batched.texts().values()))
    hits = batched.run("search", str(batched.config), "Second page.", "--json").json["hits"]
    assert "Second page." in hits[0]["text"]
    assert len(server.requests) == 1
    again = batched.sync()
    assert (again["chunks"]["embedded"], again["cost_usd"], len(server.jobs)) == (0, 0, 1)


class Killed(BaseException):
    """The process is gone."""


def kill_at(pipeline: Pipeline, owner: Any, name: str, killed: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(Killed):
            pipeline.sync()


KILLS = [
    (BatchAccount, "set_aside", True),
    (OpenAIBatches, "upload", False),
    (OpenAIBatches, "upload", True),
    (OpenAIBatches, "create", False),
    (OpenAIBatches, "create", True),
    (BatchAccount, "name", True),
    (OpenAIBatches, "state", True),
    (OpenAIBatches, "lines", True),
    (EmbeddingCache, "put", False),
    (EmbeddingCache, "put", True),
    (BatchAccount, "end", False),
    (BatchAccount, "end", True),
]


@pytest.mark.parametrize(("owner", "name", "is_after"), KILLS, ids=lambda value: str(getattr(value, "__name__", value)))
def test_a_kill_at_any_step_pays_nothing_twice(
    batched: Pipeline, server: BatchServer, owner: Any, name: str, is_after: bool
) -> None:
    whole = getattr(owner, name)

    def killed(*arguments: Any, **named: Any) -> Any:
        if is_after:
            result = whole(*arguments, **named)
            if name == "lines":
                list(result)
        raise Killed

    kill_at(batched, owner, name, killed)
    check_paid_once(batched, server, batched.sync())
    assert len(server.jobs) == 1


def kill_process_at(pipeline: Pipeline, server: BatchServer, call: str, times: int) -> None:
    """SIGKILL, before it gets the answer to a call."""
    answer = server.elsewhere
    with subprocess.Popen([sys.executable, "-m", "flows.cli", "sync", str(pipeline.config)]) as process:

        def killing(method: str, path: str, content: bytes) -> Any:
            answered = answer(method, path, content)
            if server.calls.count(call) == times and process.poll() is None:
                process.kill()
                process.wait()
            return answered

        server.elsewhere = killing
    server.elsewhere = answer
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("call", ["POST files", "POST batches", "GET files/…"])
def test_a_killed_process_pays_nothing_twice(batched: Pipeline, server: BatchServer, call: str) -> None:
    kill_process_at(batched, server, call, 1)
    check_paid_once(batched, server, batched.sync())
    assert len(server.jobs) == 1


def test_kills_pay_nothing_twice_where_the_books_are_in_postgresql(
    batched: Pipeline, server: BatchServer, postgres_url: str
) -> None:
    text = batched.config.read_text().replace("delivery: batch", f"delivery: batch, budget: '{postgres_url}'")
    batched.config.write_text(text)
    create = OpenAIBatches.create

    def killed(*arguments: Any) -> Any:
        create(*arguments)
        raise Killed

    kill_at(batched, OpenAIBatches, "create", killed)
    kill_at(batched, BatchAccount, "end", _kill)
    report = batched.sync()
    assert (report["code"], report["chunks"]["total"], len(server.worked), len(server.jobs)) == (0, 4, 4, 1)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        for table in ("batch", "reservation"):
            assert connection.execute(f"SELECT count(*) FROM headrace_budget.{table}").fetchone() == (0,)


def test_a_process_killed_while_it_waits_leaves_its_batch_to_the_next_run_and_to_plan(
    batched: Pipeline, server: BatchServer
) -> None:
    kill_process_at(batched, server, "GET batches/…", 2)
    assert (server.jobs[0].looks, server.worked) == (2, [])
    calls = list(server.calls)
    plan = batched.plan()
    assert (plan["chunks"]["embedded"], plan["cost_usd"], server.calls) == (4, 0, calls)
    assert "4 texts are on their way in batches; the cost is without them" in plan["notes"]
    batched.write("new.txt", "A text that was not there.")
    plan = batched.plan()
    assert 0 < plan["cost_usd"] < plan["tokens"]["embedded"] * PRICE
    check_paid_once(batched, server, batched.sync(), 5)
    assert list(map(len, server.texts())) == [4, 1]


@pytest.mark.parametrize("call", ["POST files", "POST batches", "GET batches/…", "GET files/…"])
def test_an_answer_that_is_lost_is_asked_for_again_and_paid_once(
    batched: Pipeline, server: BatchServer, call: str
) -> None:
    server.drops.append(call)
    check_paid_once(batched, server, batched.sync())
    assert (len(server.jobs), server.drops) == (1, type(server.drops)())


def test_what_expired_is_sent_again(batched: Pipeline, server: BatchServer) -> None:
    server.fates += [Fate("expired", rows=1), Fate("expired", rows=0), Fate("completed")]
    check_paid_once(batched, server, batched.sync())
    assert server.requests == []
    assert list(map(len, server.texts())) == [4, 3, 3]


def test_what_the_server_failed_at_is_sent_again(batched: Pipeline, server: BatchServer) -> None:
    server.fates.append(Fate(fails={"Plain text of the third page."}))
    check_paid_once(batched, server, batched.sync())
    assert list(map(len, server.texts())) == [4, 1]


def test_results_that_come_twice_or_are_nobodys_are_left_out_and_a_damaged_one_costs_its_text_alone(
    batched: Pipeline, server: BatchServer
) -> None:
    def bent(lines: list[str]) -> list[str]:
        server.bend_results = lambda lines: lines
        foreign = lines[1].replace(json.loads(lines[1])["custom_id"], "0" * 32)
        return [lines[1], lines[1], foreign, *lines[1:], lines[0][:90] + "\n"]

    server.bend_results = bent
    report = batched.sync()
    assert (report["code"], report["chunks"]["total"], list(map(len, server.texts()))) == (0, 4, [4, 1])
    assert batched.run("verify", str(batched.config), "--json").json["ok"] is True
    with closing(sqlite3.connect(batched.folder / "state" / "cache.db")) as cache:
        assert cache.execute("SELECT count(*) FROM embedding").fetchall() == [(4,)]
    for text in server.texts()[0]:
        [hit, *_] = batched.run("search", str(batched.config), text, "--mode", "dense", "--json").json["hits"]
        assert (hit["text"], hit["score"]) == (text, pytest.approx(1.0, abs=1e-3))


def test_results_that_cannot_be_read_at_all_end_the_run(batched: Pipeline, server: BatchServer) -> None:
    server.bend_results = lambda lines: ["<html>\n"]
    outcome = batched.run("sync", str(batched.config), "--json")
    assert (outcome.json["outcome"], "no line of a batch's results can be read" in outcome.err) == ("failed", True)
    assert len(server.jobs) == 1


@pytest.mark.parametrize(("lost", "is_paid"), [("batches", False), ("files", True)])
def test_what_is_not_there_any_more_is_sent_again(
    batched: Pipeline, server: BatchServer, lost: str, is_paid: bool
) -> None:
    """Deleted by somebody, or after its time."""
    answer = server.elsewhere

    def without_first(method: str, path: str, content: bytes) -> Any:
        if method == "GET" and lost in path and path.removesuffix("/content").endswith(("batch_0", "batch_0-output")):
            return 404, b'{"error": {"message": "No such thing"}}'
        return answer(method, path, content)

    server.elsewhere = without_first
    report = batched.sync()
    assert (report["code"], report["chunks"]["total"], list(map(len, server.texts()))) == (0, 4, [4, 4])
    assert report["cost_usd"] >= server.batch_tokens * PRICE - 1e-9  # lost results by our own count
    assert len(server.worked) == (8 if is_paid else 4)
    assert books(batched)[1:] == (0, 0)


def test_batches_that_come_to_nothing_end_the_run(batched: Pipeline, server: BatchServer) -> None:
    server.fates += [Fate("expired", rows=0)] * 6
    outcome = batched.run("sync", str(batched.config), "--json")
    assert (outcome.json["outcome"], len(server.jobs), server.worked) == ("failed", 6, [])
    assert "6 batches came back without a vector" in outcome.err
    check_paid_once(batched, server, batched.sync())


def test_a_refused_text_is_quarantined_by_its_own_answer(batched: Pipeline, server: BatchServer) -> None:
    server.refused.add("Plain text of the third page.")
    report = batched.sync()
    assert (report["code"], report["documents"]["quarantined"], report["chunks"]["total"]) == (1, 1, 3)
    assert len(server.jobs) == 1
    assert set(chain(*server.requests)) <= {"Plain text of the third page.", "hello", *server.worked}


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (Fate("failed", code="invalid_json_line"), "was refused: it is invalid_json_line"),
        (Fate("cancelled", rows=2), "was cancelled"),
    ],
)
def test_a_batch_that_is_refused_or_cancelled_ends_the_run_and_keeps_what_came(
    batched: Pipeline, server: BatchServer, fate: Fate, said: str
) -> None:
    server.fates.append(fate)
    outcome = batched.run("sync", str(batched.config), "--json")
    assert (outcome.json["outcome"], said in outcome.err) == ("failed", True)
    check_paid_once(batched, server, batched.sync())


def test_where_so_many_tokens_may_not_wait_fewer_are_sent(
    batched: Pipeline, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEWEST_TEXTS", 1)
    server.fates.append(Fate("failed", code="token_limit_exceeded"))
    check_paid_once(batched, server, batched.sync())
    assert list(map(len, server.texts())) == [4, 2, 2]


def test_more_than_one_batch_takes_is_sent_in_several(
    batched: Pipeline, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIBatches, "most_texts", 3)
    check_paid_once(batched, server, batched.sync())
    assert list(map(len, server.texts())) == [3, 1]
    batched.write("long.txt", "A text that is long enough to be too long for both of them together in one file.")
    batched.write("other.txt", "Another text that is long enough to be too long for both of them together in a file.")
    monkeypatch.setattr(OpenAIBatches, "most_bytes", 300)
    check_paid_once(batched, server, batched.sync(), 6)
    assert list(map(len, server.texts())) == [3, 1, 1, 1]


def test_a_limit_of_money_holds_for_batches(batched: Pipeline, server: BatchServer) -> None:
    tokens = batched.plan()["tokens"]["embedded"]
    report = batched.sync("--max-usd", str(tokens * PRICE * 0.6))
    assert (report["code"], report["outcome"]) == (4, "budget")
    assert 0 < len(server.worked) < 4
    assert report["cost_usd"] <= tokens * PRICE * 0.6
    check_paid_once(batched, server, batched.sync())


def test_a_limit_of_the_day_counts_what_is_on_its_way(batched: Pipeline, server: BatchServer) -> None:
    limit = batched.plan()["tokens"]["embedded"] * PRICE * 1.2
    text = batched.config.read_text().replace("delivery: batch", f"delivery: batch, max_usd_per_day: {limit:.12f}")
    batched.config.write_text(text)
    kill_at(batched, OpenAIBatches, "state", _kill)
    other = text.replace("name: trial", "name: other").replace("trial.db", "other.db").replace("cache.db", "cache2.db")
    batched.config.write_text(other)
    batched.write("new.md", "# New\n\n" + "Quite another page, with many words of its own. " * 3)
    report = batched.sync()
    assert report["outcome"] == "budget"
    assert len(server.jobs) == 1  # its own new text has no money; the others come from the first one's batch


def _kill(*_: object) -> Any:
    raise Killed


def test_another_server_that_has_no_batches_says_so(batched: Pipeline, server: BatchServer) -> None:
    server.elsewhere = lambda method, path, content: (404, b'{"error": {"message": "Not Found"}}')
    outcome = batched.run("sync", str(batched.config), "--json")
    assert (outcome.code, "no Batch API, leave out embedder.delivery" in outcome.err) == (2, True)
