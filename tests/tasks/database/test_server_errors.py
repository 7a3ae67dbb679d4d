"""Whatever keeps PostgreSQL from being used is one clear line with a remedy, for a ledger and for a collection."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, nullcontext

import psycopg
import pytest

from tasks.database.database import Database
from tasks.database.server_errors import server_meaning
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError
from tasks.ledger.lease import undisturbed
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import LEDGER
from tasks.upsert.pgvector.store import PgvectorStore
from tests.postgres_server import PostgresServer

FAILED = 'connection failed: connection to server at "h", port 5432 failed: '
SECRET = "s3cret"


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ("FATAL: sorry, too many clients already", TransientError, "close others"),
        ('FATAL: too many connections for role "x"', TransientError, "raise its limit"),
        ("FATAL: remaining connection slots are reserved for roles with the SUPERUSER", TransientError, "close others"),
        ("FATAL: no more connections allowed (max_client_conn)", TransientError, "close others"),
        ("FATAL: the database system is starting up", TransientError, "once it is up"),
        ("FATAL: the database system is shutting down", TransientError, "once it is up"),
        ("FATAL: the database system is in recovery mode", TransientError, "once it is up"),
        ("FATAL: the database system is not yet accepting connections", TransientError, "once it is up"),
        ("FATAL: terminating connection due to administrator command", TransientError, "ended the connection"),
        ("FATAL: server login has been failing, try again later (server_login_retry)", TransientError, "run again"),
        ("server closed the connection unexpectedly", TransientError, "once it is up"),
        ("No route to host", TransientError, "firewall"),
        ("Network is unreachable", TransientError, "network"),
        ("timeout expired", TransientError, "firewall"),
        ('could not translate host name "h" to address: Temporary failure', TransientError, "the network"),
        ('FATAL: role "nobody" does not exist', ConfigError, "the user and the password"),
        ('FATAL: password authentication failed for user "x"', ConfigError, "the password"),
        ("fe_sendauth: no password supplied", ConfigError, "the password"),
        ('FATAL: Peer authentication failed for user "x"', ConfigError, "the user"),
        ('FATAL: permission denied for database "d" DETAIL: User does not have CONNECT', ConfigError, "GRANT CONNECT"),
        ('FATAL: no pg_hba.conf entry for host "::1", user "x", database "d", no encryption', ConfigError, "admits no"),
        ("FATAL: pg_hba.conf rejects connection for host", ConfigError, "admits no such connection"),
        (
            'root certificate file "/ca.pem" does not exist Either provide the file',
            ConfigError,
            "check sslmode and sslr",
        ),
        ("SSL error: certificate verify failed", ConfigError, "sslrootcert"),
        ('server certificate for "x" does not match host name "h"', ConfigError, "whom the server's certificate names"),
        ("SSL error: tlsv1 alert protocol version", ConfigError, "versions of TLS"),
        ('private key file "k" has group or world access', ConfigError, "sslkey"),
        ("received invalid response to SSL negotiation: H", ConfigError, "no PostgreSQL server answers there"),
        ("expected authentication request from server, but received H", ConfigError, "no PostgreSQL server"),
        ("FATAL: Datenbank »d« existiert nicht", ConfigError, "refuses the connection"),
    ],
)
def test_a_refusal_at_the_door_has_a_meaning(words: str, kind: type[HeadraceError], told: str) -> None:
    error = server_meaning("db", FAILED + words, None, is_cut=True)
    assert type(error) is kind
    assert told in str(error)
    assert "disk" not in str(error)


@pytest.mark.parametrize(
    ("state", "kind", "told"),
    [
        ("53100", ServiceError, "make room"),
        ("53300", TransientError, "close others"),
        ("57014", TransientError, "statement_timeout"),
        ("57P01", TransientError, "once it is up"),
        ("25P03", TransientError, "run again"),
        ("40P01", TransientError, "run again"),
        ("25006", ServiceError, "is it a replica"),
        ("42501", ServiceError, "grant it"),
        ("28P01", ConfigError, "the password"),
    ],
)
def test_a_state_means_the_same_in_every_language(state: str, kind: type[HeadraceError], told: str) -> None:
    error = server_meaning("db", "es ist etwas geschehen", state)
    assert type(error) is kind
    assert told in str(error)


def told(url: str, kind: type[HeadraceError], what: str) -> str:
    """How a ledger, or a collection, there is refused."""
    with pytest.raises(kind) as raised:
        Ledger(url, "trial") if what == "ledger" else PgvectorStore(url, "c").ensure(8)
    text = str(raised.value)
    assert SECRET not in text
    assert "disk" not in text
    assert re.search("127.0.0.1|`url` under `store`", text)
    return text


@pytest.mark.parametrize("what", ["ledger", "collection"])
@pytest.mark.parametrize(
    ("end", "remedy"),
    [
        ("?sslmode=require", "the server has no TLS"),
        ("?sslmode=maybe", "check sslmode"),
        ("?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "check sslmode"),
        (f"-none?password={SECRET}", "check the address"),
        ("?nonsense=1", "in the URL|cannot be read"),
        ("?connect_timeout=soon", "check the settings"),
        ("?options=-cfoo%3Dbar", "check the settings"),
        ("?service=nowhere", "check the settings"),
        ("?target_session_attrs=standby", "check target_session_attrs"),
        ("?require_auth=scram-sha-256", "check the settings"),
    ],
)
def test_a_mistake_in_the_url_is_a_mistake_in_the_settings(postgres_url: str, what: str, end: str, remedy: str) -> None:
    assert re.search(remedy, told(postgres_url + end, ConfigError, what))


@pytest.mark.parametrize(("port", "words"), [("port", "not a database URL"), ("-1", "the port"), ("99999", "the port")])
def test_what_is_no_port_is_a_mistake_in_the_settings(port: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Ledger(f"postgresql://u:{SECRET}@127.0.0.1:{port}/d", "trial")
    assert SECRET not in str(raised.value)


@pytest.fixture
def rules(postgres: PostgresServer) -> Iterator[None]:
    """Users who are asked for a password, let in no more, let in once, or kept out."""
    file = postgres.folder / "data" / "pg_hba.conf"
    before = file.read_text()
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        for role in ("asked", "barred", "unknown"):
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'other'".encode())
        connection.execute("CREATE ROLE closed NOLOGIN")
        connection.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
        every = "host all {} 127.0.0.1/32 {}\n"
        admitted = [("postgres", "trust"), ("closed", "trust"), ("crowd", "trust"), ("asked", "scram-sha-256")]
        file.write_text("".join(every.format(*rule) for rule in [*admitted, ("barred", "reject")]))
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        yield
        file.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("DROP ROLE asked, barred, unknown, closed, crowd")


@pytest.mark.parametrize("what", ["ledger", "collection"])
def test_each_refusal_of_a_user_is_told_with_its_remedy(postgres_url: str, rules: None, what: str) -> None:
    def refused(user: str, kind: type[HeadraceError] = ConfigError) -> str:
        return told(postgres_url.replace("postgres@", f"{user}:{SECRET}@"), kind, what)

    assert "check the address, the user and the password" in refused("asked")
    assert "the server admits no such connection" in refused("barred")
    assert "the server admits no such connection" in refused("unknown")
    assert "ALTER ROLE … LOGIN" in refused("closed")
    assert "close others" in refused("crowd", TransientError)


def test_a_time_limit_in_the_url_is_the_users_own(postgres_url: str) -> None:
    ledger = Ledger(f"{postgres_url}?connect_timeout=7&application_name=mine", "trial")
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mine'").fetchone()
    ledger.close()
    assert rows
    assert rows[0] > 0


def test_a_user_without_rights_is_told_what_the_owner_grants(postgres_url: str) -> None:
    Ledger(postgres_url, "trial").close()
    name = f"stranger_{postgres_url[-8:]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
    assert "the owner grants that" in told(postgres_url.replace("postgres@", f"{name}@"), ServiceError, "ledger")


@pytest.mark.parametrize(("encoding", "is_told"), [("LATIN1", True), ("SQL_ASCII", False)])
def test_what_a_database_cannot_spell_is_told_by_its_encoding(
    postgres: PostgresServer, encoding: str, is_told: bool
) -> None:
    name = f"{encoding.lower()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0".encode())
    database = Database(f"postgresql+psycopg://postgres@127.0.0.1:{postgres.port}/{name}", LEDGER, "trial")
    put = "INSERT INTO meta (key, value) VALUES ('k', ?)"
    with pytest.raises(ServiceError, match="ENCODING 'UTF8'") if is_told else nullcontext():
        with database.write() as transaction:
            transaction.execute(put, ("世界",))
        with database.read() as transaction:
            assert transaction.execute("SELECT value FROM meta WHERE key = 'k'").scalar() == "世界"
    database.close()


def test_a_user_who_may_only_read_is_known_and_looks_through_the_ledger(postgres_url: str) -> None:
    with closing(Ledger(postgres_url, "trial")) as ledger:
        assert not ledger.database.is_read_only
        schema = ledger.database.schema
    name = f"reader_{postgres_url[-8:]}"
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        granted = (
            f'GRANT USAGE ON SCHEMA "{schema}" TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {name}'
        )
        connection.execute(f"CREATE ROLE {name} LOGIN; {granted}".encode())
    for url in (
        postgres_url.replace("postgres@", f"{name}@"),
        f"{postgres_url}?options=-cdefault_transaction_read_only=on",
    ):
        with closing(Ledger(url, "trial", read_only=True)) as ledger, undisturbed(ledger):
            assert ledger.database.is_read_only
            assert ledger.counts().live == 0
