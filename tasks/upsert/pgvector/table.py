"""How a collection lies in the database, and what the catalogue says of it."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from tasks.errors import CollectionError, ServiceError
from tasks.records import Sentinel
from tasks.upsert.marks import read_mark
from tasks.upsert.pgvector.errors import EXTENSION

CREATING = 7240322  # the advisory lock under which tables are made: PostgreSQL's IF NOT EXISTS is no protection
_MARKING = 7240323  # and this one while a comment is read and written
_SHARING = "pipelines"  # the part of the comment with their marks, where several share the table
_LONGEST = 48  # bytes; PostgreSQL cuts names at 63 without a word, and an index adds its own part
_INLINE = 7600  # bytes of a vector that fits into a page of 8 kB, beside the pointers to the rest
COLUMNS: dict[str, LiteralString] = {"float32": "vector", "float16": "halfvec"}  # of vectors, by precision
TENANT = "tenant"  # a column: the text that the field holds, "" for anything else
PARTS = 16  # as many tables, made at once: a table for each tenant would have to be made while others write
OLDEST = (0, 8)  # the version of pgvector that goes on with a search until enough records pass its filters

_CREATE = SQL(
    "CREATE TABLE {} (id uuid CONSTRAINT {} PRIMARY KEY, content text, embedding {}({}) NOT NULL,"
    " metadata jsonb, headrace jsonb)"
)
_CREATE_PARTED = SQL(
    "CREATE TABLE {0} (id uuid, content text, embedding {2}({3}) NOT NULL, metadata jsonb, headrace jsonb,"
    " tenant text NOT NULL DEFAULT '', CONSTRAINT {1} PRIMARY KEY (id, tenant)) PARTITION BY LIST (tenant)"
)
_OF_NOBODY = SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES IN ('')")  # every search for a tenant looks there, too
_OF_TENANTS = SQL("CREATE TABLE {} PARTITION OF {} DEFAULT PARTITION BY HASH (tenant)")
_PART = SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS {}, REMAINDER {})")


class Table:
    """Names that cannot meet: a collection's name has no colon."""

    def __init__(self, schema: str, collection: str) -> None:
        """A long name keeps its beginning and gets a digest."""
        digest = hashlib.sha256(collection.encode()).hexdigest()
        name = collection if len(collection.encode()) <= _LONGEST else f"{collection[:12]}-{digest[:16]}"
        self._schema_name = schema
        self.schema = Identifier(schema)
        self.name = Identifier(schema, name)
        self.path = self.name.as_string()
        self.key = Identifier(f"{name}:key")
        self.graph_name = f"{name}:graph"
        self.graph = Identifier(schema, self.graph_name)
        self._name = name
        self.words_index = f"{name}:words"
        self.lock = int.from_bytes(hashlib.sha256(self.path.encode()).digest()[:8], signed=True)

    def part(self, of: object) -> Identifier:
        """The table of some tenants."""
        return Identifier(self._schema_name, f"{self._name}:part-{of}")

    def tenant_column(self) -> Identifier:
        """The column that decides which part has a record."""
        return Identifier(self._schema_name, self._name, TENANT)

    def field_index(self, field: str) -> str:
        """The name of the index over a field of the metadata."""
        return f"{self._name}:{hashlib.sha256(field.encode()).hexdigest()[:12]}"


class Form(NamedTuple):
    """What the table's vectors are; `column` is PostgreSQL's type.

    `tenant` is the field of the metadata by whose values the table is parted; "" for one in one piece.
    """

    dimension: int
    column: LiteralString
    tenant: str = ""

    @property
    def precision(self) -> str:
        """Name in the settings."""
        return next(name for name, column in COLUMNS.items() if column == self.column)

    @property
    def bytes(self) -> int:
        """Size of one vector."""
        return self.dimension * (2 if self.column == "halfvec" else 4)


def held_form(connection: psycopg.Connection, table: Table) -> Form | None:
    """Form of the vectors, if there is such a table; CollectionError where it is not one of ours."""
    row = connection.execute(
        "SELECT t.typname, a.atttypmod, (SELECT col_description(c.oid, attnum) FROM pg_attribute WHERE attrelid = c.oid"
        " AND attname = %s AND c.relkind = 'p') FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid"
        " AND a.attname = 'embedding' AND NOT a.attisdropped LEFT JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE c.oid = to_regclass(%s)",
        (TENANT, table.path),
    ).fetchone()
    if row is None:
        return None
    if row[0] not in COLUMNS.values() or row[1] < 1:
        raise CollectionError(
            f"{table.path} exists and has no column `embedding` of a fixed dimension, so it is not one of Headrace's;"
            " name another `collection` under `store`"
        )
    return Form(row[1], row[0], row[2] or "")


