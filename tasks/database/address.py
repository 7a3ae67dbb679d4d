"""Where a database is: the URLs that can be used, and what of them may be shown."""

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import URL

IN_MEMORY = "sqlite://"
_SECRET = ("password", "sslpassword", "oauth_client_secret")
_EXPECTED = "expected sqlite:///path/to/file.db, or postgresql+psycopg://user@host/database"


class Reach(IntEnum):
    """How far apart processes may be that write to the same place at the same time."""

    PROCESS, MACHINE, NETWORK = range(3)


def reach_of(url: str) -> Reach:
    """That of a database: one in memory is its process's own, a file the machine's."""
    if not is_sqlite(url):
        return Reach.NETWORK
    return Reach.MACHINE if sqlite_path(url) else Reach.PROCESS


def is_sqlite(url: str) -> bool:
    """Whether it is a URL of SQLite, with or without the name of a driver."""
    return url.partition("://")[0].partition("+")[0] == "sqlite"


def sqlite_path(url: str) -> Path | None:
    """None for a database in memory, and for PostgreSQL."""
    path = url.partition("://")[2].partition("?")[0].removeprefix("/")
    return Path(path) if is_sqlite(url) and path not in ("", ":memory:") else None


def shown(url: str) -> str:
    """What messages show: the file, or the URL without its password; ConfigError for no URL of a known database."""
    return str(sqlite_path(url) or url) if is_sqlite(url) else _hidden(server_url(url))


def server_url(url: str) -> "URL":
    """ConfigError, without the password, for what is neither SQLite nor PostgreSQL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its words may quote the URL
        raise ConfigError(f"not a database URL; {_EXPECTED}") from None
    if parsed.get_backend_name() != "postgresql":
        raise ConfigError(f"{_hidden(parsed)!r} is not a database that can keep state; {_EXPECTED}")
    return parsed.set(drivername="postgresql+psycopg")


def _hidden(url: "URL") -> str:
    """As it may be shown: libpq takes passwords behind the ? as well."""
    return url.difference_update_query(_SECRET).render_as_string(hide_password=True)
