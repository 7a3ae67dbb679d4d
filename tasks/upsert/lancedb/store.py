"""A table of LanceDB for each collection; readers and writers may be many, and readers see whole batches alone.

Each write is a new version of the table, in files of its own; where two writers meet, Lance carries the later write out
again. The sentinel is metadata of a column, and goes where the table goes. Vectors have no index: a search compares
every record that passes its conditions, which takes some 10 ms for 100,000. Words have one, and those of records that
came since it was last brought up to date are looked through besides.
"""

import json
import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import lancedb
import numpy as np
from lancedb import DBConnection, Table

from config.fields import Precision, SearchLanguage
from tasks.errors import CollectionError, MissingTextIndexError, NoCollectionError, ServiceError, TransientError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector, Vectors
from tasks.slices import slices
from tasks.upsert.base import Place
from tasks.upsert.filters import judged, of_pipeline
from tasks.upsert.lancedb.errors import translated
from tasks.upsert.lancedb.rows import PAYLOAD, POINTER, Arrow, as_payload, as_sql, as_table, one_of, schema
from tasks.upsert.lancedb.search import best, has_words, text_index
from tasks.upsert.marks import read_mark
from tasks.upsert.page import page
from tasks.upsert.vectors import check_precision, check_vectors
from tasks.upsert.words.tokens import WordChoice

PAGE = 1000  # records of a page of a scan
MOST_IDS = 5000  # in one expression
TIDIED = 50  # versions after which small files are joined, and old ones removed
KEPT_SECONDS = 3600.0  # an old version stays so long, for those who read it
MARGIN_SECONDS = 1.0  # by the clock that Lance reads a moment later
_MARKED, _MARK = "headrace", "headrace:sentinel"  # the column, and its metadata

_log = logging.getLogger("headrace")


