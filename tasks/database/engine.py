"""How each kind of database is opened."""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tasks.errors import ConfigError, MissingExtraError

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
_EXPECTED = "expected sqlite:///path/to/file.db, or postgresql+psycopg://user@host/database"


def parse_url(url: str) -> URL:
    """ConfigError, without the password, for what is neither SQLite nor PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"not a database URL; {_EXPECTED}") from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise ConfigError(f"{shown_url(parsed)!r} is not a database that can keep state; {_EXPECTED}")


def shown_url(url: URL) -> str:
    """For messages: the password is hidden."""
    return url.render_as_string(hide_password=True)


def sqlite_path(url: URL) -> Path | None:
    """None for a database in memory, and for PostgreSQL."""
    is_file = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    return Path(str(url.database)) if is_file else None


def begin_statement(connection: Connection) -> str:
    """SQLite takes the write lock at once: upgrading later could fail in the middle of a transaction."""
    return "BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN"


def open_engine(url: URL, schema: str) -> Engine:
    """Autocommit: transactions are begun and ended in plain SQL, the same for both databases."""
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url)
    return _open_postgresql(url, schema)


def _open_sqlite(url: URL) -> Engine:
    path = sqlite_path(url)
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    if path:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Before SQLite makes it with the common mode: it holds paths, and vectors tell of their texts.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments)
    else:
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=StaticPool, connect_args=arguments)
    event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: with NORMAL a power cut may take back commits that the store has already acted upon.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _open_postgresql(url: URL, schema: str) -> Engine:
    arguments = {"connect_timeout": CONNECT_SECONDS, "application_name": "headrace"}
    try:
        engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments)
    except ImportError as error:
        raise MissingExtraError("postgresql", "postgres") from error

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f'SET search_path TO "{schema}"')
        cursor.execute("SET synchronous_commit TO on")
        # A machine that vanished must not hold its advisory lock for the two hours of the system's default.
        for setting in ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3"):
            cursor.execute(f"SET {setting}")
        cursor.close()

    event.listen(engine, "connect", prepare)
    return engine
