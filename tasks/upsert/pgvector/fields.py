"""Indexes over single fields of the metadata: where few records pass a filter, they are found without reading all.

Like the graph they are made where a collection is large, when a run ends: a small one is read as fast, and a bulk load
is slower with them. They serve `=` of all types; a range reads the field of every record.
"""

import logging
from collections.abc import Iterable

from psycopg.sql import SQL, Identifier, Literal

from tasks.errors import ServiceError
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.rows import escaped
from tasks.upsert.pgvector.server import Server
from tasks.upsert.pgvector.table import Table

ALWAYS = ("source", "document")  # what searches filter by

_STATE = SQL(
    "SELECT ARRAY(SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid"
    " WHERE indrelid = to_regclass(%s)), (SELECT count(*) FROM (SELECT FROM {} LIMIT %s) AS part)"
)
_MAKE = SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING gin ((metadata -> {}) jsonb_path_ops)")

_log = logging.getLogger("headrace")


def build(server: Server, table: Table, fields: Iterable[str]) -> None:
    """Those that are missing, by one process at a time; nothing depends on them: what goes wrong is only logged."""
    wanted = {table.field_index(field): field for field in (*ALWAYS, *fields)}
    try:
        with server.transaction() as connection:
            # In a statement of its own: the next one sees what whoever had the lock before has made.
            if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (table.lock,)).fetchone() != (True,):
                return
            held, many = connection.execute(_STATE.format(table.name), (table.path, graph.FROM)).fetchone() or ((), 0)
            missing = {name: field for name, field in wanted.items() if name not in held} if many >= graph.FROM else {}
            if missing:
                _log.info("making indexes for filters by %s in %s", ", ".join(missing.values()), table.path)
            for name, field in missing.items():
                connection.execute(_MAKE.format(Identifier(name), table.name, Literal(escaped(field))))
    except ServiceError as error:
        _log.warning("filters read every record, as no index could be made: %s", error)
