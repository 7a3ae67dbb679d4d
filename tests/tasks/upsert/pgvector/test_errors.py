"""What can go wrong on the way to a server: each is one clear line, and none shows the password."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tasks.errors import CollectionError, ConfigError, HeadraceError, ServiceError, TransientError
from tasks.records import Query, Sentinel
from tasks.upsert.pgvector.errors import translate
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import columns
from tests.postgres_server import PostgresServer
from tests.tasks.upsert.pgvector.conftest import MakePoints
from tests.tasks.upsert.pgvector.test_table import ask

SECRET = "s3cr%25t"


def with_user(url: str, user: str) -> str:
    return url.replace("postgres@", f"{user}:{SECRET}@")


@pytest.fixture
def user(postgres_url: str) -> str:
    """May connect, and nothing else."""
    name = f"user_{postgres_url[-12:]}"
    ask(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 'other'".encode())
    return name


@pytest.fixture
def strict_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Asks users other than its owner for a password."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n{before}")
    reload = b"SELECT pg_reload_conf()"
    ask(postgres.dsn("postgres"), reload)
    time.sleep(0.2)
    yield postgres
    rules.write_text(before)
    ask(postgres.dsn("postgres"), reload)


def failure(store: PgvectorStore, kind: type[HeadraceError]) -> str:
    with closing(store), pytest.raises(kind) as raised:
        store.ensure(8)
    text = str(raised.value)
    assert "s3cr" not in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x.db",
        "mysql://u:s3cret@h/d",
        "localhost/d",
        "",
        "postgresql://u:s3cr%et@h/d",
        "postgresql://u:s3cret@h/d?nonsense=1",
    ],
)
def test_what_is_no_url_of_a_server_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(ConfigError, match="expected postgresql://") as raised:
        failure(PgvectorStore(url, "c"), ConfigError)
    assert "s3cr" not in str(raised.value)


@pytest.mark.parametrize(("end", "word"), [("h:port/d", "Servname"), ("127.0.0.1/d?sslmode=maybe", "invalid sslmode")])
def test_a_wrong_part_of_a_url_is_named(end: str, word: str) -> None:
    assert word in failure(PgvectorStore(f"postgresql://u:{SECRET}@{end}", "c"), ConfigError)


def test_a_wrong_password_is_a_mistake_in_the_settings(
    strict_server: PostgresServer, postgres_url: str, user: str
) -> None:
    text = failure(PgvectorStore(with_user(postgres_url, user), "c"), ConfigError)
    assert "password authentication failed" in text
    assert "check the address, the user and the password" in text


def test_an_unknown_database_is_a_mistake_in_the_settings(postgres_url: str) -> None:
    text = failure(PgvectorStore(f"{postgres_url}x", "c"), ConfigError)
    assert "does not exist; check the address" in text


def test_an_unknown_host_is_named(postgres_url: str) -> None:
    url = with_user(postgres_url, "u").replace("127.0.0.1", "nowhere.invalid")
    assert "nowhere.invalid" in failure(PgvectorStore(url, "c"), HeadraceError)


def test_a_server_that_is_not_up_may_be_up_soon() -> None:
    url = f"postgresql://u:{SECRET}@127.0.0.1:1/d"
    assert "is the server up" in failure(PgvectorStore(url, "c"), TransientError)


def test_a_missing_extension_names_the_statement_that_makes_it(postgres_url: str, user: str) -> None:
    text = failure(PgvectorStore(with_user(postgres_url, user), "c"), ServiceError)
    assert "CREATE EXTENSION vector" in text


def test_an_extension_in_a_schema_of_its_own_is_told_with_what_finds_it(postgres_url: str) -> None:
    ask(postgres_url, b"CREATE SCHEMA exts; CREATE EXTENSION vector SCHEMA exts")
    text = failure(PgvectorStore(postgres_url, "c"), ServiceError)
    assert "pgvector lies in the schema exts, which is not in this user's search_path" in text
    assert "ALTER ROLE CURRENT_USER SET search_path" in text
    with closing(PgvectorStore(f"{postgres_url}?options=-csearch_path%3Dpublic,exts", "c")) as store:
        store.ensure(8)


def test_a_server_without_encryption_is_no_passing_fault(postgres_url: str) -> None:
    text = failure(PgvectorStore(f"{postgres_url}?sslmode=require", "c"), ConfigError)
    assert "check sslmode" in text


def test_a_user_who_may_make_no_schema_is_told_so(postgres_url: str, user: str) -> None:
    ask(postgres_url, b"CREATE EXTENSION vector")
    text = failure(PgvectorStore(with_user(postgres_url, user), "c"), ServiceError)
    assert "permission denied for database" in text
    assert "grant" in text


def test_an_old_extension_is_told_apart(postgres_url: str) -> None:
    ask(postgres_url, b"CREATE EXTENSION vector")
    ask(postgres_url, b"UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    text = failure(PgvectorStore(postgres_url, "c"), ServiceError)
    assert "pgvector 0.7.4, expected 0.8 or newer" in text


def test_a_user_who_may_only_read_cannot_write(
    store: PgvectorStore, postgres_url: str, user: str, make_points: MakePoints
) -> None:
    ask(postgres_url, f"GRANT USAGE ON SCHEMA headrace TO {user}; GRANT SELECT ON headrace.c TO {user}".encode())
    with closing(PgvectorStore(with_user(postgres_url, user), "c")) as reader:
        reader.ensure(8)
        (point,) = make_points(1)
        for write in (
            lambda: reader.upsert(columns(point)),
            lambda: reader.delete([point.id]),
            lambda: reader.mark(Sentinel("line", 1, "space")),
        ):
            with pytest.raises(ServiceError, match=r"collection c .*; this user may not do that"):
                write()


def test_a_server_that_takes_no_writes_is_told_apart(
    store: PgvectorStore, postgres_url: str, make_points: MakePoints
) -> None:
    ask(postgres_url, f"ALTER DATABASE {postgres_url[-17:]} SET default_transaction_read_only = on".encode())
    with closing(PgvectorStore(postgres_url, "c")) as other, pytest.raises(ServiceError, match="is it a replica"):
        other.upsert(columns(*make_points(1)))


def test_a_time_limit_of_the_server_is_named(store: PgvectorStore, postgres_url: str, make_points: MakePoints) -> None:
    store.upsert(columns(*make_points(3)))
    url = f"{postgres_url}?options=-c%20statement_timeout%3D200"
    with (
        closing(PgvectorStore(url, "c")) as hurried,
        psycopg.connect(postgres_url.replace("+psycopg", "")) as other,
    ):
        other.execute("LOCK TABLE headrace.c IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TransientError, match="raise statement_timeout"):
            hurried.upsert(columns(*make_points(1)))


def test_a_connection_that_was_cut_is_made_again(
    store: PgvectorStore, postgres_url: str, make_points: MakePoints
) -> None:
    one, other = make_points(2)
    store.upsert(columns(one))
    ask(postgres_url, b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headrace'")
    with pytest.raises(TransientError, match="run again"):
        store.upsert(columns(other))
    store.upsert(columns(other))
    assert store.present([one.id, other.id]) == {one.id, other.id}


def test_a_server_that_dies_in_a_batch_keeps_what_was_acknowledged(make_points: MakePoints) -> None:
    points = make_points(4000)
    with PostgresServer() as server:
        url = server.new_database("d")
        store = PgvectorStore(url, "c")
        store.ensure(8)
        store.upsert(columns(*points[:2000]))
        server.stop()
        with pytest.raises(TransientError):
            store.upsert(columns(*points[2000:]))
        with pytest.raises(TransientError, match="is the server up"):
            store.count()
        server.start()
        assert store.count() == 2000
        store.upsert(columns(*points[2000:]))
        assert store.present([one.id for one in points]) == {one.id for one in points}
        store.close()


def test_a_full_disk_is_told_apart_and_loses_no_acknowledged_record(
    store: PgvectorStore, postgres: PostgresServer, postgres_url: str, make_points: MakePoints
) -> None:
    """The table lies on a file system of 2 MB."""
    folder = postgres.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        space = folder / "space"
        space.mkdir()
        shutil.chown(space, "nobody")
        ask(postgres_url, f"CREATE TABLESPACE small LOCATION '{space}'".encode())
        ask(postgres_url, b"ALTER TABLE headrace.c SET TABLESPACE small")
        points = make_points(4000)
        for point in points:
            point.payload["metadata"]["noise"] = os.urandom(400).hex()
        store.upsert(columns(*points[:1000]))
        with pytest.raises(ServiceError, match="the server's disk is full, or its shared memory"):
            store.upsert(columns(*points[1000:]))
        assert store.count() == 1000
        store.delete([one.id for one in points])
        ask(postgres_url, b"DROP TABLE headrace.c")
        ask(postgres_url, b"DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_a_vector_of_another_dimension_is_no_question(store: PgvectorStore, make_points: MakePoints) -> None:
    store.upsert(columns(*make_points(1)))
    with pytest.raises(CollectionError, match="different vector dimensions 8 and 9"):
        store.search(Query(make_points(1, 9)[0].vector, 1))


def test_a_closed_store_says_so(store: PgvectorStore) -> None:
    store.close()
    store.close()
    with pytest.raises(ServiceError, match=r"collection c .* was used after it had been closed"):
        store.count()


def test_every_state_of_a_server_has_a_meaning() -> None:
    kinds = [
        kind for kind in vars(psycopg.errors).values() if isinstance(kind, type) and issubclass(kind, psycopg.Error)
    ]
    states = {kind.sqlstate for kind in kinds if kind.sqlstate}
    assert len(states) > 200
    for state in states:
        error = psycopg.errors.lookup(state)("some words")
        assert str(translate(error, "the collection c")).startswith("the collection c: some words; ")
