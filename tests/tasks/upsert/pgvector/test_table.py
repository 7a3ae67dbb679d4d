"""How collections lie in a database: apart from each other, and readable by others."""

import threading
import time
from contextlib import closing

import numpy as np
import psycopg
import pytest

from tasks.errors import CollectionError
from tasks.records import Filter, Query, Sentinel
from tasks.upsert.pgvector.rows import as_rows
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import Point, columns
from tests.tasks.upsert.pgvector.conftest import MakePoints


def ask(url: str, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_collections_with_any_names_lie_side_by_side(postgres_url: str, make_points: MakePoints) -> None:
    long = "x" * 90
    names = ["c", "C", "c.key", "c_pkey", 'c"; DROP TABLE c; --', "{}", "order", "é", long + "a", long + "b"]
    stores = [PgvectorStore(postgres_url, name) for name in names]
    points = make_points(len(names))
    for number, (store, point) in enumerate(zip(stores, points, strict=True)):
        store.ensure(8)
        store.upsert(columns(point))
        store.mark(Sentinel(names[number], number, "space"))
    for number, (store, point) in enumerate(zip(stores, points, strict=True)):
        assert dict(store.scan()) == {point.id: point.payload}
        assert store.sentinel() == Sentinel(names[number], number, "space")
        store.close()


def test_two_schemas_keep_collections_of_one_name_apart(postgres_url: str, make_points: MakePoints) -> None:
    with (
        closing(PgvectorStore(postgres_url, "c", "one")) as one,
        closing(PgvectorStore(postgres_url, "c", 'an"other')) as other,
    ):
        one.ensure(8)
        other.ensure(16)
        one.upsert(columns(*make_points(2)))
        assert (one.count(), other.count()) == (2, 0)


def test_many_may_make_the_same_collection_at_once(postgres_url: str) -> None:
    stores = [PgvectorStore(postgres_url, f"c{number % 2}") for number in range(8)]
    failures: list[BaseException] = []

    def ensure(store: PgvectorStore) -> None:
        try:
            store.ensure(8)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ensure, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for store in stores:
        store.close()


def test_reading_makes_nothing(postgres_url: str) -> None:
    with closing(PgvectorStore(postgres_url, "c")) as store:
        assert (store.sentinel(), store.count(), list(store.scan())) == (None, 0, [])
        assert store.search(Query(np.ones(8, np.float32), 3, [Filter("a", "in", ("b",))])) == []
    assert ask(postgres_url, b"SELECT count(*) FROM pg_namespace WHERE nspname = 'headrace'") == [(0,)]
    assert ask(postgres_url, b"SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == [(0,)]


def test_a_user_who_may_only_read_searches(store: PgvectorStore, postgres_url: str, make_points: MakePoints) -> None:
    points = make_points(3)
    store.upsert(columns(*points))
    store.mark(Sentinel("line", 1, "space"))
    name = f"reader_{postgres_url[-12:]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA headrace TO {name}".encode())
        connection.execute(f"GRANT SELECT ON headrace.c TO {name}".encode())
        connection.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on".encode())
    with closing(PgvectorStore(postgres_url.replace("postgres@", f"{name}@"), "c")) as reader:
        assert reader.search(Query(points[1].vector, 1, [Filter("row", "in", (1,))]))[0].payload == points[1].payload
        assert (reader.sentinel(), reader.count()) == (Sentinel("line", 1, "space"), 3)
        assert reader.present([points[0].id]) == {points[0].id}
        reader.ensure(8)


def test_other_readers_find_the_columns_they_know(
    store: PgvectorStore, postgres_url: str, make_points: MakePoints
) -> None:
    """The query of LangChain's PGVectorStore, with its columns named `id` and `metadata`."""
    points = make_points(20)
    store.upsert(columns(*points))
    vector = [float(part) for part in points[3].vector]
    query = (
        'SELECT "id", "content", "embedding", "metadata", cosine_distance("embedding", $$[]$$) AS distance'
        ' FROM "headrace"."c" WHERE (metadata ->> $$row$$)::int < 10 ORDER BY "embedding" <=> $$[]$$ LIMIT 4'
    ).replace("[]", str(vector))
    rows = ask(postgres_url, query.encode())
    assert len(rows) == 4
    assert rows[0][1:4:2] == ("text 3", {"row": 3})
    assert ask(postgres_url, b"SELECT DISTINCT jsonb_typeof(headrace) FROM headrace.c") == [("object",)]


def test_a_record_of_another_writer_is_read_as_far_as_it_goes(store: PgvectorStore, postgres_url: str) -> None:
    ask(
        postgres_url,
        b"INSERT INTO headrace.c (id, content, embedding) VALUES"
        b" ('00000000-0000-0000-0000-000000000000', E'a \\x1a b', '[1,0,0,0,0,0,0,0]') RETURNING id",
    )
    assert dict(store.scan()) == {"00000000-0000-0000-0000-000000000000": {"text": "a \x1a b"}}
    hits = store.search(Query(np.eye(8, dtype=np.float32)[0], 5, [Filter("source", "not_in", ("x",))]))
    assert [hit.payload for hit in hits] == [{"text": "a \x1a b"}]


def test_the_sentinel_goes_with_the_table(store: PgvectorStore, postgres_url: str) -> None:
    store.mark(Sentinel("it's", 1, "space"))
    assert store.sentinel() == Sentinel("it's", 1, "space")
    ask(postgres_url, b"DROP TABLE headrace.c")
    assert store.sentinel() is None


@pytest.mark.parametrize("comment", ["a table of ours", "{}", "[1]", '{"a": 1}', "3"])
def test_a_comment_of_somebody_else_is_no_sentinel(store: PgvectorStore, postgres_url: str, comment: str) -> None:
    ask(postgres_url, f"COMMENT ON TABLE headrace.c IS '{comment}'".encode())
    assert store.sentinel() is None
    store.mark(Sentinel("line", 1, "space"))
    assert store.sentinel() == Sentinel("line", 1, "space")


@pytest.mark.parametrize("shape", ["a int", "id uuid, embedding text", "id uuid, embedding headrace.vector"])
def test_a_table_of_somebody_else_is_refused_and_left_alone(postgres_url: str, shape: str) -> None:
    made = f"CREATE SCHEMA headrace; CREATE EXTENSION vector SCHEMA headrace; CREATE TABLE headrace.c ({shape})"
    ask(postgres_url, f"{made}".encode())
    with (
        closing(PgvectorStore(postgres_url, "c")) as store,
        pytest.raises(CollectionError, match="not one of Headrace"),
    ):
        store.ensure(8)
    assert ask(postgres_url, b"SELECT * FROM headrace.c") == []


def test_a_dropped_table_is_made_again_by_the_next_run(
    store: PgvectorStore, postgres_url: str, make_points: MakePoints
) -> None:
    ask(postgres_url, b"DROP TABLE headrace.c")
    with closing(PgvectorStore(postgres_url, "c")) as other:
        other.ensure(16)
        other.upsert(columns(*make_points(3, 16)))
        assert other.count() == 3


@pytest.mark.parametrize("dimension", [1900, 1901, 2000, 2001, 4000, 4001, 16000])
def test_vectors_of_many_dimensions_are_kept_and_found(
    postgres_url: str, make_points: MakePoints, dimension: int
) -> None:
    points = make_points(12, dimension)
    for point in points:
        point.payload["text"] = "long " * 4000
        point.payload["metadata"]["note"] = "n" * 3000
    with closing(PgvectorStore(postgres_url, "c")) as store:
        store.ensure(dimension)
        store.upsert(columns(*points))
        np.testing.assert_allclose(store.vectors([points[0].id])[points[0].id], points[0].vector, atol=1e-7)
        hits = store.search(Query(points[7].vector, 3))
        assert hits[0].id == points[7].id
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)


