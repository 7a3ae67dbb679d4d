"""One connection to the server, made when it is needed and again when it was lost."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads

from tasks.errors import ConfigError, ServiceError
from tasks.upsert.pgvector.errors import translated
from tasks.upsert.pgvector.rows import decoded

_EXPECTED = "expected postgresql://user@host:5432/database"
_DEFAULTS = {
    "application_name": "headrace",
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    # A server that vanished is noticed within a minute or two, where the system's default is two hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class Server:
    """One transaction at a time; sessions keep no settings, so a pooler such as PgBouncer may stand between."""

    def __init__(self, url: str, collection: str) -> None:
        """`url` as SQLAlchemy or libpq take it; `collection` is for messages."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
            raise ConfigError(f"`url` under `store` is no URL of PostgreSQL; {_EXPECTED}")
        try:
            given = conninfo_to_dict(f"postgresql://{rest}")
        except psycopg.ProgrammingError:
            # libpq's words may quote the URL, and a password with it.
            raise ConfigError(f"`url` under `store` cannot be read; {_EXPECTED}, % signs written as %25") from None
        settings: dict[str, Any] = {**_DEFAULTS, **given}
        self._address = make_conninfo(**settings)
        host, port = given.get("host", "localhost"), given.get("port", 5432)
        self.address = f"postgresql://{host}:{port}/{given.get('dbname', '')}"
        self.name = f"the collection {collection} in {self.address}"
        self._connection: psycopg.Connection | None = None
        self._is_closed = False
        self._turn = threading.RLock()

    @contextmanager
    def transaction(self) -> Generator[psycopg.Connection]:
        """Committed when the block ends; the driver's errors become ours."""
        with self._turn, translated(self.name):
            connection = self._connected()
            with connection.transaction():
                yield connection

    def close(self) -> None:
        """Further transactions fail; closing twice is no error."""
        with self._turn:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()

    def _connected(self) -> psycopg.Connection:
        if self._is_closed:
            raise ServiceError(f"{self.name} was used after it had been closed")
        if self._connection is None or self._connection.closed:
            # Prepared statements would be planned once, whatever a search filters by.
            self._connection = psycopg.connect(self._address, autocommit=True, prepare_threshold=None)
            set_json_loads(decoded, self._connection)
        return self._connection
