"""Rows of a database: what of them becomes a document, and what a query may not do."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import TypeAdapter, ValidationError

from config.sources import Source as AnySource
from config.statements import one_select
from tasks.errors import ConfigError, DocumentError, MissingExtraError
from tasks.load.base import Source
from tasks.load.open import open_source
from tasks.load.sql import source as sql_source
from tests.postgres_server import PostgresServer

EVERYTHING = """
CREATE TABLE things (
    id BIGINT PRIMARY KEY, title TEXT, price NUMERIC(12, 2), at TIMESTAMPTZ, day DATE, plain TIMESTAMP, flag BOOLEAN,
    big BIGINT, huge NUMERIC, uuid UUID, shape JSONB, tags TEXT[], picture BYTEA, share DOUBLE PRECISION);
INSERT INTO things VALUES
    (9007199254740997, 'a: 100%', 19.90, '2024-01-02 03:04:05+02', '2024-01-02', '2024-01-02 03:04:05', TRUE,
     9007199254740997, 123456789012345678901234567890, '0f8fad5b-d9cb-469f-a165-70867728950e', '{"b": [1], "a": "x"}',
     '{one,two}', '\\x00ff', 'NaN'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.1);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as started:
        yield started


@pytest.fixture(scope="module")
def things(server: PostgresServer) -> str:
    url = server.new_database("things")
    with psycopg.connect(server.dsn("things")) as connection:
        connection.execute(EVERYTHING.encode())
    return url


def opened(url: str, query: str = "SELECT * FROM things", **settings: object) -> Source:
    given = {"kind": "sql", "name": "s", "url": url, "query": query, "id": "id", "text": "title", **settings}
    config: AnySource = TypeAdapter(AnySource).validate_python(given)
    return open_source(config)


def sqlite(tmp_path: Path, *statements: str) -> str:
    with sqlite3.connect(tmp_path / "things.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{tmp_path}/things.db"


def filled(tmp_path: Path, columns: str, values: str) -> str:
    return sqlite(tmp_path, f"CREATE TABLE things ({columns})", f"INSERT INTO things VALUES {values}")


def test_every_type_of_a_column_has_one_form(things: str) -> None:
    columns = ["price", "at", "day", "plain", "flag", "big", "huge", "uuid", "shape", "tags", "share"]
    rows = opened(things, metadata=columns, text=["title", "huge"])
    one, two = rows.list().refs[::-1]
    assert one.path == "9007199254740997"
    document = rows.read(one)
    assert document.text == "a: 100%\n\n123456789012345678901234567890"
    assert document.metadata == {
        "price": 19.9,
        "at": "2024-01-02T01:04:05+00:00",
        "day": "2024-01-02",
        "plain": "2024-01-02T03:04:05",
        "flag": True,
        "big": 9007199254740997,
        "huge": "123456789012345678901234567890",
        "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "shape": '{"a": "x", "b": [1]}',
        "tags": ["one", "two"],
    }
    assert (rows.read(two).text, rows.read(two).metadata) == ("", {"share": 0.1})


def test_an_instant_is_the_same_in_every_zone(things: str) -> None:
    here = opened(f"{things}?options=-c%20TimeZone%3DAsia/Tokyo", version="at").list()
    assert here.refs == opened(things, version="at").list().refs
    assert [ref.hint.partition("-")[2] for ref in here.refs] == ["", "2024-01-02T01:04:05+00:00"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nextval('numbers') AS id, 'x' AS title",
        "SELECT id, title FROM (SELECT 1 AS id, writes() AS title) x",
        "WITH gone AS (DELETE /* */ FROM /* */ things RETURNING *) SELECT * FROM gone",
        "SELECT 1 AS id, 'x' AS title) AS y) AS z; DROP TABLE things; --",
    ],
)
def test_postgres_itself_refuses_what_a_query_would_write(server: PostgresServer, things: str, query: str) -> None:
    with psycopg.connect(server.dsn("things")) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
        connection.execute(
            "CREATE OR REPLACE FUNCTION writes() RETURNS text LANGUAGE plpgsql AS"
            " $$BEGIN DELETE FROM things; RETURN 'x'; END$$"
        )
    config = TypeAdapter(AnySource).validate_python(
        {"kind": "sql", "name": "s", "url": things, "query": "SELECT 1", "id": "id", "text": "title"}
    )
    listing = open_source(config.model_copy(update={"query": query})).list()
    assert (listing.refs, [scope.is_outage for scope in listing.failed]) == ((), [False])
    with psycopg.connect(server.dsn("things")) as connection:
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (2,)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("DELETE FROM a", "begins with 'DELETE'"),
        ("/* SELECT */ DROP TABLE a", "begins with 'DROP'"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT ';' FROM a; -- ;\n COMMIT", "more than one statement"),
        ("SELECT * INTO b FROM a", "'INTO'"),
        ("WITH x AS (DELETE\nFROM a RETURNING *) SELECT * FROM x", "'DELETE FROM'"),
        ("WITH x AS (UPDATE a SET b = 1 RETURNING *) SELECT * FROM x", "'UPDATE A SET'"),
        ("SELECT * FROM a FOR UPDATE", "'FOR UPDATE'"),
        ("EXPLAIN ANALYZE DELETE FROM a", "begins with 'EXPLAIN'"),
        ("PRAGMA journal_mode = DELETE", "begins with 'PRAGMA'"),
        (" ;", "is empty"),
        ("-- nothing", "is empty"),
    ],
)
def test_anything_but_one_select_is_refused_with_what_it_is(query: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"expected one SELECT") as refusal:
        one_select(query)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("SELECT ';' AS a, 'it''s; --' FROM \"de;lete\";", None),
        ("SELECT $x$ ; delete from a $x$", None),
        ("(SELECT 1) UNION SELECT 2 ; -- done; really", "(SELECT 1) UNION SELECT 2"),
        ("with x as (select 1) select * from x\n;\n", "with x as (select 1) select * from x"),
        ("SELECT into_stock, updated, 'update a set' FROM a", None),
        ("/* ; */ select 1", None),
    ],
)
def test_one_select_is_taken_without_what_ends_it(query: str, kept: str | None) -> None:
    assert one_select(query) == (query.rstrip(";") if kept is None else kept)