def create(connection: psycopg.Connection, table: Table, form: Form) -> None:
    """What is missing of extension, schema and table: each needs a right that this user may lack once it is there."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATING,))
    _require_extension(connection)
    if connection.execute("SELECT to_regnamespace(%s)", (table.schema.as_string(),)).fetchone() == (None,):
        connection.execute(SQL("CREATE SCHEMA {}").format(table.schema))
    if held_form(connection, table) is not None:
        return
    made = _CREATE_PARTED if form.tenant else _CREATE
    connection.execute(made.format(table.name, table.key, SQL(form.column), Literal(form.dimension)))
    # Searches read these two of every record; elsewhere than in the record itself they take several times as long.
    inline = SQL("ALTER TABLE {} ALTER COLUMN metadata SET STORAGE MAIN").format(table.name)
    if form.bytes <= _INLINE:
        inline += SQL(", ALTER COLUMN embedding SET STORAGE PLAIN")
    connection.execute(inline)
    if form.tenant:
        connection.execute(SQL("COMMENT ON COLUMN {} IS {}").format(table.tenant_column(), Literal(form.tenant)))
        connection.execute(_OF_NOBODY.format(table.part("none"), table.name))
        connection.execute(_OF_TENANTS.format(table.part("all"), table.name))
        for number in range(PARTS):
            connection.execute(_PART.format(table.part(number), table.part("all"), Literal(PARTS), Literal(number)))


def read_sentinel(connection: psycopg.Connection, table: Table, pipeline: str) -> Sentinel | None:
    """The mark in the comment; None where that is somebody else's."""
    marks = _marks(connection, table)
    with suppress(KeyError, ValueError, TypeError):
        return read_mark(marks[_SHARING][pipeline] if pipeline else marks)
    return None


def write_sentinel(connection: psycopg.Connection, table: Table, sentinel: Sentinel, pipeline: str) -> None:
    """Needs the owner of the table; one after the other, for all pipelines have their marks in one comment."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MARKING,))
    marks = _marks(connection, table)
    others: dict[str, Any] = marks.get(_SHARING, {})
    if pipeline:
        marks[_SHARING] = {**others, pipeline: asdict(sentinel)}
    else:
        marks = {**asdict(sentinel), **({_SHARING: others} if others else {})}
    connection.execute(SQL("COMMENT ON TABLE {} IS {}").format(table.name, Literal(json.dumps(marks))))


def _marks(connection: psycopg.Connection, table: Table) -> dict[str, Any]:
    row = connection.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", (table.path,)).fetchone()
    with suppress(ValueError, TypeError):
        marks = json.loads(row[0]) if row is not None else {}
        return marks if isinstance(marks, dict) else {}
    return {}


def publish(connection: psycopg.Connection, table: Table, view: Table, collection: str) -> None:
    """Let the view show this table. Its vectors have no dimension of their own, so that the next may have another."""
    connection.execute(
        SQL(
            "CREATE OR REPLACE VIEW {} AS"
            " SELECT id, content, embedding::vector AS embedding, metadata, headrace FROM {}"
        ).format(view.name, table.name)
    )
    connection.execute(SQL("COMMENT ON VIEW {} IS {}").format(view.name, Literal(collection)))


def read_place(connection: psycopg.Connection, table: Table, view: Table) -> tuple[str | None, int | None]:
    """The collection that the view shows, and the bytes of the table with its indexes."""
    row = connection.execute(
        "SELECT (SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'v'),"
        " coalesce((SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree(to_regclass(%s))),"
        " pg_total_relation_size(to_regclass(%s)))",
        (view.path, table.path, table.path),
    ).fetchone()
    return row if row is not None else (None, None)


def _require_extension(connection: psycopg.Connection) -> None:
    query = (
        "SELECT extversion, extnamespace::regnamespace::text, to_regtype('vector') IS NOT NULL FROM pg_extension"
        " WHERE extname = 'vector'"
    )
    row = connection.execute(query).fetchone()
    if row is None:
        try:
            connection.execute("CREATE EXTENSION vector")
        except psycopg.errors.InsufficientPrivilege as error:
            raise ServiceError(EXTENSION) from error
        row = connection.execute(query).fetchone()
    version = str(row[0]) if row is not None else "0"
    if row is not None and not row[2]:
        raise ServiceError(
            f"pgvector lies in the schema {row[1]}, which is not in this user's search_path; the user may add it:"
            f' ALTER ROLE CURRENT_USER SET search_path = "$user", public, {row[1]}'
        )
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise ServiceError(
            f"the database has pgvector {version}, expected {'.'.join(map(str, OLDEST))} or newer; install it on the"
            " server, then as a superuser: ALTER EXTENSION vector UPDATE"
        )
