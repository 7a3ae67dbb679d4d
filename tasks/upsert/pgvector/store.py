"""A table of PostgreSQL for each collection; readers and writers may be many, and readers see whole batches alone.

`id`, `content`, `embedding` and `metadata` are columns as other readers of such tables know them, and `headrace` is the
bookkeeping. The sentinel is the table's comment: it goes where the table goes.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from pgvector import Vector as StoredVector
from psycopg.sql import SQL, Composable, Composed

from config.fields import FieldType, Language, Precision
from tasks.errors import CollectionError, MissingTextIndexError, NoCollectionError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.upsert.base import Place
from tasks.upsert.filters import of_pipeline
from tasks.upsert.page import page
from tasks.upsert.pgvector import fields, graph, words, writing
from tasks.upsert.pgvector.filter import as_sql, tenants
from tasks.upsert.pgvector.rows import as_payload, as_rows
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

_PRESENT = SQL("SELECT id::text FROM {} WHERE id = ANY(%s::uuid[])")
_PAGE = SQL(
    "SELECT id::text, content, metadata, headrace FROM {} WHERE %s::uuid IS NULL OR id > %s::uuid ORDER BY id LIMIT %s"
)
_VECTORS = SQL("SELECT id::text, embedding::text FROM {} WHERE id = ANY(%s::uuid[])")
_COUNT = SQL("SELECT count(*) FROM {} WHERE {}")
_FEW = SQL(
    "WITH few AS MATERIALIZED (SELECT id::text, {} AS distance, content, metadata, headrace"
    " FROM {} WHERE {} LIMIT %s) SELECT *, (SELECT count(*) FROM few) FROM few ORDER BY distance LIMIT %s"
)
# Those of some tenants, and those whose field holds no text; one condition for both would open a third part.
_OF_TENANTS = SQL(
    "(SELECT id, content, embedding, metadata, headrace FROM {} WHERE tenant = ANY(%s) UNION ALL"
    " SELECT id, content, embedding, metadata, headrace FROM {}) AS part"
)
_NEAREST = SQL("SELECT id::text, {}, content, metadata, headrace FROM {} WHERE {} ORDER BY {} LIMIT %s")

_log = logging.getLogger("headrace")


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
        self._tenant = ""
        self._form: Form | None = None
        self._is_ensured = False

    def indexing(self, language: Language, tenant: str = "") -> "PgvectorStore":
        """The same store, whose `ensure` makes an index for the words of this language, and a table in parts.

        Records with equal texts in the field `tenant` of their metadata are then in one part.
        """
        self._language, self._tenant = language, tenant
        return self

    def ensure(self, dimension: int, /) -> None:
        """Make what is missing: extension, schema and table. CollectionError for another dimension."""
        form = self._held_form()
        if form is None:
            form = Form(dimension, COLUMNS[self._precision], self._tenant)
            with self._server.transaction() as connection:
                create(connection, self._table, form)
            form = self._held_form() or form
        if form.dimension != dimension:
            raise CollectionError(
                f"{self._server.name} holds vectors of {form.dimension} dimensions, the model makes {dimension};"
                " go back to the model it was built with, or name a new `collection` under `store`"
            )
        check_precision(self._server.name, form.precision, self._precision)
        if form.tenant != self._tenant:
            held = f"in parts by {form.tenant}" if form.tenant else "in one piece"
            _log.info("%s lies %s; `headrace rebuild` makes it anew with your `tenant_field`", self._server.name, held)
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
        fit = points if is_whole else replace(points, vectors=fit_for_halves(points.vectors))
        rows = as_rows(fit, form.tenant)
        with self._server.transaction() as connection:
            writing.put(connection, self._table, form, rows)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        if ids:
            with suppress(NoCollectionError), self._server.transaction() as connection:
                writing.remove(connection, self._table, ids)

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
        form = self._held_form()
        if form is None:
            return []
        condition, parameters = as_sql(query.conditions)
        if query.words:
            return page(query, partial(self._worded, query.words, (condition, parameters)))
        text = StoredVector(query.vector).to_text()
        source: Composable = self._table.name
        if form.tenant and (named := tenants(query.conditions, form.tenant)) is not None:
            source = _OF_TENANTS.format(self._table.name, self._table.part("none"))
            parameters = [named, *parameters]
        all_near = _NEAREST.format(graph.distance(form), source, condition, graph.nearness(form))

        def nearest(limit: int) -> list[Hit]:
            rows: list[Any] = []
            with suppress(NoCollectionError), self._server.transaction() as connection:
                if query.conditions:
                    few = _FEW.format(graph.distance(form), source, condition)
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
            raise MissingTextIndexError(f"{self._server.name} has no index of words yet; the next sync makes it")
        return [Hit(PointId(row[1]), float(row[0]), as_payload(row[2:])) for row in rows]

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark."""
        with self._server.transaction() as connection:
            return read_sentinel(connection, self._table, pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark."""
        with self._server.transaction() as connection:
            writing.durably(connection)
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
                by_tenant: Fields = {self._form.tenant: "keyword"} if self._form.tenant else {}
                fields.build(self._server, self._table, {**by_tenant, **self._indexed})
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


def _nearest(connection: psycopg.Connection, query: Composed, values: Sequence[object], limit: int) -> list[Any]:
    """By the graph; where that ends too soon, by comparing every record."""
    graph.use(connection, limit)
    rows = connection.execute(query, values).fetchall()
    if len(rows) < limit:
        graph.avoid(connection)
        rows = connection.execute(query, values).fetchall()
    return rows
