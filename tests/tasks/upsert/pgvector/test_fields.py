"""Indexes over fields of the metadata: made once a collection is large, and used by filters."""

import logging
from contextlib import closing

import numpy as np
import pytest

from tasks.records import AnyOf, Filter, PointId, Query
from tasks.upsert.filters import passes
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import Point, columns
from tests.tasks.upsert.pgvector.conftest import MakePoints
from tests.tasks.upsert.pgvector.test_table import ask

DEFINED = (
    b"SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE pg_get_indexdef(indexrelid) LIKE '%USING gin%metadata%'"
)
SCANS = b"SELECT sum(idx_scan)::int FROM pg_stat_user_indexes WHERE indexrelname ~ ':[0-9a-f]{12}$'"
ONES = np.ones(8, np.float32)


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "FROM", 300)


@pytest.fixture
def points(make_points: MakePoints) -> list[Point]:
    made = make_points(300)
    for row, one in enumerate(made):
        one.payload["metadata"] |= {"source": "docs", "document": f"{row // 3}.md", "year": row, "it's": [str(row), 7]}
    return made


def indexes(url: str) -> set[str]:
    """The fields that have one."""
    return {str(row[0]).split("-> ")[1].split("::text")[0].strip("'") for row in ask(url, DEFINED)}


def fill(url: str, points: list[Point], *fields: str) -> None:
    with closing(PgvectorStore(url, "c", indexed=dict.fromkeys(fields, "keyword"))) as store:
        store.ensure(8)
        store.upsert(columns(*points))


def test_a_large_collection_gets_them_and_new_fields_later(postgres_url: str, points: list[Point]) -> None:
    fill(postgres_url, points[:299], "year")
    assert indexes(postgres_url) == set()
    fill(postgres_url, points[299:], "year")
    assert indexes(postgres_url) == {"source", "document", "year"}
    fill(postgres_url, [], "year", "it's")
    assert indexes(postgres_url) == {"source", "document", "year", "it''s"}


def test_filters_use_them_and_find_the_same(postgres_url: str, points: list[Point]) -> None:
    fill(postgres_url, points, "year", "it's")
    conditions = {
        Filter("document", "in", ("7.md",)): points[21:24],
        Filter("document", "in", ("7.md", "9.md")): [*points[21:24], *points[27:30]],
        Filter("year", "in", ("5", 5)): points[5:6],
        Filter("it's", "in", ("5",)): points[5:6],
        AnyOf(((Filter("year", "in", (5,)),), (Filter("document", "in", ("7.md",)),))): [points[5], *points[21:24]],
    }
    url = f"{postgres_url}?options=-c%20enable_seqscan%3Doff%20-c%20enable_indexscan%3Doff"
    for one, expected in conditions.items():
        with closing(PgvectorStore(url, "c")) as store:
            before = scans(postgres_url)
            assert {hit.id for hit in store.search(Query(ONES, 99, [one]))} == {point.id for point in expected}
        assert scans(postgres_url) > before, one


def test_ranges_use_them_too_where_the_settings_say_what_a_field_holds(
    postgres_url: str, make_points: MakePoints
) -> None:
    """Without a word to the planner: of many records few are in the range."""
    points = make_points(4000)
    for row, one in enumerate(points):
        day = f"{2000 + row // 300}-{1 + row % 12:02}-{1 + row % 28:02}"
        one.payload["metadata"] |= {"year": row, "at": [3, day, "x"] if row == 7 else day}
    points[8].payload["metadata"]["year"] = [5000, "x", -5.5]
    points[9].payload["metadata"] |= {"year": "4000", "at": "3000-02-30"}
    with closing(PgvectorStore(postgres_url, "c", indexed={"year": "integer", "at": "datetime"})) as store:
        store.ensure(8)
        store.upsert(columns(*points))
    conditions = [
        Filter("year", ">=", (3990,)),
        Filter("year", "<", (5.5,)),
        Filter("at", ">", ("2013-04-02T01:00:00+02:00",)),
        Filter("at", "<=", ("2000-02-03",)),
    ]
    for one in conditions:
        expected = {point.id for point in points if passes(point.payload["metadata"], [one])}
        assert 0 < len(expected) < 200
        with closing(PgvectorStore(postgres_url, "c")) as store:
            before = scans(postgres_url)
            assert {hit.id for hit in store.search(Query(ONES, 400, [one]))} == expected
        assert scans(postgres_url) > before, one


def scans(url: str) -> int:
    ask(url, b"SELECT pg_stat_force_next_flush()")
    return int(ask(url, SCANS)[0][0])


def test_a_long_value_of_an_indexed_field_is_no_obstacle(postgres_url: str, points: list[Point]) -> None:
    """Other kinds of indexes hold 2,700 bytes."""
    fill(postgres_url, points, "year")
    long = np.random.default_rng(1).bytes(6000).hex()
    one = Point(PointId("00000000-0000-0000-0000-00000000000a"), ONES, {"text": "", "metadata": {"document": long}})
    fill(postgres_url, [one])
    with closing(PgvectorStore(postgres_url, "c")) as store:
        assert [hit.id for hit in store.search(Query(ONES, 3, [Filter("document", "in", (long,))]))] == [one.id]


def test_an_index_that_cannot_be_made_fails_no_run(
    postgres_url: str, points: list[Point], caplog: pytest.LogCaptureFixture
) -> None:
    fill(postgres_url, points[1:])
    name = f"writer_{postgres_url[-12:]}"
    ask(postgres_url, f"CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA headrace TO {name}".encode())
    ask(postgres_url, f"GRANT ALL ON headrace.c TO {name}".encode())
    with caplog.at_level(logging.WARNING, logger="headrace"):
        fill(postgres_url.replace("postgres@", f"{name}@"), points[:1])
    assert "filters read every record, as no index could be made" in caplog.text
    assert indexes(postgres_url) == set()
