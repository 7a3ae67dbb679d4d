"""A table of PostgreSQL for each collection; readers and writers may be many, and readers see whole batches alone.

`id`, `content`, `embedding` and `metadata` are columns as other readers of such tables know them, and `headrace` is the
bookkeeping. The sentinel is the table's comment: it goes where the table goes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from pgvector import Vector as StoredVector
from psycopg.sql import SQL, Composable, Composed

from config.fields import FieldType, Language, Precision
from tasks.errors import CollectionError, NoCollectionError, NoTextIndexError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.upsert.base import Place
from tasks.upsert.filters import of_pipeline
from tasks.upsert.page import page
from tasks.upsert.pgvector import fields, graph, words
from tasks.upsert.pgvector.filter import as_sql
from tasks.upsert.pgvector.rows import Row, as_payload, as_rows
from tasks.upsert.pgvector.server import Server
from tasks.upsert.pgvector.table import (
    COLUMNS,
    Form,
    Table,
    create,
    held_form,
    publish,
    read_place,
    read_sentinel,
    write_sentinel,
)
from tasks.upsert.vectors import as_vector, check_precision, check_vectors, fit_for_halves

Fields = Mapping[str, FieldType]

SCHEMA = "headrace"
_NO_FIELDS: Fields = {}
PAGE = 1000  # records a page of a scan

_WRITE_DURABLY = SQL("SET LOCAL synchronous_commit TO on")
_MAKE_BATCH = SQL(
    "CREATE TEMP TABLE IF NOT EXISTS headrace_batch (id uuid, content text, embedding vector, metadata jsonb,"
    " headrace jsonb) ON COMMIT DELETE ROWS"
)
_COPY_BATCH = SQL("COPY pg_temp.headrace_batch FROM STDIN (FORMAT BINARY)")
_COPY_NEW = SQL("COPY {} (id, content, embedding, metadata, headrace) FROM STDIN (FORMAT BINARY)")
_TAKE_BATCH = SQL(
    "INSERT INTO {} (id, content, embedding, metadata, headrace) SELECT * FROM pg_temp.headrace_batch"
    " ON CONFLICT (id) DO UPDATE SET content = excluded.content, embedding = excluded.embedding,"
    " metadata = excluded.metadata, headrace = excluded.headrace"
)
# In the order in which a batch is taken: writers that share ids then wait for each other, and never in a circle.
_DELETE = SQL(
    "WITH doomed AS (SELECT id FROM {0} WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE)"
    " DELETE FROM {0} USING doomed WHERE {0}.id = doomed.id"
)
_PRESENT = SQL("SELECT id::text FROM {} WHERE id = ANY(%s::uuid[])")
_ANY = SQL("SELECT FROM {} WHERE id = ANY(%s::uuid[]) LIMIT 1")
_PAGE = SQL(
    "SELECT id::text, content, metadata, headrace FROM {} WHERE %s::uuid IS NULL OR id > %s::uuid ORDER BY id LIMIT %s"
)
_VECTORS = SQL("SELECT id::text, embedding::text FROM {} WHERE id = ANY(%s::uuid[])")
_COUNT = SQL("SELECT count(*) FROM {} WHERE {}")
_FEW = SQL(
    "WITH few AS MATERIALIZED (SELECT id::text, {} AS distance, content, metadata, headrace"
    " FROM {} WHERE {} LIMIT %s) SELECT *, (SELECT count(*) FROM few) FROM few ORDER BY distance LIMIT %s"
)
_NEAREST = SQL("SELECT id::text, {}, content, metadata, headrace FROM {} WHERE {} ORDER BY {} LIMIT %s")


class PgvectorStore:
    """Connects at the first call; an acknowledged write is on the server's disk. Reading creates nothing."""

    def __init__(
        self,
        url: str,
        collection: str,
        schema: str = SCHEMA,
        indexed: Fields = _NO_FIELDS,
        precision: Precision = "float32",
    ) -> None:
        """ConfigError for what is no URL of PostgreSQL; `indexed` fields of the metadata get an index where it pays."""
        self._server = Server(url, collection)
        self._schema, self._collection = schema, collection
        self._table = Table(schema, collection)
        self._indexed = indexed
        self._precision: Precision = precision
        self._language: Language = "english"
        self._form: Form | None = None
        self._is_ensured = False

    def indexing(self, language: Language) -> "PgvectorStore":
        """The same store, whose `ensure` makes an index for the words of this language."""
        self._language = language
        return self

    def ensure(self, dimension: int, /) -> None:
        """Make what is missing: extension, schema and table. CollectionError for another dimension."""
        form = self._held_form()
        if form is None:
            form = Form(dimension, COLUMNS[self._precision])
            with self._server.transaction() as connection:
                create(connection, self._table, form)
            form = self._held_form() or form
        if form.dimension != dimension:
            raise CollectionError(
                f"{self._server.name} holds vectors of {form.dimension} dimensions, the model makes {dimension};"
                " go back to the model it was built with, or name a new `collection` under `store`"
            )
        check_precision(self._server.name, form.precision, self._precision)
        with self._server.transaction() as connection:
            words.complete(connection, self._table, self._language)
        self._is_ensured = True

    def expect(self, points: int, /) -> None:
        """Nothing to open."""

    def upsert(self, points: Points, /) -> None:
        """All or nothing."""
        if not points:
            return
        form = self._held_form()
        if form is None:
            raise NoCollectionError(f"{self._server.name}: there is no collection yet; it is made by a sync")
        check_vectors(points, form.dimension)
        is_whole = form.precision == "float32"
        rows = as_rows(points if is_whole else replace(points, vectors=fit_for_halves(points.vectors)))
        with self._server.transaction() as connection:
            connection.execute(_WRITE_DURABLY)
            if is_whole and _is_new(connection, self._table, rows):
                return
            connection.execute(_MAKE_BATCH)
            _copy(connection, _COPY_BATCH, rows)
            connection.execute(_TAKE_BATCH.format(self._table.name))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        if ids:
            with suppress(NoCollectionError), self._server.transaction() as connection:
                connection.execute(_WRITE_DURABLY)
                connection.execute(_DELETE.format(self._table.name), (list(ids),))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the table holds."""
        return {PointId(row[0]) for row in self._rows(_PRESENT, list(ids))} if ids else set()

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Records in the order of the ids, a query for each page: no transaction stays open meanwhile."""
        after: PointId | None = None
        while page := self._rows(_PAGE, after, after, PAGE):
            for point, *columns in page:
                yield PointId(point), as_payload(columns)
            after = PointId(page[-1][0])

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as they were written, whatever their length."""
        rows = self._rows(_VECTORS, list(ids)) if ids else []
        return {PointId(point): as_vector(StoredVector.from_text(text).to_list()) for point, text in rows}

    def search(self, query: Query, /) -> list[Hit]:
        """Exact in a collection without a graph, and where few records pass the conditions."""
        condition, parameters = as_sql(query.conditions)
        form = self._held_form()
        if form is None:
            return []
        if query.words:
            return page(query, partial(self._worded, query.words, (condition, parameters)))
        text = StoredVector(query.vector).to_text()
        all_near = _NEAREST.format(graph.distance(form), self._table.name, condition, graph.nearness(form))

        def nearest(limit: int) -> list[Hit]:
            rows: list[Any] = []
            with suppress(NoCollectionError), self._server.transaction() as connection:
                if query.conditions:
                    few = _FEW.format(graph.distance(form), self._table.name, condition)
                    rows = connection.execute(few, (text, *parameters, graph.NARROW + 1, limit)).fetchall()
                if not query.conditions or (rows and rows[0][-1] > graph.NARROW):
                    rows = _nearest(connection, all_near, (text, *parameters, text, limit), limit)
            hits = [Hit(PointId(row[0]), 1.0 - row[1], as_payload(row[2:5])) for row in rows]
            return sorted(hits, key=lambda hit: -hit.score)

        return page(query, nearest)

    def _worded(self, asked: str, where: tuple[Composable, Sequence[object]], limit: int) -> list[Hit]:
        rows: list[Any] | None = []
        with suppress(NoCollectionError), self._server.transaction() as connection:
            rows = words.best(connection, self._table, asked, where, limit)
        if rows is None:
            raise NoTextIndexError(f"{self._server.name} has no index of words yet; the next sync makes it")
        return [Hit(PointId(row[1]), float(row[0]), as_payload(row[2:])) for row in rows]

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark."""
        with self._server.transaction() as connection:
            return read_sentinel(connection, self._table, pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark."""
        with self._server.transaction() as connection:
            connection.execute(_WRITE_DURABLY)
            write_sentinel(connection, self._table, sentinel, pipeline)

    def count(self, pipeline: str = "", /) -> int:
        """Counted by the server: 0.1 s for a million records, if they are all."""
        condition, parameters = as_sql(of_pipeline(pipeline))
        with suppress(NoCollectionError), self._server.transaction() as connection:
            row = connection.execute(_COUNT.format(self._table.name, condition), parameters).fetchone()
            return int(row[0]) if row else 0
        return 0

    def publish(self, name: str, /) -> None:
        """Let the view `name` show this table, in one transaction; its grants stay."""
        with self._server.transaction() as connection:
            publish(connection, self._table, Table(self._schema, name), self._collection)

    def place(self, name: str, /) -> Place:
        """The name is a view in the same schema."""
        with self._server.transaction() as connection:
            published, size = read_place(connection, self._table, Table(self._schema, name))
        return Place(self._server.address, self._table.path, published, size)

    def drop(self) -> None:
        """Needs the owner of the table; a view that shows it keeps it."""
        self._form, self._is_ensured = None, False
        with self._server.transaction() as connection:
            connection.execute(SQL("DROP TABLE IF EXISTS {}").format(self._table.name))

    def close(self) -> None:
        """Make the graph and other indexes where they are due; further calls but this one fail."""
        try:
            if self._is_ensured and self._form is not None:
                self._is_ensured = False
                graph.build(self._server, self._table, self._form)
                fields.build(self._server, self._table, self._indexed)
        finally:
            self._form = None  # nothing is answered from memory after the end
            self._server.close()

    def _held_form(self) -> Form | None:
        if self._form is None:
            with self._server.transaction() as connection:
                self._form = held_form(connection, self._table)
        return self._form

    def _rows(self, query: SQL, *values: object) -> list[Any]:
        """No rows where there is no table."""
        with suppress(NoCollectionError), self._server.transaction() as connection:
            return connection.execute(query.format(self._table.name), values).fetchall()
        return []


def _is_new(connection: psycopg.Connection, table: Table, rows: Sequence[Row]) -> bool:
    """Whether no id was there yet, and the rows are now: most batches, and a third faster than by a batch table."""
    known = connection.execute(_ANY.format(table.name), ([UUID(bytes=row[0]) for row in rows],)).fetchone()
    with suppress(psycopg.errors.UniqueViolation), connection.transaction():
        if known is None:
            _copy(connection, _COPY_NEW.format(table.name), rows)
            return True
    return False


def _copy(connection: psycopg.Connection, statement: SQL | Composed, rows: Sequence[Row]) -> None:
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["bytea"] * len(rows[0]))
        for row in rows:
            copy.write_row(row)


def _nearest(connection: psycopg.Connection, query: Composed, values: Sequence[object], limit: int) -> list[Any]:
    """By the graph; where that ends too soon, by comparing every record."""
    graph.use(connection, limit)
    rows = connection.execute(query, values).fetchall()
    if len(rows) < limit:
        graph.avoid(connection)
        rows = connection.execute(query, values).fetchall()
    return rows
