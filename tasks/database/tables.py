"""Tables as data, and bringing a database up to those that this version expects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.database.connection import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` and `indexes` are plain SQL that SQLite and PostgreSQL both understand, but for `BLOB`."""

    name: str
    columns: Mapping[str, str]  # "id": "VARCHAR NOT NULL"
    key: tuple[str, ...] = ()
    indexes: Mapping[str, str] = field(default_factory=dict[str, str])  # "by_name": "(name)"
    is_ordered: bool = False  # rows arrive in the order of the key: SQLite then keeps one tree instead of two


Tables = Sequence[Table]


def is_current(connection: Connection, tables: Tables) -> bool:
    """Whether every table has every column, and its key."""
    return _expected(tables) <= connection.columns()


def create_tables(connection: Connection, tables: Tables) -> None:
    """Make what is missing: tables, columns that an older version did not have, and keys that it had otherwise."""
    connection.prepare()
    found = connection.columns()
    for table in tables:
        held = {column: in_key for name, column, in_key in found if name == table.name}
        if not held:
            _create(connection, table)
            _index(connection, table)
            continue
        for column, kind in table.columns.items():
            if column not in held:
                # A new column is nullable or has a default, so the rows that exist stay valid.
                connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column} {kind}", ())
        if {column for column, in_key in held.items() if in_key} != set(table.key):
            _copy(connection, table)


def _expected(tables: Tables) -> set[tuple[str, str, bool]]:
    return {(table.name, column, column in table.key) for table in tables for column in table.columns}


def _copy(connection: Connection, table: Table) -> None:
    """Neither database changes the key of a table with rows in it."""
    old, columns = f"{table.name}_before", ", ".join(table.columns)
    connection.execute(f"ALTER TABLE {table.name} RENAME TO {old}", ())
    _create(connection, table)
    connection.execute(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {old}", ())  # noqa: S608 - constants
    connection.execute(f"DROP TABLE {old}", ())  # and its indexes, whose names are free from here on
    _index(connection, table)


def _index(connection: Connection, table: Table) -> None:
    for name, what in table.indexes.items():
        connection.execute(f"CREATE INDEX {name} ON {table.name} {what}", ())


def _create(connection: Connection, table: Table) -> None:
    parts = [f"{column} {kind.replace('BLOB', connection.binary)}" for column, kind in table.columns.items()]
    if table.key:
        parts.append(f"PRIMARY KEY ({', '.join(table.key)})")
    ending = connection.by_key if table.is_ordered else ""
    connection.execute(f"CREATE TABLE {table.name} ({', '.join(parts)}){ending}", ())
