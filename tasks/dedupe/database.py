"""A SQLite database behind SQLAlchemy: durable commits, immediate write transactions, plain errors."""

import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, StaticPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError

BUSY_SECONDS = 30
PARAMETERS_PER_QUERY = 900  # SQLite's oldest limit is 999 bound parameters


class Database:
    """One database file. Threads share it; each transaction takes a connection of its own.

    The hot statements go through the driver's executemany: SQLAlchemy's own is 5 to 6 times slower on SQLite.
    """

    def __init__(self, url: str, tables: MetaData) -> None:
        """Create file, folder (mode 0700) and tables where they are missing."""
        self.path = _path_of(url)
        with _translated(self.path):
            if self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._engine = _open_engine(url, in_memory=self.path is None)
            with self.write() as connection:
                tables.create_all(connection)

    @contextmanager
    def read(self) -> Generator[Connection, None, None]:
        """Sees every commit made before; holds no lock."""
        with _translated(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection, None, None]:
        """One transaction: all of the block or nothing; other writers wait up to 30 s."""
        with _translated(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise

    def close(self) -> None:
        """Drop the connections; the write-ahead log is folded in by the last one."""
        self._engine.dispose()


def many(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute `sql` once per row of positional parameters."""
    if rows:
        connection.exec_driver_sql(sql, list(rows))


def select_in(connection: Connection, sql: str, values: Sequence[Any]) -> Iterator[Any]:
    """Rows of `sql`, whose `{}` becomes a list of parameters, for any number of values."""
    for start in range(0, len(values), PARAMETERS_PER_QUERY):
        part = tuple(values[start : start + PARAMETERS_PER_QUERY])
        yield from connection.exec_driver_sql(sql.format(",".join("?" * len(part))), part)


def encode_json(value: Any) -> str:
    """Canonical: equal values give equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _path_of(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"{url!r} is no database URL; expected sqlite:///path/to/file.db") from error
    if parsed.get_backend_name() != "sqlite":
        shown = parsed.render_as_string(hide_password=True)
        raise ConfigError(f"{shown!r}: this version keeps its state in SQLite; expected sqlite:///path/to/file.db")
    return Path(parsed.database) if parsed.database and parsed.database != ":memory:" else None


def _open_engine(url: str, *, in_memory: bool) -> Engine:
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    try:
        if in_memory:
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=StaticPool, connect_args=arguments)
        else:
            engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=arguments)
    except NoSuchModuleError as error:
        raise ConfigError(f"{url!r}: no driver for this database; expected sqlite:///path/to/file.db") from error
    event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: with NORMAL a power cut may take back commits that the store has already acted upon.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _translated(path: Path | None) -> Generator[None, None, None]:
    where = path or "the database in memory"
    try:
        yield
    except HeadraceError:
        raise
    except DBAPIError as error:
        text = str(error.orig)
        if "locked" in text or "busy" in text:
            raise TransientError(f"{where} is locked by another process: {text}; waited {BUSY_SECONDS} s") from error
        raise ServiceError(f"{where}: {text}; check disk space, permissions and the file's health") from error
    except OSError as error:
        if error.filename and path and os.fspath(path.parent).startswith(str(error.filename)):
            raise ServiceError(f"cannot create {path.parent}: {error.strerror}; choose another `state`") from error
        raise
