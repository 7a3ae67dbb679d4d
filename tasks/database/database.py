"""A SQLite or PostgreSQL database behind SQLAlchemy: durable commits, one writer at a time, plain errors."""

import json
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, MetaData

from tasks.database.engine import begin_statement, open_engine, parse_url, shown_url, sqlite_path
from tasks.database.errors import translated
from tasks.database.tables import create_tables

PARAMETERS_PER_QUERY = 900  # SQLite's oldest limit is 999 bound parameters


class Transaction:
    """Statements in plain SQL that both databases understand, with `?` for each parameter.

    They go through the driver: SQLAlchemy's own executemany is 5 to 6 times slower on SQLite.
    """

    def __init__(self, connection: Connection) -> None:
        """`connection` is open; whoever opened it commits."""
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    def execute(self, sql: str, values: Sequence[Any] = ()) -> CursorResult[Any]:
        """One statement; its rows are read lazily."""
        return self._connection.exec_driver_sql(self._own(sql), tuple(values))

    def lock(self, sql: str, values: Sequence[Any] = ()) -> CursorResult[Any]:
        """A SELECT whose rows nobody else changes before this transaction ends; SQLite's writers are alone anyway."""
        return self.execute(sql if self._is_sqlite else f"{sql} FOR UPDATE", values)

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The statement once per row of parameters."""
        if rows:
            self._connection.exec_driver_sql(self._own(sql), list(rows))

    def select_in(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        """Rows of `sql`, whose `{}` becomes a list of parameters, for any number of values."""
        for start in range(0, len(values), PARAMETERS_PER_QUERY):
            part = tuple(values[start : start + PARAMETERS_PER_QUERY])
            yield from self.execute(sql.format(",".join("?" * len(part))), part)

    def _own(self, sql: str) -> str:
        return sql if self._is_sqlite else sql.replace("?", "%s")


class Database:
    """Threads share it; each transaction takes a connection of its own."""

    def __init__(self, url: str, tables: MetaData, schema: str) -> None:
        """Create file and folder (mode 0600 and 0700), or the schema on PostgreSQL, and the tables that are missing.

        A SQLite file holds one set of tables, so `schema` matters on PostgreSQL only.
        """
        parsed = parse_url(url)
        self.schema = schema
        self.path: Path | None = sqlite_path(parsed)
        self.is_shared = parsed.get_backend_name() != "sqlite"  # with other machines
        self.name = str(self.path or shown_url(parsed))
        with translated(self.name):
            self._engine = open_engine(parsed, schema)
            with self._begun() as connection:
                create_tables(connection, tables, schema)

    @contextmanager
    def read(self) -> Generator[Transaction, None, None]:
        """Sees every commit made before; holds no lock."""
        with translated(self.name), self._engine.connect() as connection:
            yield Transaction(connection)

    @contextmanager
    def write(self) -> Generator[Transaction, None, None]:
        """One transaction: all of the block or nothing; other writers of a SQLite file wait up to 30 s."""
        with translated(self.name), self._begun() as connection:
            yield Transaction(connection)

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
            return float(transaction.execute("SELECT extract(epoch FROM clock_timestamp())").scalar_one())

    def close(self) -> None:
        """Drop the connections; SQLite's write-ahead log is folded in by the last one."""
        self._engine.dispose()

    @contextmanager
    def _begun(self) -> Generator[Connection, None, None]:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(begin_statement(connection))
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise


def encode_json(value: Any) -> str:
    """Canonical: equal values give equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
