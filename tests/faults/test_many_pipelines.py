"""Several pipelines and processes on one PostgreSQL server, and what the server does to them."""

import threading
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from tasks.database.postgresql import MOST_CONNECTIONS
from tasks.dedupe.cache import EmbeddingCache
from tasks.ledger.lease import leased
from tasks.ledger.ledger import Ledger
from tasks.records import EmbeddingKey
from tests.benchmarks import pipelines
from tests.conftest import Outcome, Pipeline
from tests.postgres_server import PostgresServer


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def ask(url: str, sql: str) -> int:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return int(row[0])


def cut_all(url: str) -> None:
    assert ask(url, f"SELECT count(pg_terminate_backend(pid)) FROM ({_OURS}) ours")


_OURS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'headrace' AND datname = current_database()"
    " AND pid <> pg_backend_pid()"
)


def test_processes_with_pipelines_on_one_server_leave_every_collection_as_its_source(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    pipelines.make(tmp_path, postgres_url, 3)
    database = postgres_url.rpartition("/")[2]
    watch = pipelines.Watch(postgres, database, cuts=False)
    outcomes = pipelines.run(tmp_path, 2, 1, watch)
    assert set(outcomes.kinds) <= {"done", "held by"}
    assert set(outcomes.done()) == {0, 1, 2}
    assert pipelines.differing(tmp_path) == []
    assert pipelines.deadlocks(postgres, database) == 0


def test_two_processes_that_put_the_same_texts_do_not_wait_in_a_circle(postgres_url: str) -> None:
    """The other one has the first key, and takes the second once we wait for it."""
    cache = EmbeddingCache(postgres_url, 4)
    first, second = EmbeddingKey(b"a" * 16), EmbeddingKey(b"b" * 16)
    failures: list[Exception] = []

    def put() -> None:
        try:
            cache.put([second, first], np.eye(2, 4, dtype=np.float32), [1, 1])
        except Exception as error:
            failures.append(error)

    sql = "INSERT INTO headrace_cache.embedding (key, vector, tokens) VALUES (%s, '', 1) ON CONFLICT DO NOTHING"
    with psycopg.connect(plain(postgres_url)) as other:
        other.execute(sql, (first,))
        thread = threading.Thread(target=put)
        thread.start()
        while not ask(postgres_url, f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({_OURS})"):
            time.sleep(0.01)
        other.execute(sql, (second,))
    thread.join()
    assert failures == []
    cache.close()


def test_a_process_has_few_connections_however_many_ledgers_it_opens(postgres_url: str) -> None:
    ledgers = [Ledger(postgres_url, f"p{number}") for number in range(MOST_CONNECTIONS + 3)]
    assert {ledger.counts().documents for ledger in ledgers} == {0}
    with leased(ledgers[0], wait=False), leased(ledgers[1], wait=False):
        assert ask(postgres_url, f"SELECT count(*) FROM ({_OURS}) ours") <= 3
    for ledger in ledgers[1:]:
        ledger.close()
    assert ledgers[0].counts().documents == 0
    ledgers[0].close()
    assert ask(postgres_url, f"SELECT count(*) FROM ({_OURS}) ours") == 0


def test_a_connection_notices_that_its_server_vanished(postgres_url: str) -> None:
    ledger = Ledger(postgres_url, "trial")
    with ledger.database.read() as transaction:
        assert transaction.execute("SHOW tcp_keepalives_idle").scalar() == "30"
        pooled = transaction.connection._pooled.connection.dbapi_connection  # type: ignore[attr-defined]
        assert pooled.info.get_parameters()["keepalives_idle"] == "30"
    ledger.close()


def test_connections_that_are_cut_between_two_steps_of_a_run_are_replaced(postgres_url: str) -> None:
    """The lock is lost with them; the epoch still fences, and nobody else has taken the lease."""
    ledger = Ledger(postgres_url, "trial")
    with leased(ledger, wait=False):
        cut_all(postgres_url)
        ledger.drop([])
    with leased(ledger, wait=False) as lease:
        assert lease.epoch == 2
    ledger.close()


@pytest.fixture
def pair(pipeline: Pipeline, postgres_url: str) -> tuple[Pipeline, Pipeline]:
    """Two pipelines of one name in two folders, with one database and a document of the same name."""
    folder = pipeline.folder / "elsewhere"
    other = Pipeline(folder, folder / "other.yaml", pipeline.run)
    other.write("a.md", "# Alpha\n\nOf somebody else.\n")
    text = pipeline.config.read_text().replace("sqlite:///state/trial.db", postgres_url)
    for one in (pipeline, other):
        one.config.write_text(text)
    return pipeline, other


def on(pipeline: Pipeline, *words: str) -> Outcome:
    return pipeline.run(words[0], str(pipeline.config), *words[1:])


def test_two_pipelines_of_one_name_on_one_database_are_refused_with_both_named(pair: tuple[Pipeline, Pipeline]) -> None:
    first, second = pair
    assert first.sync()["code"] == 0
    before = first.texts()
    for command in ("plan", "sync", "verify"):
        refused = on(second, command)
        assert (refused.code, "--take-over" in refused.err) == (5, True)
        assert str(first.config) in refused.err
        assert str(second.config) in refused.err
    again = first.sync()
    assert (again["code"], again["documents"]["unchanged"], first.texts()) == (0, 3, before)


def test_the_other_collection_alone_makes_another_pipeline(pair: tuple[Pipeline, Pipeline]) -> None:
    first, second = pair
    first.sync()
    text = first.config.read_text().replace("path: ./docs", f"path: {first.folder}/docs")
    second.config.write_text(text)
    assert on(second, "sync").code == 5
    second.config.write_text(text.replace("path: ./db", f"path: {first.folder}/db"))
    assert on(second, "sync").code in (0, 5)


def test_a_pipeline_may_take_the_place_of_one_with_its_name(pair: tuple[Pipeline, Pipeline]) -> None:
    first, second = pair
    first.sync()
    taken = on(second, "sync", "--take-over", "--json")
    assert taken.code in (0, 25)
    assert on(second, "sync").code in (0, 25)
    assert on(first, "sync").code == 5


def test_an_edited_configuration_is_the_same_pipeline(
    pair: tuple[Pipeline, Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its file at once; on another machine as long as a source is left."""
    first, _ = pair
    first.sync()
    (first.folder / "more").mkdir()
    text = first.config.read_text()
    first.config.write_text(text.replace("sources:\n", "sources:\n  - {kind: files, path: ./more}\n"))
    monkeypatch.setattr("socket.gethostname", lambda: "another-pod")
    assert first.sync()["code"] == 0
    first.config.write_text(text)
    monkeypatch.setattr("socket.gethostname", lambda: "a-third-pod")
    assert first.sync()["code"] == 0
    first.config.write_text(text.replace("path: ./docs", "path: ./more"))
    assert first.sync()["code"] == 25
    monkeypatch.setattr("socket.gethostname", lambda: "a-fourth-pod")
    first.config.write_text(text)
    assert on(first, "sync").code == 5