class LanceStore:
    """Opened by the first call; an acknowledged write outlives the process. Reading creates nothing."""

    def __init__(self, path: str, collection: str, precision: Precision = "float32") -> None:
        """`path` is a folder, or an address in a bucket, whose keys are in the environment."""
        self._path = path
        self._collection = collection
        self._precision: Precision = precision
        self._name = f"the collection {collection!r} in {path}"
        self._table: Table | None = None
        self._first_version: int | None = None  # before the first write
        self._is_closed = False
        self._turn = threading.RLock()
        self._words = WordChoice()

    def indexing(self, language: SearchLanguage) -> "LanceStore":
        """The same store; where it makes the index of words, their stems are those of this language."""
        self._words = WordChoice(language)
        return self

    def ensure(self, dimension: int, /) -> None:
        """Make the table where it is missing."""
        with self._call():
            table = self._opened()  # which is false where it is empty
            if table is None:
                table = self._create(dimension)
            if (held := _dimension(table)) != dimension:
                raise CollectionError(
                    f"{self._name} holds vectors of {held} dimensions, the model makes {dimension}; go back to the"
                    " model it was built with, or name a new `collection` under `store`"
                )
            check_precision(self._name, _precision(table), self._precision)
            if not has_words(table):
                table.create_index("text", config=text_index(self._words.language))

    def expect(self, points: int, /) -> None:
        """Nothing to open."""

    def upsert(self, points: Points, /) -> None:
        """All or nothing."""
        if not points:
            return
        with self._call():
            table = self._required()
            check_vectors(points, _dimension(table))
            if self._words.is_changed_by(points, table.count_rows):
                table.create_index("text", config=text_index(self._words.language), replace=True)
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(as_table(points, _precision(table)))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        with self._held():
            if ids and self._opened() is not None:
                for part in slices(ids, MOST_IDS):
                    self._required().delete(one_of("id", part))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the table holds."""
        return {PointId(point) for rows in self._pages(ids, ["id"]) for point in rows["id"].to_pylist()}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """The records of the moment; later writes do not show."""
        pages: Iterator[Arrow] = iter(())
        with self._held():
            if (table := self._opened()) is not None:
                pages = table.search().select(PAYLOAD).to_batches(batch_size=PAGE)
        while True:
            with self._call():
                rows = next(pages, None)
            if rows is None:
                return
            for row in rows.to_pylist():
                yield PointId(row["id"]), as_payload(row)

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as they were written, whatever their length."""
        return {
            PointId(point): vector
            for rows in self._pages(ids, ["id", "vector"])
            for point, vector in zip(rows["id"].to_pylist(), _matrix(rows["vector"]), strict=True)
        }

    def search(self, query: Query, /) -> list[Hit]:
        """Exact, over every record that passes the conditions."""
        with self._held():
            if (table := self._opened()) is not None:
                if query.words and not has_words(table):
                    raise MissingTextIndexError(f"{self._name} has no index of words yet; the next sync makes it")
                return page(query, judged(partial(best, table, query), query.conditions))
        return []

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark; None where that is somebody else's."""
        marks: Mapping[bytes, bytes] | None = None
        with self._held():
            if (table := self._opened()) is not None:
                marks = table.schema.field(_MARKED).metadata
        with suppress(ValueError, TypeError, KeyError):
            return read_mark(json.loads((marks or {})[_mark(pipeline).encode()]))
        return None

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark in one commit."""
        with self._call():
            metadata = {_mark(pipeline): json.dumps(asdict(sentinel))}
            self._required().update_field_metadata({"path": _MARKED, "metadata": metadata})

    def count(self, pipeline: str = "", /) -> int:
        """Read from the newest version's manifest."""
        with self._held():
            if (table := self._opened()) is not None:
                return int(table.count_rows(as_sql(of_pipeline(pipeline)) if pipeline else None))
        return 0

    def publish(self, name: str, /) -> None:
        """LanceDB has no alias: a table of that name, with one row, says which collection is live."""
        with self._call():
            self._required()
            pointer = self._database().create_table(name, schema=POINTER, exist_ok=True)
            if pointer.schema.names != POINTER.names:
                raise CollectionError(f"{name!r} in {self._path} is a collection, so no name can lead to it")
            pointer.add([{"collection": self._collection}], mode="overwrite")

    def place(self, name: str, /) -> Place:
        """The name is a table beside the collection."""
        with self._call():
            table, pointer = self._opened(), self._found(name)
            is_pointer = pointer is not None and pointer.schema.names == POINTER.names
            rows = pointer.search().to_list() if pointer is not None and is_pointer else []
            published = rows[0]["collection"] if rows else None
            size = None if table is None else cast(dict[str, int], table.stats())["total_bytes"]
            return Place(self._path, self._collection, published, size)

    def drop(self) -> None:
        """Remove the files of all versions."""
        with self._call():
            if self._opened() is not None:
                self._table = self._first_version = None
                self._database().drop_table(self._collection)

    def close(self) -> None:
        """Join small files where they are many; further calls but this one fail."""
        with self._turn:
            table, self._table = self._table, None
            self._is_closed = True
            if table is not None and self._first_version is not None:
                first, self._first_version = self._first_version, None
                try:
                    with translated(self._name):
                        if table.version // TIDIED > first // TIDIED:
                            _tidy(table)
                except (ServiceError, TransientError) as error:  # nothing depends on it; the next run tries again
                    _log.warning("small files were not joined: %s", error)

    def _pages(self, ids: Sequence[PointId], columns: list[str]) -> Iterator[Arrow]:
        for part in slices(ids, MOST_IDS):
            rows: Arrow = None
            with self._held():
                if (table := self._opened()) is not None:
                    rows = table.search().where(one_of("id", part)).select(columns).to_arrow()
            if rows is not None:
                yield rows

    @contextmanager
    def _call(self) -> Generator[None]:
        """One call at a time, none after the end; foreign errors become ours."""
        with self._turn, translated(self._name):
            if self._is_closed:
                raise ServiceError(f"{self._name} was used after it had been closed")
            yield

    @contextmanager
    def _held(self) -> Generator[None]:
        """As `_call`; a table that another process has dropped holds nothing."""
        try:
            with self._call():
                yield
        except NoCollectionError:
            self._table = None

    def _opened(self) -> Table | None:
        """None where there is no such table."""
        if self._table is None and (table := self._found(self._collection)) is not None:
            self._table = self._own(table)
        return self._table

    def _found(self, name: str) -> Table | None:
        if "://" in self._path or Path(self._path).is_dir():
            with suppress(NoCollectionError), translated(self._name):
                return self._database().open_table(name)
        return None

    def _required(self) -> Table:
        """The table, to be written to."""
        table = self._opened()
        if table is None:
            raise NoCollectionError(f"{self._name}: there is no collection yet; it is made by a sync")
        if self._first_version is None:
            self._first_version = table.version
        return table

    def _create(self, dimension: int) -> Table:
        """Takes what another process has made meanwhile."""
        if "://" not in self._path:
            Path(self._path).mkdir(mode=0o700, parents=True, exist_ok=True)
        table = self._database().create_table(
            self._collection, schema=schema(dimension, self._precision), exist_ok=True
        )
        self._table = self._own(table)
        return self._table

    def _database(self) -> DBConnection:
        """Each read looks whether there is a newer version."""
        return lancedb.connect(self._path, read_consistency_interval=timedelta(0))

    def _own(self, table: Table) -> Table:
        """CollectionError where somebody else has made it."""
        if not set(schema().names) <= set(table.schema.names):
            raise CollectionError(
                f"{self._name} has the columns {table.schema.names}, so it is not one of Headrace's; name another"
                " `collection` under `store`"
            )
        return table


def _mark(pipeline: str) -> str:
    return f"{_MARK}:{pipeline}" if pipeline else _MARK


def _dimension(table: Table) -> int:
    return int(table.schema.field("vector").type.list_size)


def _precision(table: Table) -> str:
    return str(np.dtype(table.schema.field("vector").type.value_type.to_pandas_dtype()))


def _matrix(column: Arrow) -> Vectors:
    matrix: Vectors = column.combine_chunks().flatten().to_numpy().reshape(len(column), column.type.list_size)
    return matrix.astype(np.float32, copy=False)


def _tidy(table: Table) -> None:
    """Join small files, and remove the versions that have not been the newest one for a while."""
    now = time.time()
    started = [version["timestamp"].timestamp() for version in table.list_versions()]
    first = max((moment for moment in started if moment <= now - KEPT_SECONDS), default=started[0])
    table.optimize(cleanup_older_than=timedelta(seconds=now - first + MARGIN_SECONDS))
