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
    """Whether every table has every column."""
    return _expected(tables) <= connection.columns()


def create_tables(connection: Connection, tables: Tables) -> None:
    """Make what is missing: tables, indexes, and columns that an older version did not have."""
    connection.prepare()
    held = connection.columns()
    for table in tables:
        if not any(name == table.name for name, _ in held):
            connection.execute(_create(connection, table), ())
            for name, what in table.indexes.items():
                connection.execute(f"CREATE INDEX {name} ON {table.name} {what}", ())
            continue
        for column, kind in table.columns.items():
            if (table.name, column) not in held:
                # A new column is nullable or has a default, so the rows that exist stay valid.
                connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column} {kind}", ())


def _expected(tables: Tables) -> set[tuple[str, str]]:
    return {(table.name, column) for table in tables for column in table.columns}


def _create(connection: Connection, table: Table) -> str:
    parts = [f"{column} {kind.replace('BLOB', connection.binary)}" for column, kind in table.columns.items()]
    if table.key:
        parts.append(f"PRIMARY KEY ({', '.join(table.key)})")
    ending = connection.by_key if table.is_ordered else ""
    return f"CREATE TABLE {table.name} ({', '.join(parts)}){ending}"
