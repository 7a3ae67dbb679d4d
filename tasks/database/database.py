"""A SQLite or PostgreSQL database: durable commits, one writer at a time, plain errors."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.database.address import is_sqlite, server_url, shown, sqlite_path
from tasks.database.connection import PARAMETERS_PER_QUERY, Connection, Connections, Rows
from tasks.database.errors import translated
from tasks.database.migrations import Layout, is_current, migrate_once
from tasks.database.sqlite import SqliteConnections
from tasks.errors import ConfigError
from tasks.slices import slices

# No answer, which is false, where there are no tables yet.
_READ_ONLY = (
    "SELECT current_setting('transaction_read_only')::bool"
    " OR bool_and(NOT has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE')) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'"
)


class Transaction:
    """Statements in plain SQL that both databases understand, with `?` for each parameter."""

    def __init__(self, connection: Connection) -> None:
        """`connection` is open; whoever opened it commits."""
        self.connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """One statement; its rows are read at once."""
        return self.connection.execute(sql, values)

    def lock(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """A SELECT whose rows nobody else changes before this transaction ends."""
        return self.connection.execute(sql + self.connection.for_update, values)

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The statement once per row of parameters."""
        if rows:
            self.connection.many(sql, rows)

    def select_in(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        """Rows of `sql`, whose `{}` becomes a list of parameters, for any number of values."""
        for part in slices(values, PARAMETERS_PER_QUERY):
            yield from self.execute(sql.format(",".join("?" * len(part))), tuple(part))


class Database:
    """Threads share it; each transaction takes a connection of its own."""

    def __init__(self, url: str, layout: Layout, schema: str, *, read_only: bool = False) -> None:
        """Create file and folder (mode 0600 and 0700), or PostgreSQL's schema, and bring the tables up to `layout`.

        `schema` matters on PostgreSQL only. ConfigError for a database that a newer version wrote. `read_only` opens a
        file that this account may not write as well; ConfigError where it would have to be brought up first.
        """
        self.schema = schema
        self.path: Path | None = sqlite_path(url)
        self.is_shared = not is_sqlite(url)  # with other machines
        self.name = shown(url)
        with translated(self.name):
            self._connections = self._opened(url, read_only)
            try:
                self._migrate(layout)
            except BaseException:
                self._connections.close()
                raise

    @property
    def is_read_only(self) -> bool:
        """Whether this account may not write it."""
        if isinstance(self._connections, SqliteConnections):
            return self._connections.is_read_only
        with self._connections.open() as connection:
            return bool(connection.execute(_READ_ONLY, (self.schema,)).scalar())

    @contextmanager
    def read(self) -> Generator[Transaction, None, None]:
        """Sees every commit made before; holds no lock."""
        with translated(self.name), self._connections.open() as connection:
            yield Transaction(connection)

    @contextmanager
    def write(self) -> Generator[Transaction, None, None]:
        """One transaction: all of the block or nothing; other writers of a SQLite file wait up to 30 s."""
        with translated(self.name), self._connections.open() as connection:
            connection.execute(connection.begin, ())
            try:
                yield Transaction(connection)
                connection.execute("COMMIT", ())
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def session(self) -> Generator[Transaction, None, None]:
        """A connection without a transaction, for what lives as long as a connection: an advisory lock."""
        with self.read() as transaction:
            yield transaction

    def now(self) -> float:
        """Seconds since 1970 by the clock that all users of the database share: this machine's, or the server's."""
        if not self.is_shared:
            return time.time()
        with self.read() as transaction:
            return float(transaction.execute("SELECT extract(epoch FROM clock_timestamp())").scalar())

    def remove(self) -> None:
        """Close the database and delete it: its file, or its schema."""
        if self.is_shared:
            with self.write() as transaction:
                transaction.execute(f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')
        self.close()
        if self.path is not None:
            for suffix in ("-wal", "-shm", ".lock", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def rest(self) -> None:
        """Drop a file's idle connections with their caches; it is opened again when it is needed."""
        if self.path is not None:
            self._connections.close()

    def close(self) -> None:
        """Drop the connections; SQLite's write-ahead log is folded in by the last one."""
        self._connections.close()

    def _migrate(self, layout: Layout) -> None:
        while not self._is_current(layout):
            if self.is_read_only:
                raise ConfigError(
                    f"{self.name}: an older Headrace made this {layout.name}, and this account may not bring it up to"
                    " date; let the account that owns it run `headrace status` or sync once, then read again"
                )
            with self.write() as transaction:
                migrate_once(transaction.connection, layout, self.name)

    def _is_current(self, layout: Layout) -> bool:
        with self._connections.open() as connection:
            return is_current(connection, layout, self.name)

    def _opened(self, url: str, read_only: bool) -> Connections:
        if not self.is_shared:
            return SqliteConnections(self.path, read_only=read_only)
        from tasks.database.postgresql import ServerConnections

        return ServerConnections(server_url(url), self.schema, self.name)
