"""Tables as data, and completing those of a database that has none, or had them before versions were kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.database.connection import Connection
from tasks.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` and `indexes` are plain SQL that SQLite and PostgreSQL both understand, but for `BLOB`."""

    name: str
    columns: Mapping[str, str]  # "id": "VARCHAR NOT NULL"
    key: tuple[str, ...] = ()
    indexes: Mapping[str, str] = field(default_factory=dict[str, str])  # "by_name": "(name)"
    is_ordered: bool = False  # rows arrive in the order of the key: SQLite then keeps one tree instead of two


Tables = Sequence[Table]


def complete_tables(connection: Connection, tables: Tables) -> None:
    """Make what is missing: tables, columns and indexes that an older version did not have, keys that it had otherwise.

    ServiceError for a table with rows that lack what they cannot be without.
    """
    found = connection.columns()
    for table in tables:
        held = {column: in_key for name, column, in_key in found if name == table.name}
        if not held:
            _create(connection, table)
        else:
            _extend(connection, table, held)
        _index(connection, table)


def _extend(connection: Connection, table: Table, held: Mapping[str, bool]) -> None:
    """`held` says of the columns that are there whether they belong to the key."""
    missing = {column: kind for column, kind in table.columns.items() if column not in held}
    needed = [column for column, kind in missing.items() if "NOT NULL" in kind and "DEFAULT" not in kind]
    if needed and connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1", ()).scalar():  # noqa: S608 - a constant
        raise ServiceError(
            f"table {table.name!r} has rows but no column {', '.join(map(repr, needed))}, as no version of Headrace"
            " made it; nothing was changed: name another database, or restore this one from a backup"
        )
    if needed:
        connection.execute(f"DROP TABLE {table.name}", ())
        _create(connection, table)
        return
    for column, kind in missing.items():
        connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column} {kind}", ())
    if {column for column, in_key in held.items() if in_key} != set(table.key):
        _copy(connection, table)


def _copy(connection: Connection, table: Table) -> None:
    """Neither database changes the key of a table with rows in it."""
    old, columns = f"{table.name}_before", ", ".join(table.columns)
    connection.execute(f"ALTER TABLE {table.name} RENAME TO {old}", ())
    _create(connection, table)
    connection.execute(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {old}", ())  # noqa: S608 - constants
    connection.execute(f"DROP TABLE {old}", ())  # and its indexes, whose names are free from here on


def _index(connection: Connection, table: Table) -> None:
    for name, what in table.indexes.items():
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} {what}", ())


def _create(connection: Connection, table: Table) -> None:
    parts = [f"{column} {kind.replace('BLOB', connection.binary)}" for column, kind in table.columns.items()]
    if table.key:
        parts.append(f"PRIMARY KEY ({', '.join(table.key)})")
    ending = connection.by_key if table.is_ordered else ""
    connection.execute(f"CREATE TABLE {table.name} ({', '.join(parts)}){ending}", ())
