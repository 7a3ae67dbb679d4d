"""A database that is only read, through SQLAlchemy, and what its errors mean."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from tasks.errors import ConfigError, HeadraceError, MissingExtraError, ServiceError, TransientError

CONNECT_SECONDS = 10
STEPS = 100_000  # of SQLite, between two looks at the clock: some milliseconds
MOST_WORDS = 500  # characters of a database's own message
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}
# A vanished machine must not keep a run waiting for hours.
_CONNECT: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "headrace",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    },
    "mysql": {"connect_timeout": CONNECT_SECONDS},
    "mariadb": {"connect_timeout": CONNECT_SECONDS},
    "sqlite": {"timeout": CONNECT_SECONDS, "uri": True},
}
_READ_ONLY = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = {milliseconds}"),
    "mysql": ("SET SESSION max_execution_time = {milliseconds}", "START TRANSACTION READ ONLY"),
    "mariadb": ("SET SESSION max_statement_time = {seconds}", "START TRANSACTION READ ONLY"),
    "sqlite": ("PRAGMA query_only = ON",),
    "oracle": ("SET TRANSACTION READ ONLY",),
}
_OUTAGE = re.compile(
    r"refused|timed? ?out|timeout|can't connect|could not connect|lost connection|gone away|reset by peer|broken pipe"
    r"|connection (?:is |was |has been )?(?:closed|lost|reset|not available)|closed the connection|no route|unreachable"
    r"|could not translate|name or service|name resolution|resolve host|starting up|shutting down|recovery mode"
    r"|terminating connection|administrator command|server has (?:closed|gone)|consuming input failed|connection slots"
    r"|too many (?:clients|connections)|locked|is busy|deadlock",
    re.IGNORECASE,
)
_TOO_SLOW = re.compile(
    "^interrupted$|statement timeout|max_statement_time|maximum statement execution time", re.IGNORECASE
)


class ReadOnlyDatabase:
    """Each use has a connection of its own, inside a transaction that cannot write."""

    def __init__(self, url: str, source: str, timeout_seconds: float) -> None:
        """Nothing is contacted before the first use."""
        self._url = url
        self._source = source
        self._timeout_seconds = timeout_seconds

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection in its transaction.

        ConfigError for an address that is none, TransientError where the database is not well, ServiceError for what it
        refuses.
        """
        engine = self._engine
        try:
            with engine.connect() as connection:
                dialect = connection.dialect
                kind = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
                for statement in _READ_ONLY.get(kind, ()):
                    seconds = self._timeout_seconds
                    milliseconds = int(seconds * 1000)
                    connection.exec_driver_sql(statement.format(seconds=seconds, milliseconds=milliseconds))
                if kind == "sqlite":
                    _limit(connection.connection.dbapi_connection, self._timeout_seconds)
                yield connection
        except DBAPIError as error:
            raise self._meaning(str(error.orig), is_cut=error.connection_invalidated) from error
        except SQLAlchemyError as error:
            raise self._meaning(str(error), is_cut=False) from error

    @cached_property
    def _engine(self) -> Engine:
        try:
            url = make_url(self._url)
        except (ArgumentError, ValueError):  # its words may quote the URL
            raise ConfigError(
                f"source {self._source!r}: `url` is no database URL; expected one such as"
                " postgresql://user@host/database, mysql://user@host/database or sqlite:///file.db"
            ) from None
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        backend = url.get_backend_name()
        if backend == "sqlite":
            url = self._read_only_file(url)
        try:
            return create_engine(url, poolclass=NullPool, connect_args=_CONNECT.get(backend, {}))
        except NoSuchModuleError as error:
            raise ConfigError(
                f"source {self._source!r}: no driver for {url.drivername}:// is installed; install the SQLAlchemy"
                " dialect of that database"
            ) from error
        except ImportError as error:
            if (driver := url.get_driver_name()) in _EXTRAS:
                raise MissingExtraError(url.drivername, _EXTRAS[driver]) from error
            raise ConfigError(
                f"source {self._source!r}: {url.drivername}:// needs a driver: pip install {error.name or driver}"
            ) from error

    def _read_only_file(self, url: URL) -> URL:
        """SQLite would make a file that is not there."""
        path = Path(url.database or ":memory:")
        if not path.is_file():
            raise ConfigError(f"source {self._source!r}: {path} is no file; check `url`: sqlite:///file.db")
        return url.set(database=f"file:{quote(str(path))}", query={**url.query, "mode": "ro", "uri": "true"})

    def _meaning(self, words: str, *, is_cut: bool) -> HeadraceError:
        text = " ".join(words.split())[:MOST_WORDS]
        if _TOO_SLOW.search(text):
            return TransientError(
                f"the database of source {self._source!r} took too long: {text}; raise `timeout_seconds`"
            )
        if is_cut or _OUTAGE.search(text):
            return TransientError(f"the database of source {self._source!r} is not well: {text}")
        return ServiceError(
            f"the database of source {self._source!r} refuses: {text}; check `url`, `query` and the account's rights"
        )


def _limit(connection: Any, seconds: float) -> None:
    """SQLite knows no time limit, and one text that is no UTF-8 would fail all rows."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    connection.text_factory = _decoded


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