def test_a_row_that_another_shares_its_id_with_is_set_aside_and_counted(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(1,'a'),(1,'b'),('1','c'),(2,'d')")
    rows = opened(url)
    first, second = rows.list().refs
    with pytest.raises(DocumentError, match=r"s:1: 3 rows have this id") as error:
        rows.read(first)
    assert (error.value.reason, rows.read(second).text) == ("duplicate-id", "d")


def test_a_row_without_an_id_makes_all_that_is_not_listed_unknown(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(NULL,'a'),('','b'),(' ','c'),(2,'d')")
    listing = opened(url).list()
    assert [ref.path for ref in listing.refs] == ["2"]
    assert [scope.prefix for scope in listing.failed] == ["s:"]
    assert "3 rows have no value in the id" in listing.failed[0].reason
    assert "WHERE id IS NOT NULL" in listing.failed[0].reason


def test_keys_of_several_columns_are_told_apart(tmp_path: Path) -> None:
    url = filled(tmp_path, "a, b, title", "('x/y','z','1'),('x','y/z','2'),('x%2Fy','z','3')")
    rows = opened(url, id=["a", "b"])
    listing = rows.list()
    assert [ref.path for ref in listing.refs] == ["x%252Fy/z", "x%2Fy/z", "x/y%2Fz"]
    assert [rows.read(ref).text for ref in listing.refs] == ["3", "1", "2"]


def test_a_neighbours_null_changes_no_other_hint(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title, n", "(1,'a',9007199254740997),(2,'b',7)")
    before = opened(url, metadata=["n"]).list().refs
    sqlite(tmp_path, "UPDATE things SET n = NULL WHERE id = 2")
    rows = opened(url, metadata=["n"])
    after = rows.list().refs
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, False]
    assert rows.read(after[0]).metadata == {"n": 9007199254740997}


def test_another_template_or_query_changes_every_hint(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title, v", "(1,'a',1)")
    settings: list[dict[str, object]] = [{}, {"text": "# {title}"}, {"metadata": ["v"]}, {"format": "text"}]
    hints = {opened(url, version="v", **one).list().refs[0].hint for one in settings}
    hints.add(opened(url, "SELECT id, title || '' AS title, v FROM things", version="v").list().refs[0].hint)
    assert len(hints) == 5


def test_a_column_that_cannot_be_used_is_told_and_a_binary_value_of_one_row(tmp_path: Path, things: str) -> None:
    listing = opened(things, metadata=["picture"]).list()
    assert "column 'picture' is binary" in listing.failed[0].reason
    twice = opened(things, "SELECT id, id, title FROM things").list()
    assert "has two columns 'id'" in twice.failed[0].reason
    url = filled(tmp_path, "id, title", "(1, x'00'),(2,'b')")
    rows = opened(url)
    first, second = rows.list().refs
    with pytest.raises(DocumentError, match=r"s:1: column 'title' is binary"):
        rows.read(first)
    assert rows.read(second).text == "b"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"id": "key"}, "has no column 'key'; its columns are: id, title"),
        ({"query": "SELECT * FROM nowhere"}, "no such table: nowhere"),
        ({"query": "SELECT FROM"}, "syntax error"),
        ({"url": "sqlite:////nowhere/at/all.db"}, "/nowhere/at/all.db is no file; check `url`"),
        ({"url": "not a url"}, "not a url is no file"),
        ({"url": "postgresql://u@host:port/d"}, "is no database URL"),
        ({"url": "nosuch://host/x"}, "no driver for nosuch://"),
        ({"url": "mssql+pyodbc://host/x"}, "needs a driver: pip install pyodbc"),
    ],
)
def test_what_cannot_be_asked_is_a_failed_scope_with_its_remedy(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    url = sqlite(tmp_path, "CREATE TABLE things (id, title)")
    listing = opened(**{"url": url, **settings}).list()  # type: ignore[arg-type]
    assert (listing.refs, [scope.is_outage for scope in listing.failed]) == ((), [False])
    assert words in listing.failed[0].reason


def test_a_server_that_is_away_is_an_outage_and_shows_no_password() -> None:
    listing = opened("postgresql://user:hunter2@127.0.0.1:1/x").list()
    assert [scope.is_outage for scope in listing.failed] == [True]
    assert "hunter2" not in listing.failed[0].reason


def test_a_statement_that_takes_too_long_is_an_outage(things: str) -> None:
    slow = "SELECT id, title FROM things CROSS JOIN LATERAL (SELECT pg_sleep(60 + 0 * id)) AS s"
    listing = opened(things, slow, timeout_seconds=0.2).list()
    assert [scope.is_outage for scope in listing.failed] == [True]
    assert "raise `timeout_seconds`" in listing.failed[0].reason


def test_sqlite_has_a_time_limit_too(tmp_path: Path) -> None:
    endless = (
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, '' title FROM n WHERE id < 0"
    )
    listing = opened(sqlite(tmp_path, "CREATE TABLE things (id)"), endless, timeout_seconds=0.2).list()
    assert [scope.is_outage for scope in listing.failed] == [True]
    assert "raise `timeout_seconds`" in listing.failed[0].reason


def test_a_text_that_is_no_utf_8_spoils_no_other_row(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(1, 'caf' || CAST(x'e9' AS TEXT)), (2, 'good')")
    source = opened(url)
    assert [source.read(ref).text for ref in source.list().refs] == ["caf\ufffd", "good"]


def test_rows_that_only_the_database_takes_for_equal_are_no_copies_of_each_other(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(1.0, 'float'), (1, 'integer'), ('1', 'text'), (2, 'two')")
    source = opened(url)
    refs = {ref.path: ref for ref in source.list().refs}
    assert [source.read(refs[path]).text for path in ("1.0", "2")] == ["float", "two"]
    with pytest.raises(DocumentError, match="2 rows have this id"):
        source.read(refs["1"])


def test_rows_are_read_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    insert = f"INSERT INTO things {numbers} SELECT i, 't' || i FROM n"
    url = sqlite(tmp_path, "CREATE TABLE things (id INTEGER PRIMARY KEY, title)", insert)
    rows = opened(url)
    listing = rows.list()
    asked: list[int] = []
    before = sql_source.SqlRows._rows_of
    monkeypatch.setattr(
        sql_source.SqlRows, "_rows_of", lambda self, keys: (asked.append(len(keys)), before(self, keys))[1]
    )
    assert [rows.read(ref).text for ref in listing.refs] == [f"t{ref.path}" for ref in listing.refs]
    assert (len(asked), max(asked)) == (9, 500)


def test_a_row_that_went_or_changed_since_the_listing_is_read_as_it_is_now(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(1,'a'),(2,'b')")
    rows = opened(url)
    first, second = rows.list().refs
    sqlite(tmp_path, "DELETE FROM things WHERE id = 1", "UPDATE things SET title = 'c' WHERE id = 2")
    with pytest.raises(DocumentError, match="s:1 was listed, but is gone"):
        rows.read(first)
    assert rows.read(second).text == "c"


def test_a_template_stands_for_nothing_where_all_of_its_columns_are_empty(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title, body", "(1,NULL,NULL),(2,'T',NULL)")
    rows = opened(url, text="# {title}\n\n{{as it is}} {body}")
    assert [rows.read(ref).text for ref in rows.list().refs] == ["", "# T\n\n{as it is} "]


def test_html_in_a_column_is_read_as_a_page(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title", "(1,'<h1>Top</h1><p>one <b>two</b>')")
    rows = opened(url, format="html")
    document = rows.read(rows.list().refs[0])
    assert (document.format, document.text.split("\n")[0]) == ("markdown", "# Top")
    assert "<p>" not in document.text


def test_columns_that_labels_and_readers_come_from_are_fetched(tmp_path: Path) -> None:
    url = filled(tmp_path, "id, title, team, who", "(1, 'a', 'blue', 'ann')")
    acl = {"column": "who"}
    for metadata, kept in (({"group": "{metadata[team]}"}, {"team": "blue"}), (["title"], {"title": "a"})):
        source = opened(url, metadata=metadata, acl=acl)
        assert source.read(source.list().refs[0]).metadata == {**kept, "who": "ann"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"text": "{title"}, "is no template"),
        ({"text": "{title!r}"}, "is no template"),
        ({"text": "{}"}, "is no template"),
        ({"text": []}, "names no column"),
        ({"id": ""}, "names no column"),
        ({"timeout_seconds": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match="validation error") as refusal:
        opened("sqlite:///x.db", **settings)
    assert words in str(refusal.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(MissingExtraError, match=r"\[mysql\]"):
        opened("mysql://host/x").list()
    assert issubclass(MissingExtraError, ConfigError)
