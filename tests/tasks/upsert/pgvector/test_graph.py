"""The graph for searches: made once it pays, never in the way of a record, and never the reason for a missing hit."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import Any

import numpy as np
import psycopg
import pytest

from config.fields import Precision
from tasks.records import Filter, Query
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.store import PgvectorStore
from tasks.upsert.pgvector.table import Table
from tests.points import columns
from tests.tasks.upsert.pgvector.conftest import MakePoints
from tests.tasks.upsert.pgvector.test_table import ask

GRAPHS = b"SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE pg_get_indexdef(indexrelid) LIKE '%hnsw%'"
OURS = ('headrace."c:graph"', True)


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "FROM", 500)
    monkeypatch.setattr(graph, "NARROW", 20)


def filled(
    url: str, make_points: MakePoints, number: int, dimension: int = 8, precision: Precision = "float32"
) -> list[Any]:
    points = make_points(number, dimension)
    with closing(PgvectorStore(url, "c", precision=precision)) as store:
        store.ensure(dimension)
        store.upsert(columns(*points))
        assert ask(url, GRAPHS) == []
    return points


def test_a_run_ends_with_a_graph_where_it_pays(postgres_url: str, make_points: MakePoints) -> None:
    filled(postgres_url, make_points, 499)
    assert ask(postgres_url, GRAPHS) == []
    with closing(PgvectorStore(postgres_url, "c")) as reader:
        assert reader.count() == 499
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
        store.upsert(columns(*make_points(1)))
    assert ask(postgres_url, GRAPHS) == [OURS]


def test_who_only_reads_makes_no_graph(postgres_url: str, make_points: MakePoints) -> None:
    filled(postgres_url, make_points, 600)
    ask(postgres_url, b'DROP INDEX headrace."c:graph"')
    with closing(PgvectorStore(postgres_url, "c")) as reader:
        assert len(reader.search(Query(np.ones(8, np.float32), 3))) == 3
    assert ask(postgres_url, GRAPHS) == []


def test_a_graph_of_the_users_own_is_enough(postgres_url: str, make_points: MakePoints) -> None:
    filled(postgres_url, make_points, 400)
    ask(postgres_url, b"CREATE INDEX mine ON headrace.c USING hnsw (embedding vector_cosine_ops) WITH (m = 8)")
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
        store.upsert(columns(*make_points(200)))
    assert ask(postgres_url, GRAPHS) == [("headrace.mine", True)]


def test_an_index_that_was_never_finished_is_replaced(postgres_url: str, make_points: MakePoints) -> None:
    filled(postgres_url, make_points, 600)
    ask(postgres_url, b"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'headrace.\"c:graph\"'::regclass")
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
    assert ask(postgres_url, GRAPHS) == [OURS]


FORMS: list[tuple[int, Precision]] = [(2000, "float32"), (2001, "float32"), (4000, "float32"), (4001, "float32")]


@pytest.mark.parametrize(("dimension", "precision"), [*FORMS, (2001, "float16"), (4001, "float16")])
def test_a_search_uses_the_graph(
    postgres_url: str, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch, dimension: int, precision: Precision
) -> None:
    """With floats of 16 bits above 2,000 dimensions; above 4,000 there is none."""
    monkeypatch.setattr(graph, "FROM", 60)
    is_made, close = dimension <= 4000, 1e-3 if precision == "float16" else 1e-5
    points = filled(postgres_url, make_points, 60, dimension, precision)
    assert ask(postgres_url, GRAPHS) == ([OURS] if is_made else [])
    with closing(PgvectorStore(f"{postgres_url}?options=-c%20enable_seqscan%3Doff", "c")) as store:
        for point in points[:5]:
            hits = store.search(Query(point.vector, 5))
            best = sorted(points, key=lambda one, query=point.vector: -float(one.vector @ query))[:5]
            assert [hit.id for hit in hits] == [one.id for one in best]
            np.testing.assert_allclose(
                [hit.score for hit in hits], [float(one.vector @ point.vector) for one in best], atol=close
            )
    ask(postgres_url, b"SELECT pg_stat_force_next_flush()")
    scans = ask(
        postgres_url, b"SELECT coalesce(sum(idx_scan), 0)::int FROM pg_stat_user_indexes WHERE indexrelname = 'c:graph'"
    )
    assert (scans[0][0] > 0) == is_made


def test_a_filter_far_from_the_query_still_finds_all(postgres_url: str, make_points: MakePoints) -> None:
    """The graph alone gives up after so many records that do not pass."""
    points = make_points(700)
    axis = np.eye(8, dtype=np.float32)[0]
    for row, point in enumerate(points):
        point.payload["metadata"]["side"] = "far" if row < 60 else "near"
        point.vector[0] = -abs(point.vector[0]) if row < 60 else abs(point.vector[0]) + 3
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(8)
        store.upsert(columns(*points))
    url = f"{postgres_url}?options=-c%20enable_seqscan%3Doff%20-c%20hnsw.max_scan_tuples%3D50"
    with closing(PgvectorStore(url, "c")) as store:
        hits = store.search(Query(axis, 50, [Filter("side", "in", ("far",))]))
        assert len(hits) == 50
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len(store.search(Query(axis, 650))) == 650


def test_a_graph_that_cannot_be_made_fails_no_run(
    postgres_url: str, make_points: MakePoints, caplog: pytest.LogCaptureFixture
) -> None:
    points = make_points(600)
    store = PgvectorStore(postgres_url, "c")
    store.ensure(8)
    store.upsert(columns(*points))
    name = f"writer_{postgres_url[-12:]}"
    ask(postgres_url, f"CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA headrace TO {name}".encode())
    ask(postgres_url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON headrace.c TO {name}".encode())
    with closing(PgvectorStore(postgres_url.replace("postgres@", f"{name}@"), "c")) as other:
        other.ensure(8)
        other.upsert(columns(*points))
        with caplog.at_level(logging.WARNING, "headrace"):
            other.close()
    assert "no index could be made" in caplog.text
    assert "must be owner" in caplog.text
    assert ask(postgres_url, GRAPHS) == []
    store.close()
    assert ask(postgres_url, GRAPHS) == [OURS]


def test_a_container_with_little_shared_memory_has_one_process_make_it(
    postgres_url: str, make_points: MakePoints, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, workers = graph._build, list[int]()

    def short(connection: psycopg.Connection, table: Table, dimension: int, processes: int) -> None:
        workers.append(processes)
        if processes:
            raise psycopg.errors.DiskFull(
                'could not resize shared memory segment "/PostgreSQL.7" to 67133632 bytes: No space left on device'
            )
        build(connection, table, dimension, processes)

    monkeypatch.setattr(graph, "_build", short)
    with caplog.at_level(logging.WARNING, "headrace"):
        filled(postgres_url, make_points, 600)
    assert (workers, ask(postgres_url, GRAPHS)) == ([2, 0], [OURS])
    assert "the index is made by one process" in caplog.text
    assert "--shm-size=1g" in caplog.text


BUILDER = """
import sys
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.store import PgvectorStore
graph.FROM = 500
store = PgvectorStore(sys.argv[1], "c")
store.ensure(64)
print("closing", flush=True)
store.close()
"""


def test_a_process_killed_while_it_makes_the_graph_loses_nothing(postgres_url: str, make_points: MakePoints) -> None:
    points = make_points(8000, 64)
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(64)
        store.upsert(columns(*points))
        store._is_ensured = False  # keeps it from making the graph itself
    with subprocess.Popen([sys.executable, "-c", BUILDER, postgres_url], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        building = b"SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND datname = current_database()"
        while not (busy := ask(postgres_url, building)):
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
    ask(postgres_url, f"SELECT pg_terminate_backend({busy[0][0]})".encode())
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(64)
        assert store.count() == 8000
        assert store.search(Query(points[9].vector, 1))[0].id == points[9].id
    assert ask(postgres_url, GRAPHS) == [OURS]


def test_only_one_of_several_makes_it(
    postgres_url: str, make_points: MakePoints, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "headrace")
    stores = [PgvectorStore(postgres_url, "c") for _ in range(4)]
    for store in stores:
        store.ensure(8)
    stores[0].upsert(columns(*make_points(600)))
    threads = [threading.Thread(target=store.close) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [record.getMessage().partition(" for ")[2].split()[0] for record in caplog.records]
    assert sorted(made) == ["filters", "searches"]
    assert ask(postgres_url, GRAPHS) == [OURS]
