"""PostgreSQL through SQLAlchemy, for its pool: connections that the server ended are noticed and replaced."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, create_engine, event
from sqlalchemy import Connection as PooledConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tasks.database.connection import Rows
from tasks.database.errors import meaning
from tasks.errors import MissingExtraError, ServiceError, TransientError

CONNECT_SECONDS = 10
_CREATING = 7240321  # the advisory lock under which tables are made: PostgreSQL's IF NOT EXISTS is no protection
_SETTINGS = (
    "synchronous_commit TO on",
    # A machine that vanished must not hold its advisory lock for the two hours of the system's default.
    "tcp_keepalives_idle = 30",
    "tcp_keepalives_interval = 10",
    "tcp_keepalives_count = 3",
)


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
        """End the transaction."""
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
        """One process at a time makes tables, and the schema is there."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (_CREATING,))
        self.execute(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"', ())


class ServerConnections:
    """All of one schema."""

    def __init__(self, url: URL, schema: str, name: str) -> None:
        """`name` is the URL without its password."""
        arguments = {"connect_timeout": CONNECT_SECONDS, "application_name": "headrace"}
        try:
            self._engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments)
        except ImportError as error:
            raise MissingExtraError("postgresql", "postgres") from error
        self._schema = schema
        self._name = name
        event.listen(self._engine, "connect", self._prepare)

    @contextmanager
    def open(self) -> Generator[ServerConnection, None, None]:
        """SQLAlchemy's errors become ours."""
        try:
            with self._engine.connect() as pooled:
                yield ServerConnection(pooled, self._schema)
        except DBAPIError as error:
            raise meaning(self._name, str(error.orig), is_cut=error.connection_invalidated) from error
        except PoolTimeoutError as error:
            raise TransientError(f"{self._name}: no connection became free: {error}") from error
        except SQLAlchemyError as error:
            raise ServiceError(f"{self._name}: {error}") from error

    def close(self) -> None:
        """Drop the connections."""
        self._engine.dispose()

    def _prepare(self, connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for setting in (f'search_path TO "{self._schema}"', *_SETTINGS):
            cursor.execute(f"SET {setting}")
        cursor.close()


def _own(sql: str) -> str:
    return sql.replace("?", "%s")
