"""Indexes over single fields of the metadata: where few records pass a filter, they are found without reading all.

Like the graph they are made where a collection is large, when a run ends: a small one is read as fast, and a bulk load
is slower with them. They serve `=` of all types, and ranges where the settings say that a field has numbers or dates.
"""

import logging
from collections.abc import Mapping

from psycopg.sql import SQL, Identifier, Literal

from config.fields import FieldType
from tasks.errors import ServiceError
from tasks.upsert.pgvector import graph
from tasks.upsert.pgvector.filter import DAY, NUMBER
from tasks.upsert.pgvector.rows import escaped
from tasks.upsert.pgvector.server import Server
from tasks.upsert.pgvector.table import Table

ALWAYS = ("source", "document")  # what searches filter by

_STATE = SQL(
    "SELECT ARRAY(SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid"
    " WHERE indrelid = to_regclass(%s)), (SELECT count(*) FROM (SELECT FROM {} LIMIT %s) AS part)"
)
_MAKE = SQL("CREATE INDEX IF NOT EXISTS {} ON {} {}")
_EQUAL = SQL("USING gin ((metadata -> {}) jsonb_path_ops)")
_RANGES = {"integer": SQL(f"({NUMBER})"), "number": SQL(f"({NUMBER})"), "datetime": SQL(f"({DAY})")}

_log = logging.getLogger("headrace")


def build(server: Server, table: Table, fields: Mapping[str, FieldType]) -> None:
    """Those that are missing, by one process at a time; nothing depends on them: what goes wrong is only logged."""
    wanted = {table.field_index(field): (field, _EQUAL) for field in (*ALWAYS, *fields)}
    wanted[table.words_index] = "words", SQL("USING gin (words)")
    ranges = {field: _RANGES[kind] for field, kind in fields.items() if kind in _RANGES}
    wanted |= {table.field_index(f"{field}:range"): (field, range_) for field, range_ in ranges.items()}
    try:
        with server.transaction() as connection:
            # In a statement of its own: the next one sees what whoever had the lock before has made.
            if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (table.lock,)).fetchone() != (True,):
                return
            held, many = connection.execute(_STATE.format(table.name), (table.path, graph.FROM)).fetchone() or ((), 0)
            missing = {name: field for name, field in wanted.items() if name not in held} if many >= graph.FROM else {}
            if missing:
                names = ", ".join(dict.fromkeys(field for field, _ in missing.values()))
                _log.info("making indexes for filters by %s in %s", names, table.path)
            for name, (field, kind) in missing.items():
                made = kind.format(Literal(escaped(field)))
                connection.execute(_MAKE.format(Identifier(name), table.name, made))
            if missing:  # else the planner guesses how many records have which values
                connection.execute(SQL("ANALYZE {}").format(table.name))
    except ServiceError as error:
        _log.warning("filters read every record, as no index could be made: %s", error)
