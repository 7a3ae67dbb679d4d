"""PostgreSQL through SQLAlchemy, for its pool: connections that the server ended are noticed and replaced."""

import logging
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy import Connection as PooledConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tasks.database.connection import Rows
from tasks.database.server_errors import server_meaning
from tasks.errors import MissingExtraError, ServiceError, TransientError

CONNECT_SECONDS = 10
MOST_CONNECTIONS = 12  # of one process to one database, whatever it keeps there; three are in use as a rule
_CREATING = 7240321  # the advisory lock under which tables are made: PostgreSQL's IF NOT EXISTS is no protection
# A machine that vanished must not hold its advisory lock for the two hours of the system's default, and a run must not
# wait so long for a server that did.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_CONNECT = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "headrace",
    "client_encoding": "UTF8",  # the database's own may lack characters, which the server says better than the driver
    **_KEEPALIVES,
}
_SETTINGS = ("synchronous_commit TO on", *(f"tcp_{name} = {value}" for name, value in _KEEPALIVES.items()))

logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of when a connection was cut, our errors tell


class ServerConnection:
    """Statements go through the driver: SQLAlchemy's own executemany is several times slower."""

    begin = "BEGIN"
    binary = "BYTEA"
    by_key = ""
    for_update = " FOR UPDATE"

    def __init__(self, pooled: PooledConnection, schema: str) -> None:
        """The connection is in autocommit mode."""
        self._pooled = pooled
        self._schema = schema

    def execute(self, sql: str, values: Sequence[Any], /) -> Rows:
        """One statement."""
        result = self._pooled.exec_driver_sql(_own(sql), tuple(values))
        return Rows(list(result) if result.returns_rows else (), result.rowcount)

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]], /) -> None:
        """The statement once per row of parameters."""
        self._pooled.exec_driver_sql(_own(sql), list(rows))

    def rollback(self) -> None:
        """End the transaction; with the connection the server has ended it as well."""
        if not self._pooled.invalidated:
            self._pooled.exec_driver_sql("ROLLBACK")

    def columns(self) -> set[tuple[str, str, bool]]:
        """(table, column, whether it belongs to the key) of all that there is in the schema."""
        sql = (
            "SELECT c.table_name, c.column_name, k.column_name IS NOT NULL FROM information_schema.columns c"
            " LEFT JOIN information_schema.key_column_usage k USING (table_schema, table_name, column_name)"
            " WHERE table_schema = ?"
        )
        return {(table, column, in_key) for table, column, in_key in self.execute(sql, (self._schema,))}

    def names(self) -> set[str]:
        """The names of all tables and indexes that there are in the schema."""
        sql = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ?"
        return {name for (name,) in self.execute(sql, (self._schema,))}

    def prepare(self) -> None:
        """One process at a time makes tables, and the schema is there.

        Only who reads a table hears of what others made while it waited: IF NOT EXISTS alone may still miss a schema.
        """
        self.execute("SELECT pg_advisory_xact_lock(?)", (_CREATING,))
        if not self.execute("SELECT count(*) FROM pg_namespace WHERE nspname = ?", (self._schema,)).scalar():
            self.execute(f'CREATE SCHEMA "{self._schema}"', ())


class ServerConnections:
    """All of one schema: the process has one pool for each database, which its schemas share."""

    def __init__(self, url: URL, schema: str, name: str) -> None:
        """`name` is the URL without its password."""
        try:
            self._engine = _POOLS.enter(url)
        except ImportError as error:
            raise MissingExtraError("postgresql", "postgres") from error
        self._schema = schema
        self._name = name
        self._is_open = True

    @contextmanager
    def open(self) -> Generator[ServerConnection, None, None]:
        """SQLAlchemy's errors become ours."""
        try:
            with self._engine.connect() as pooled:
                self._prepare(pooled)
                yield ServerConnection(pooled, self._schema)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            raise server_meaning(self._name, str(error.orig), state, is_cut=error.connection_invalidated) from error
        except PoolTimeoutError as error:
            raise TransientError(f"{self._name}: no connection became free: {error}") from error
        except SQLAlchemyError as error:
            raise ServiceError(f"{self._name}: {error}") from error

    def close(self) -> None:
        """Drop the connections, where no other schema uses them."""
        if self._is_open:
            _POOLS.leave(self._engine)
        self._is_open = False

    def _prepare(self, pooled: PooledConnection) -> None:
        """A connection remembers the schema that it was prepared for."""
        if pooled.info.get("schema") != self._schema:
            settings = [f'search_path TO "{self._schema}"', *(() if "schema" in pooled.info else _SETTINGS)]
            pooled.exec_driver_sql("; ".join(f"SET {setting}" for setting in settings))
            pooled.info["schema"] = self._schema


class _Pools:
    """The engines of this process, and how many use each."""

    def __init__(self) -> None:
        self._engines: dict[URL, Engine] = {}
        self._users: dict[Engine, int] = {}
        self._turn = threading.Lock()

    def enter(self, url: URL) -> Engine:
        with self._turn:
            engine = self._engines.get(url)
            if engine is None:
                engine = self._engines[url] = create_engine(
                    url,
                    isolation_level="AUTOCOMMIT",
                    pool_pre_ping=True,  # one that was cut while nobody used it is replaced without a word
                    max_overflow=MOST_CONNECTIONS - 5,  # beside the five that a pool keeps
                    connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
                )
            self._users[engine] = self._users.get(engine, 0) + 1
            return engine

    def leave(self, engine: Engine) -> None:
        with self._turn:
            self._users[engine] -= 1
            if not self._users[engine]:
                engine.dispose()
                del self._users[engine]
                self._engines = {url: one for url, one in self._engines.items() if one is not engine}


_POOLS = _Pools()


def _own(sql: str) -> str:
    return sql.replace("?", "%s")
