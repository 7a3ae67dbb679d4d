"""Bringing a database up to the tables that this version expects."""

from sqlalchemy import Column, Connection, MetaData, Table, inspect
from sqlalchemy.schema import CreateColumn

_CREATING = 7240321  # the advisory lock under which tables are made: PostgreSQL's IF NOT EXISTS is no protection


def create_tables(connection: Connection, tables: MetaData, schema: str) -> None:
    """Make what is missing: the schema, tables, and columns that an older version did not have."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATING})")
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    translated = connection.execution_options(schema_translate_map={None: None if is_sqlite else schema})
    tables.create_all(translated)
    inspector = inspect(connection)
    for table in tables.sorted_tables:
        held = {column["name"] for column in inspector.get_columns(table.name, None if is_sqlite else schema)}
        for column in table.columns:
            if column.name not in held:
                connection.exec_driver_sql(_add_column(connection, table, column))


def _add_column(connection: Connection, table: Table, column: Column[object]) -> str:
    """A new column is nullable or has a default on the server's side, so the rows that exist stay valid."""
    return f"ALTER TABLE {table.name} ADD COLUMN {CreateColumn(column).compile(dialect=connection.dialect)}"