def test_more_dimensions_than_the_extension_takes_are_refused(postgres_url: str) -> None:
    with (
        closing(PgvectorStore(postgres_url, "c")) as store,
        pytest.raises(CollectionError, match=r"16000.*ask for shorter vectors"),
    ):
        store.ensure(16001)


def test_a_record_that_another_writer_adds_meanwhile_is_replaced(
    store: PgvectorStore, postgres_url: str, make_points: MakePoints
) -> None:
    """New records are copied into the table itself, which fails at an id that nobody could see."""
    points = make_points(20)
    other = as_rows(columns(Point(points[7].id, points[3].vector, {"text": "theirs"})))
    writer = threading.Thread(target=store.upsert, args=(columns(*points),))
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        copying = "COPY headrace.c (id, content, embedding, metadata, headrace) FROM STDIN (FORMAT BINARY)"
        with connection.cursor().copy(copying) as copy:
            copy.set_types(["bytea"] * 5)
            copy.write_row(other[0])
        writer.start()
        waiting = b"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'"
        for _ in range(200):
            if ask(postgres_url, waiting) != [(0,)]:
                break
            time.sleep(0.02)
        connection.commit()
    writer.join()
    assert dict(store.scan()) == {one.id: one.payload for one in points}
    store.upsert(columns(*points))
    assert store.count() == 20
