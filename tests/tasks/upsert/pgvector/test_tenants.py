"""A table in parts by tenant: it keeps the whole contract, and a search for one tenant reads that one's part."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.sql import SQL

from tasks.records import Filter, Query
from tasks.upsert.filters import passes
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.store import PgvectorStore
from tests.contracts.store.checks import CHECKS
from tests.contracts.store.kinds import KINDS
from tests.contracts.store.trial import Check, Trial, holds
from tests.points import Point, columns
from tests.tasks.upsert.pgvector.conftest import MakePoints
from tests.tasks.upsert.pgvector.test_table import ask

TENANT = "at"  # the field of the contract, which holds texts, numbers and lists
ONES = np.ones(8, np.float32)
ODD: tuple[Any, ...] = ("a", "b", "", "a\x00b", ["a", "b"], 5, "5", 5.0, True, None, {"in": "a"}, [["a"]])


def in_parts(database: str, collection: str) -> PgvectorStore:
    return PgvectorStore(database, collection).indexing("english", TENANT)


PARTED = replace(KINDS["pgvector"], open=in_parts)


@pytest.mark.parametrize("one", [one for one in CHECKS if one.concerns(PARTED)], ids=lambda one: one.name)
def test_parts_keep_the_contract(one: Check, store_address: Callable[[str], str]) -> None:
    with closing(Trial(PARTED, store_address("pgvector"))) as trial:
        one.run(trial)


@pytest.fixture
def points(make_points: MakePoints) -> list[Point]:
    made = make_points(300)
    for row, one in enumerate(made):
        value = ODD[row % len(ODD)]
        one.payload["metadata"] |= {} if value is None else {TENANT: value}
    return made


@contextmanager
def opened(url: str) -> Iterator[PgvectorStore]:
    with closing(in_parts(url, "c")) as store:
        store.ensure(8)
        yield store


@pytest.mark.parametrize("has_graph", [False, True])
def test_a_search_for_tenants_finds_what_one_of_everything_would(
    postgres_url: str, points: list[Point], has_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "FROM", 300 if has_graph else 1000)
    with opened(postgres_url) as store:
        store.upsert(columns(*points))
    with opened(postgres_url) as store:
        for values in (("a",), ("5", 5), ("b", "a\x00b"), (True,), ("nobody",), (5.0,), ("",)):
            for operator in ("in", "not_in"):
                one = Filter(TENANT, operator, values)  # type: ignore[arg-type]
                wanted = {point.id for point in points if passes(point.payload["metadata"], [one])}
                found = store.search(Query(ONES, 300, conditions=(one,)))
                assert {hit.id for hit in found} == wanted, one


def test_a_search_for_a_tenant_reads_its_part_and_that_of_no_text(
    postgres_url: str, points: list[Point], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(postgres_url) as store:
        store.upsert(columns(*points))
        asked: list[Any] = []
        monkeypatch.setattr(psycopg.Connection, "execute", lambda _, query, *values: asked.append((query, *values)))
        with suppress(AttributeError):
            store.search(Query(ONES, 300, conditions=(Filter(TENANT, "in", ("a",)),)))
        monkeypatch.undo()
    ((query, values),) = [one for one in asked if "few" in str(one[0])]
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        plan = connection.execute(SQL("EXPLAIN ") + query, values).fetchall()
    assert len(set(re.findall(r"c:part-\w+", str(plan)))) == 2, plan


def test_a_record_that_changes_its_tenant_is_there_once(postgres_url: str, points: list[Point]) -> None:
    with opened(postgres_url) as store:
        store.upsert(columns(*points))
        for one in points[:40]:
            one.payload["metadata"][TENANT] = "elsewhere"
        store.upsert(columns(*points[:40]))
        holds(store, *points)
        store.delete([one.id for one in points[:40]])
        holds(store, *points[40:])
        assert (store.place("c-live").size_bytes or 0) > 300 * 8 * 4


def test_a_table_in_one_piece_goes_on_and_says_so(
    postgres_url: str, points: list[Point], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
        store.upsert(columns(*points[:100]))
    with caplog.at_level("INFO", "headrace"), opened(postgres_url) as store:
        store.upsert(columns(*points[100:]))
        holds(store, *points)
    assert "in one piece; `headrace rebuild` makes it anew with your `tenant_field`" in caplog.text
    assert ask(postgres_url, b"SELECT count(*) FROM pg_partitioned_table") == [(0,)]
