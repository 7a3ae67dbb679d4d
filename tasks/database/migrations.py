"""Brings a database up to the tables that this version expects, in numbered steps.

The steps are functions `m001_…`, `m002_…`, kept for ever and never changed: each takes the database from the state that
the one before left behind to the next, rows included. A new file takes them all, so it cannot differ from an old one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.database.connection import Connection
from tasks.errors import ConfigError, ServiceError

_VERSIONS = "headrace_version"  # by the name of the layout: one SQLite file may hold several
_CREATE = f"CREATE TABLE {_VERSIONS} (layout VARCHAR NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (layout))"
_GET = f"SELECT version FROM {_VERSIONS} WHERE layout = ?"  # noqa: S608 - a constant
_PUT = (
    f"INSERT INTO {_VERSIONS} (layout, version) VALUES (?, ?)"  # noqa: S608 - a constant
    " ON CONFLICT (layout) DO UPDATE SET version = excluded.version"
)

Migration = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a database is made of: `migrations[n]` takes it from version n to n + 1."""

    name: str
    migrations: Sequence[Migration]

    @property
    def version(self) -> int:
        """That of this program."""
        return len(self.migrations)


def is_current(connection: Connection, layout: Layout, name: str) -> bool:
    """Whether nothing is to be done; ConfigError where a newer program made the database called `name`.

    Reads only, so that a current database can be opened by who may not write to it.
    """
    version = _version(connection, layout)
    if version > layout.version:
        raise ConfigError(
            f"{name}: this {layout.name} has version {version} of its tables, and this program knows them up to version"
            f" {layout.version}; a newer Headrace wrote it: update Headrace, or name another database"
        )
    return version == layout.version


def migrate_once(connection: Connection, layout: Layout, name: str) -> None:
    """Take the next step, inside a transaction that is alone; nothing where another process took the last one."""
    connection.prepare()
    version = _version(connection, layout)
    if version >= layout.version:
        return
    try:
        layout.migrations[version](connection)
    except ServiceError as error:
        raise ServiceError(f"{name}: cannot bring this {layout.name} to version {version + 1}: {error}") from error
    if _VERSIONS not in connection.names():
        connection.execute(_CREATE, ())
    connection.execute(_PUT, (layout.name, version + 1))


def _version(connection: Connection, layout: Layout) -> int:
    """0 for an empty database, and for one of the time before versions were kept."""
    return int(connection.execute(_GET, (layout.name,)).scalar() or 0) if _VERSIONS in connection.names() else 0
