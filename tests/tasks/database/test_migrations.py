"""A database that an earlier version wrote has every row afterwards, and the tables of one that is made today."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.database.connection import Connection
from tasks.database.database import Database
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables
from tasks.dedupe.cache import CACHE
from tasks.embed.api.dispatch.tables import BUDGET
from tasks.errors import ConfigError, ServiceError
from tasks.ledger.tables import LEDGER

EARLIER = sorted((Path(__file__).parents[2] / "data/earlier_state").glob("*.sql"))
LAYOUTS = {"ledger": LEDGER, "cache": CACHE, "budget": BUDGET}
COLUMNS = {"id": "INTEGER NOT NULL", "what": "VARCHAR"}
Rows = dict[str, list[Any]]
Columns = dict[str, list[str]]


def layout_of(dump: Path) -> Layout:
    return LAYOUTS[dump.name.partition("-")[0]]


def as_written(dump: Path) -> tuple[Columns, Rows]:
    """The dump itself, read by nothing of ours."""
    with closing(sqlite3.connect(":memory:")) as driver:
        driver.executescript(dump.read_text())
        columns = _columns(driver)
        return columns, _rows(driver, columns)


def _columns(driver: sqlite3.Connection) -> Columns:
    """By table, in the order of their names."""
    tables = [name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    tables = [table for table in tables if table != "headrace_version"]
    return {table: sorted(row[1] for row in driver.execute(f"PRAGMA table_info({table})")) for table in tables}


def _rows(driver: sqlite3.Connection, columns: Columns) -> Rows:
    """What stands in these columns."""
    return {
        table: sorted(driver.execute(f"SELECT {', '.join(names)} FROM {table}"), key=repr)
        for table, names in columns.items()
    }


def sqlite_schema(path: Path) -> set[Any]:
    """Tables and indexes, in the words that made them."""
    with closing(sqlite3.connect(path)) as driver:
        return {
            (kind, name, re.sub(r'"', "", sql or ""))
            for kind, name, sql in driver.execute("SELECT type, name, sql FROM sqlite_master")
        }


def postgres_schema(url: str, schema: str) -> set[Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        found: set[Any] = set(connection.execute(f"{columns} WHERE table_schema = %s".encode(), (schema,)))
        for (definition,) in connection.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = %s", (schema,)):
            words = re.sub(r"(INDEX )\w+_pkey1?( ON)", r"\1key\2", definition)
            found.add(words.replace(f"{schema}.", ""))
        return found


@pytest.mark.parametrize("dump", EARLIER, ids=lambda dump: dump.stem)
def test_an_earlier_file_has_every_row_and_the_tables_of_a_new_one(dump: Path, tmp_path: Path) -> None:
    path, fresh = tmp_path / "earlier.db", tmp_path / "fresh.db"
    with closing(sqlite3.connect(path)) as driver:
        driver.executescript(dump.read_text())
    for place in (path, fresh):
        Database(f"sqlite:///{place}", layout_of(dump), "any").close()
    columns, rows = as_written(dump)
    with closing(sqlite3.connect(path)) as driver:
        assert _rows(driver, columns) == rows
    assert sqlite_schema(path) == sqlite_schema(fresh)


@pytest.mark.parametrize("dump", EARLIER, ids=lambda dump: dump.stem)
def test_an_earlier_schema_on_a_server_has_every_row_and_the_tables_of_a_new_one(dump: Path, postgres_url: str) -> None:
    sql = re.sub(r"X'(\w*)'", r"'\\x\1'", dump.read_text()).replace("BLOB", "BYTEA").replace(" WITHOUT ROWID", "")
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA earlier; SET search_path TO earlier; {sql}".encode())
    for schema in ("earlier", "fresh"):
        Database(postgres_url, layout_of(dump), schema).close()
    assert postgres_schema(postgres_url, "earlier") == postgres_schema(postgres_url, "fresh")
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        for table, rows in as_written(dump)[1].items():
            (count,) = connection.execute(f"SELECT count(*) FROM earlier.{table}".encode()).fetchone() or (0,)
            assert count == len(rows)


def with_rows(connection: Connection) -> None:
    complete_tables(connection, (Table("thing", COLUMNS, ("id",)),))
    connection.execute("INSERT INTO thing (id, what) VALUES (1, 'a')", ())


def doubled(connection: Connection) -> None:
    connection.execute("INSERT INTO thing (id, what) SELECT id + (SELECT max(id) FROM thing), what FROM thing", ())


def failing(connection: Connection) -> None:
    doubled(connection)
    raise ServiceError("stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/any.db"
    return str(request.getfixturevalue("postgres_url"))


def count(url: str, *migrations: Any) -> int:
    database = Database(url, Layout("trial", migrations), "trial")
    with database.read() as transaction:
        rows = int(transaction.execute("SELECT count(*) FROM thing").scalar())
    database.close()
    return rows


def test_each_step_is_taken_once_and_in_order(url: str) -> None:
    assert count(url, with_rows) == 1
    assert [count(url, with_rows, doubled) for _ in range(2)] == [2, 2]
    assert count(url, with_rows, doubled, doubled) == 4


def test_a_step_that_fails_leaves_the_database_at_the_version_before(url: str) -> None:
    with pytest.raises(ServiceError, match="cannot bring this trial to version 2: stop"):
        count(url, with_rows, failing)
    assert count(url, with_rows) == 1


def test_a_database_of_a_newer_version_is_refused_with_both_versions(url: str) -> None:
    count(url, with_rows, doubled)
    with pytest.raises(ConfigError, match=r"this trial has version 2 .* up to version 1; .*update Headrace") as caught:
        count(url, with_rows)
    assert url.rpartition("/")[2] in str(caught.value)
    assert count(url, with_rows, doubled) == 2


def test_a_database_opened_by_many_at_once_takes_each_step_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        openings = [pool.submit(count, url, with_rows, doubled, doubled) for _ in range(16)]
    assert {opening.result() for opening in openings} == {4}


def test_a_current_file_is_opened_without_a_write(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    count(f"sqlite:///{path}", with_rows)
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # whoever writes now waits for 30 seconds
        assert count(f"sqlite:///{path}", with_rows) == 1
    assert path.read_bytes() == before


def test_one_file_holds_two_layouts(tmp_path: Path) -> None:
    for layout in (LEDGER, CACHE, BUDGET, LEDGER):
        Database(f"sqlite:///{tmp_path}/any.db", layout, "any").close()
    with closing(sqlite3.connect(tmp_path / "any.db")) as driver:
        assert {"point", "embedding", "reservation"} <= _columns(driver).keys()


def unnumbered(url: str, *tables: Table) -> None:
    """As a database is that was made before versions were kept."""
    complete = Layout("earlier", (lambda connection: complete_tables(connection, tables),))
    database = Database(url, complete, "trial")
    with database.write() as transaction:
        transaction.execute("DROP TABLE headrace_version")
        transaction.execute("INSERT INTO thing (id) VALUES (7)")
    database.close()


def test_an_index_and_a_column_that_came_later_are_made(url: str) -> None:
    unnumbered(url, Table("thing", {"id": COLUMNS["id"]}, ("id",)))
    newer = Table("thing", {**COLUMNS, "times": "INTEGER NOT NULL DEFAULT 3"}, ("id",), {"by_what": "(what)"})
    database = Database(url, Layout("trial", (lambda connection: complete_tables(connection, (newer,)),)), "trial")
    with database.read() as transaction:
        assert "by_what" in transaction.connection.names()
        assert [tuple(row) for row in transaction.execute("SELECT id, what, times FROM thing")] == [(7, None, 3)]
    database.close()


def test_rows_that_lack_what_they_cannot_be_without_are_left_alone_and_named(url: str) -> None:
    unnumbered(url, Table("thing", {"id": COLUMNS["id"]}, ("id",)))
    newer = Table("thing", {**COLUMNS, "times": "INTEGER NOT NULL"}, ("id",))
    with pytest.raises(ServiceError, match="table 'thing' has rows but no column 'times'"):
        count(url, lambda connection: complete_tables(connection, (newer,)))
    assert count(url, lambda connection: complete_tables(connection, (Table("thing", COLUMNS, ("id",)),))) == 1
