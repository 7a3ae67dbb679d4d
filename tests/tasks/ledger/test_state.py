"""Ledger, cache and lease on a real database file."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tasks.database.database import Database
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables
from tasks.dedupe.cache import EmbeddingCache
from tasks.errors import ConfigError, FencedError, LeaseHeldError, ServiceError
from tasks.ledger.lease import holder, leased
from tasks.ledger.ledger import Ledger
from tasks.records import EmbeddingKey


def layout(*tables: Table) -> Layout:
    return Layout("trial", (lambda connection: complete_tables(connection, tables),))


def keys(*numbers: int) -> list[EmbeddingKey]:
    return [EmbeddingKey(number.to_bytes(16)) for number in numbers]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/state/ledger.db", "trial")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/any.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def any_ledger(url: str) -> Iterator[Ledger]:
    made = Ledger(url, "trial")
    yield made
    made.close()


def test_a_cached_vector_comes_back_bit_for_bit(url: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    first = EmbeddingCache(url, 5)
    first.put(keys(1, 2, 3), vectors, [4, 5, 6])
    first.put(keys(1), vectors[2:], [9])
    first.close()
    again = EmbeddingCache(url, 5)
    assert again.missing(keys(1, 2, 4, 4)) == set(keys(4))
    found = again.get(keys(1, 2, 3, 4))
    np.testing.assert_array_equal(np.stack([found[key] for key in keys(1, 2, 3)]), vectors)
    again.close()


def test_more_keys_than_a_query_takes_are_asked_for_in_parts(url: str) -> None:
    cache = EmbeddingCache(url, 2)
    many = keys(*range(2500))
    cache.put(many, np.ones((2500, 2), dtype=np.float32), [1] * 2500)
    assert len(cache.get(many)) == 2500
    cache.close()


def test_the_state_folder_is_private(ledger: Ledger) -> None:
    assert ledger.database.path is not None
    assert ledger.database.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_commit_is_durable_before_it_returns(ledger: Ledger) -> None:
    with ledger.database.read() as connection:
        assert connection.execute("PRAGMA synchronous").scalar() == 2
        assert connection.execute("PRAGMA journal_mode").scalar() == "wal"


def test_a_block_that_fails_commits_nothing(any_ledger: Ledger) -> None:
    def fail() -> None:
        with leased(any_ledger, wait=False), any_ledger.fenced("trial") as connection:
            connection.execute("INSERT INTO meta (key, value) VALUES ('a', 'b')")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    with any_ledger.database.read() as connection:
        assert connection.execute("SELECT COUNT(*) FROM meta").scalar() == 0


def test_a_run_without_the_lease_writes_nothing(any_ledger: Ledger) -> None:
    with pytest.raises(FencedError):
        any_ledger.drop([])


def test_an_overtaken_run_cannot_commit(any_ledger: Ledger) -> None:
    with leased(any_ledger, wait=False):
        with any_ledger.database.write() as connection:
            connection.execute("UPDATE lease SET epoch = epoch + 1")
        with pytest.raises(FencedError, match="epoch 2, ours 1"):
            any_ledger.check()
        any_ledger.epoch = 2


def test_the_lease_has_one_holder_at_a_time(any_ledger: Ledger, url: str) -> None:
    other = Ledger(url, "trial")
    assert holder(any_ledger) is None
    with leased(any_ledger, wait=False) as first:
        with pytest.raises(LeaseHeldError, match="held by process"), leased(other, wait=False):
            pass
        assert "held by process" in (holder(other) or "")
    with leased(other, wait=False) as second:
        assert (first.epoch, second.epoch) == (1, 2)
    other.close()


def test_a_waiting_run_starts_when_the_other_ends(any_ledger: Ledger, url: str) -> None:
    other = Ledger(url, "trial")
    order: list[str] = []

    def wait() -> None:
        with leased(other, wait=True):
            order.append("second")

    with leased(any_ledger, wait=False):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
    other.close()


def test_an_unclean_stop_is_doubted_only_after_a_restart(ledger: Ledger) -> None:
    assert ledger.database.path is not None
    raw = sqlite3.connect(ledger.database.path)
    for boot, clean, expected in (("other", 0, False), ("other", 1, True)):
        raw.execute("INSERT OR REPLACE INTO lease (id, epoch, boot, clean) VALUES (1, 5, ?, ?)", (boot, clean))
        raw.commit()
        with leased(ledger, wait=False) as lease:
            assert (lease.was_clean, lease.epoch) == (expected, 6)
    raw.close()


@pytest.mark.parametrize("url", ["nonsense:secret@", "oracle://u:secret@host/db", "mysql://u:secret@host/db"])
def test_a_url_that_cannot_hold_the_state_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///") as caught:
        Ledger(url, "trial")
    assert "secret" not in str(caught.value)


def test_a_damaged_database_is_reported_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(ServiceError, match=str(path)):
        Ledger(f"sqlite:///{path}", "trial")


def test_many_rows_are_written_alike_whatever_their_number(tmp_path: Path) -> None:
    table = Table("t", {"id": "INTEGER NOT NULL", "what": "VARCHAR", "times": "INTEGER NOT NULL"}, ("id",))
    database = Database(f"sqlite:///{tmp_path}/many.db", layout(table), "many")
    sql = (
        "INSERT INTO t (id, what, times) VALUES (?, ?, 1)"
        " ON CONFLICT (id) DO UPDATE SET what = excluded.what, times = times + excluded.times"
    )
    for count in (1, 449, 450, 451, 900, 1300):
        rows = [(number % 700, f"{count}-{number}") for number in range(count)]
        with database.write() as transaction:
            transaction.execute("DELETE FROM t")
            transaction.many(sql, rows)
            found = list(transaction.execute("SELECT id, what, times FROM t ORDER BY id"))
        assert found == [
            (number, f"{count}-{number + 700 if number + 700 < count else number}", 2 if number + 700 < count else 1)
            for number in range(min(count, 700))
        ]
    with database.write() as transaction:
        transaction.many("DELETE FROM t WHERE id = ?", [(number,) for number in range(699)])
        assert list(transaction.execute("SELECT id FROM t")) == [(699,)]
    database.close()


def test_threads_take_turns_in_a_database_in_memory() -> None:
    database = Database("sqlite://", layout(Table("note", {"id": "INTEGER NOT NULL"}, ("id",))), "any")

    def write(numbers: range) -> None:
        for number in numbers:
            with database.write() as transaction:
                transaction.execute("INSERT INTO note (id) VALUES (?)", (number,))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, range(500)), pool.submit(write, range(500, 1000))]:
            done.result()
    with database.read() as transaction:
        assert transaction.execute("SELECT count(*) FROM note").scalar() == 1000
    database.close()
