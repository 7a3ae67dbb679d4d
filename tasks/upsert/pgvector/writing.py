"""How rows get into a table, and out of it."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composable, Composed

from tasks.records import PointId
from tasks.upsert.pgvector.rows import Row
from tasks.upsert.pgvector.table import Form, Table

_WRITE_DURABLY = SQL("SET LOCAL synchronous_commit TO on")
_MAKE_BATCH = SQL(
    "CREATE TEMP TABLE IF NOT EXISTS headrace_batch (id uuid, content text, embedding vector, metadata jsonb,"
    " headrace jsonb, tenant text) ON COMMIT DELETE ROWS"
)
_BATCH = SQL("pg_temp.headrace_batch")
_COPY = SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
_COLUMNS, _KEY = SQL("id, content, embedding, metadata, headrace"), SQL("id")
_OF_TENANTS, _KEY_OF_TENANTS = SQL("id, content, embedding, metadata, headrace, tenant"), SQL("id, tenant")
_LEAVE_PART = SQL("DELETE FROM {0} USING pg_temp.headrace_batch AS b WHERE {0}.id = b.id AND {0}.tenant <> b.tenant")
_TAKE_BATCH = SQL(
    "INSERT INTO {0} ({1}) SELECT {1} FROM pg_temp.headrace_batch"
    " ON CONFLICT ({2}) DO UPDATE SET content = excluded.content, embedding = excluded.embedding,"
    " metadata = excluded.metadata, headrace = excluded.headrace"
)
# In the order in which a batch is taken: writers that share ids then wait for each other, and never in a circle.
_DELETE = SQL(
    "WITH doomed AS (SELECT id FROM {0} WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE)"
    " DELETE FROM {0} USING doomed WHERE {0}.id = doomed.id"
)
_ANY = SQL("SELECT FROM {} WHERE id = ANY(%s::uuid[]) LIMIT 1")


def put(connection: psycopg.Connection, table: Table, form: Form, rows: Sequence[Row]) -> None:
    """All or nothing, and on the disk with the end of the transaction."""
    columns, key = (_OF_TENANTS, _KEY_OF_TENANTS) if form.tenant else (_COLUMNS, _KEY)
    durably(connection)
    if form.precision == "float32" and _is_new(connection, table, columns, rows):
        return
    connection.execute(_MAKE_BATCH)
    _copy(connection, _COPY.format(_BATCH, columns), rows)
    if form.tenant:
        connection.execute(_LEAVE_PART.format(table.name))
    connection.execute(_TAKE_BATCH.format(table.name, columns, key))


def remove(connection: psycopg.Connection, table: Table, ids: Sequence[PointId]) -> None:
    """Missing ids are no error; done, also on the disk, with the end of the transaction."""
    durably(connection)
    connection.execute(_DELETE.format(table.name), (list(ids),))


def durably(connection: psycopg.Connection) -> None:
    """The transaction ends when it is on the disk, whatever the server's settings say."""
    connection.execute(_WRITE_DURABLY)


def _is_new(connection: psycopg.Connection, table: Table, columns: Composable, rows: Sequence[Row]) -> bool:
    """Whether no id was there yet, and the rows are now: most batches, and a third faster than by a batch table."""
    ids = [UUID(bytes=row[0]) for row in rows]
    known = connection.execute(_ANY.format(table.name), (ids,)).fetchone()
    with suppress(psycopg.errors.UniqueViolation), connection.transaction():
        if known is None:
            _copy(connection, _COPY.format(table.name, columns), rows)
            return True
    return False


def _copy(connection: psycopg.Connection, statement: Composed, rows: Sequence[Row]) -> None:
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["bytea"] * len(rows[0]))
        for row in rows:
            copy.write_row(row)
