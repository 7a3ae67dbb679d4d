"""Documents that are rows of one SELECT."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, column, or_, select, text
from sqlalchemy.sql.selectable import Subquery

from config.sources import SqlSource
from tasks.errors import ConfigError, DocumentError, MissingExtraError, ServiceError, TransientError
from tasks.load.listed import Listed
from tasks.load.paths import document_id
from tasks.load.rows import RowShape, all_binary
from tasks.load.sql.database import ReadOnlyDatabase
from tasks.records import Document, DocumentId, DocumentRef, FailedScope, Listing

SAMPLE_ROWS = 20
ROWS_AT_A_TIME = 500
SMALL_ROWS_AT_A_TIME = 10_000  # of ids and versions
FIRST_READ = 16
MOST_READ = 500  # of rows by their ids; Oracle takes 1,000 values in a list
MOST_CHARACTERS = 4_000_000  # of rows that are read together, as far as those before them tell
READS_KEPT = 4  # windows that are read side by side

Row = Mapping[str, Any]
Key = tuple[Any, ...]


class SqlRows:
    """Ids are the values of the id's columns.

    The listing streams the rows and keeps their ids and hints alone; with a version it asks for nothing else. A row is
    read together with those that follow it in the listing, since most likely they are wanted next.
    """

    def __init__(self, config: SqlSource) -> None:
        """Nothing is contacted before the first listing."""
        self.name = config.name
        self._config = config
        self._shape = RowShape(config, config.query)
        self._database = ReadOnlyDatabase(config.url, config.name, config.timeout_seconds)
        columns: Sequence[ColumnElement[Any]] = [column(name) for name in self._shape.columns]
        # A colon would begin a parameter.
        query = text(config.query.replace(":", r"\:") + "\n").columns(*columns)
        self._rows: Subquery = query.subquery("headrace_rows")
        self._listed: Listed[Key] = Listed(config.name)
        self._lock = threading.Lock()
        self._read: deque[dict[DocumentId, Row | None]] = deque(maxlen=READS_KEPT)
        self._at_a_time = FIRST_READ
        self._shards = self._at_once = 1

    def list(self) -> Listing:
        """All rows of one moment; where that fails in the middle, nothing is known, and nothing is deleted."""
        listed: Listed[Key] = Listed(self.name, self._shards, self._at_once)
        try:
            with self._database.reading() as connection:
                self._check(connection)
            with self._database.reading() as connection:
                self._list(connection, listed)
        except MissingExtraError:
            raise
        except (ConfigError, ServiceError, TransientError) as error:
            is_outage = isinstance(error, TransientError)
            return Listing(self.name, (), (FailedScope(f"{self.name}:", str(error), is_outage),))
        self._listed, self._at_a_time = listed, FIRST_READ
        self._read.clear()
        named = " and ".join(f"{name} IS NOT NULL" for name in self._config.ids)
        return listed.listing(advice=f"give them one, or leave them out: WHERE {named}")

    def split(self, shards: int, at_once: int = 1, /) -> bool:
        """Whether listings are asked for by shards from now on."""
        self._shards, self._at_once = shards, at_once
        self._read = deque(maxlen=READS_KEPT * at_once)
        return True

    def refs(self, shard: int, /) -> tuple[DocumentRef, ...]:
        """Those of a shard, which can be read from now on."""
        return self._listed.refs(shard)

    def read(self, ref: DocumentRef, /) -> Document:
        """The row as it is now; DocumentError where it is gone, or is not alone under its id."""
        with self._lock:
            row = next((rows[ref.id] for rows in self._read if ref.id in rows), None)
            if row is None:
                row = self._fetch(ref)
        return self._shape.document(ref, row)

    def _check(self, connection: Connection) -> None:
        """The columns are there, and are no pictures."""
        place = f"the query of source {self.name!r}"
        sample = connection.execute(select(text("*")).select_from(self._rows).limit(SAMPLE_ROWS))
        self._shape.check([*sample.keys()], place)
        rows = sample.mappings().all()
        for name in self._shape.columns:
            if all_binary([row[name] for row in rows]):
                raise ConfigError(
                    f"{place}: column {name!r} is binary; leave it out, or make a text of it, as HEX({name}) does"
                )

    def _list(self, connection: Connection, listed: Listed[Key]) -> None:
        version, width = self._config.version, len(self._config.ids)
        names = [*self._config.ids, *([version] if version else self._shape.contents)]
        path, hint = self._shape.path, self._shape.version_hint if version else self._shape.content_hint
        for values in self._streamed(connection, names):
            key = tuple(values[:width])
            if version:
                listed.add(path(key), hint(values[width]), 0, key)
            else:
                contents = values[width:]
                size = sum(len(value) for value in contents if isinstance(value, str))
                listed.add(path(key), hint(contents), size, key)

    def _streamed(self, connection: Connection, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        size = SMALL_ROWS_AT_A_TIME if self._config.version else ROWS_AT_A_TIME
        options = {"stream_results": True, "yield_per": size}
        for part in connection.execute(self._select(names), execution_options=options).partitions():
            yield from part

    def _select(self, names: Sequence[str]) -> Select[Any]:
        return select(*(self._rows.c[name] for name in names))

    def _fetch(self, ref: DocumentRef) -> Row:
        """The document's row, with others that are kept for those who ask next."""
        wanted = self._listed.from_here(ref, self._at_a_time)
        try:
            rows = self._rows_of(wanted)
        except ServiceError as error:
            # One of them may be to blame for all.
            wanted = wanted[:1]
            try:
                rows = self._rows_of(wanted)
            except ServiceError:
                raise DocumentError("unreadable", f"{ref.id}: {error}") from error
        self._read.append(rows)
        sizes = sum(len(value) for row in rows.values() if row for value in row.values() if isinstance(value, str))
        self._at_a_time = max(1, min(MOST_READ, 4 * len(wanted), MOST_CHARACTERS * len(wanted) // max(sizes, 1)))
        row = rows.get(ref.id)
        if row is None:
            raise self._unreadable(ref, is_double=ref.id in rows)
        return row

    def _rows_of(self, wanted: Sequence[tuple[DocumentRef, Key]]) -> dict[DocumentId, Row | None]:
        """Rows by document; None for one that there are several of by now.

        What a database takes for equal (1 and 1.0, a and A) may bring others along.
        """
        ids = [self._rows.c[name] for name in self._config.ids]
        documents, keys = {ref.id for ref, _ in wanted}, [key for _, key in wanted]
        rows: dict[DocumentId, Row | None] = {}
        with self._database.reading() as connection:
            found = connection.execute(self._select(self._shape.columns).where(_is_one_of(ids, keys)))
            for row in found.mappings():
                document = document_id(self.name, self._shape.path([row[name] for name in self._config.ids]))
                if document in documents:
                    rows[document] = None if document in rows else dict(row)
        return rows

    def _unreadable(self, ref: DocumentRef, *, is_double: bool) -> DocumentError:
        if is_double:
            return DocumentError("duplicate-id", f"{ref.id}: several rows have this id by now; the next run will see")
        return DocumentError("missing", f"{ref.id} was listed, but is gone; the next run will see")


def _is_one_of(ids: Sequence[ColumnElement[Any]], keys: Sequence[Key]) -> ColumnElement[bool]:
    """Row values are not known to every database, so a key of several columns is spelled out."""
    if len(ids) == 1:
        return ids[0].in_([key for (key,) in keys])
    return or_(*(_is(ids, key) for key in keys))


def _is(ids: Sequence[ColumnElement[Any]], key: Key) -> ColumnElement[bool]:
    return and_(*(one == value for one, value in zip(ids, key, strict=True)))
