"""A collection of a Qdrant server, through qdrant-client over HTTP; readers and writers may be many.

Payloads are stored as they are, under the keys `text`, `metadata` and `headrace`. The server's own settings decide when
it builds a graph: until then, by default up to 10 MB of vectors in a segment, it compares every record.
"""

import logging
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from qdrant_client import models

from config.fields import FieldType, Precision, SearchLanguage
from tasks.errors import CollectionError, HeadraceError, MissingTextIndexError, NoCollectionError, TransientError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.slices import slices
from tasks.upsert.base import Place
from tasks.upsert.filters import judged, of_pipeline
from tasks.upsert.page import page
from tasks.upsert.qdrant_server import bulk
from tasks.upsert.qdrant_server.batches import MOST_POINTS, batches
from tasks.upsert.qdrant_server.collection import (
    MOST_HITS,
    NOT_THE_SENTINEL,
    PAGE,
    SENTINEL,
    TEXT,
    complete,
    complete_text,
    create,
    has_text_index,
    held_dimension,
    held_precision,
    most_at_once,
    renew_text,
    search_params,
)
from tasks.upsert.qdrant_server.errors import ExistsError, TooManyError
from tasks.upsert.qdrant_server.filter import as_filter
from tasks.upsert.qdrant_server.sentinel import Marks
from tasks.upsert.qdrant_server.server import SECONDS, Server
from tasks.upsert.vectors import as_vector, check_precision, check_vectors
from tasks.upsert.words.tokens import WordChoice

IDS = 1000  # in one request
IN_FLIGHT = 4  # requests of one write
_NO_FIELDS: Mapping[str, FieldType] = {}

_log = logging.getLogger("headrace")


class QdrantServerStore:
    """Connects at the first call; an acknowledged write is in the server's log. Reading creates nothing."""

    def __init__(
        self,
        url: str,
        collection: str,
        api_key: str = "",
        seconds: int = SECONDS,
        precision: Precision = "float32",
    ) -> None:
        """`seconds` is how long an answer may take; ConfigError for what is no address of a web server."""
        self._server = Server(url, collection, api_key, seconds)
        self._collection = collection
        self._precision: Precision = precision
        self._words = WordChoice()
        self._dimension: int | None = None
        self._has_words: bool | None = None  # as far as this object has seen
        self._marks = Marks(self._server, collection)
        self._most, self._most_hits = MOST_POINTS, MOST_HITS
        self._fields, self._tenant = _NO_FIELDS, ""
        self._announced, self._is_bulk = 0, False

    def indexing(
        self, fields: Mapping[str, FieldType], tenant: str = "", language: SearchLanguage = "english"
    ) -> "QdrantServerStore":
        """The same store, whose `ensure` makes an index for each of these fields of the metadata, and for words."""
        self._fields, self._tenant, self._words = fields, tenant, WordChoice(language)
        return self

    def ensure(self, dimension: int, /) -> None:
        """Make what is missing: collection and payload indexes. CollectionError for another dimension."""
        info = self._info()
        if info is None:
            self._server.require_version()
            with suppress(ExistsError), self._server.asked() as client:
                create(client, self._collection, dimension, self._precision)
            info = self._require_info()
        held = held_dimension(info, self._server.name)
        if held != dimension:
            raise CollectionError(
                f"{self._server.name} holds vectors of {held} dimensions, the model makes {dimension};"
                " go back to the model it was built with, or name a new `collection` under `store`"
            )
        check_precision(self._server.name, held_precision(info), self._precision)
        self._dimension, (self._most, self._most_hits) = held, most_at_once(info)
        with self._server.asked() as client:
            complete(client, self._collection, info, self._fields, self._tenant)
            self._has_words = has_text_index(info) or None
            complete_text(client, self._collection, info, self._words.language)
            if not self._is_bulk:
                bulk.restore(client, self._collection, info)

    def ranks_words(self) -> bool:
        """Servers do from 1.20 on."""
        if self._has_words is None:
            self._has_words = has_text_index(self._info())
        return self._has_words

    def expect(self, points: int, /) -> None:
        """Defer the graph once this run is known to write much."""
        self._announced += points
        if self._announced >= bulk.FROM and not self._is_bulk and self._dimension is not None:
            self._is_bulk = True
            with self._unharmed("building the graph could not be deferred"), self._server.asked() as client:
                bulk.defer(client, self._collection, self._require_info())

    def upsert(self, points: Points, /) -> None:
        """Some requests at a time; what a failed one leaves undone is done by the same call again."""
        if not points:
            return
        check_vectors(points, self._held_dimension())
        with self._server.asked() as client, ThreadPoolExecutor(IN_FLIGHT) as pool:  # which waits for all it has begun
            if self._words.is_changed_by(points, self.count):
                renew_text(client, self._collection, self._words.language)
            written: deque[Future[models.UpdateResult]] = deque()
            for batch in batches(points, self._most):
                if len(written) == IN_FLIGHT:
                    self._require_done(written.popleft().result())
                written.append(pool.submit(client.upsert, self._collection, batch, wait=True))
            for one in written:
                self._require_done(one.result())

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        for part in slices(ids, IDS):
            with suppress(NoCollectionError), self._server.asked() as client:
                selected = models.PointIdsList(points=[*part])
                self._require_done(client.delete(self._collection, selected, wait=True))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the collection holds."""
        return {PointId(str(record.id)) for record in self._retrieved(ids)}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Records in the order of the ids; other calls may come between two pages."""
        start: Any = None
        with suppress(CollectionError, NoCollectionError):
            self._held_dimension()
        while True:
            try:
                with self._server.asked() as client:
                    records, start = client.scroll(
                        self._collection, limit=min(PAGE, self._most_hits), offset=start, with_vectors=False
                    )
            except NoCollectionError:
                return
            yield from ((PointId(str(one.id)), one.payload or {}) for one in records if one.id != SENTINEL)
            if start is None:
                return

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as the server keeps them: at unit length; a record that others left without one is left out."""
        records = self._retrieved(ids, with_vectors=True)
        return {PointId(str(one.id)): as_vector(one.vector) for one in records if isinstance(one.vector, list)}

    def search(self, query: Query, /) -> list[Hit]:
        """Exact, until the server has made a graph."""
        condition = as_filter(query.conditions)  # refuses what it cannot name, whether there are records or not
        asked: Any = models.TextQuery(text=query.words) if query.words else query.vector.tolist()
        how = None if query.words else search_params(self._precision)
        if query.words and not self._has_words:
            self._require_words()

        def nearest(limit: int) -> list[Hit]:
            with suppress(NoCollectionError), self._server.asked() as client:
                answer = client.query_points(
                    self._collection,
                    query=asked,
                    using=TEXT if query.words else None,
                    query_filter=condition,
                    limit=min(limit, self._most_hits),
                    search_params=how,
                    with_payload=True,
                )
                return [Hit(PointId(str(one.id)), one.score, one.payload or {}) for one in answer.points]
            return []

        try:
            return page(query, judged(nearest, query.conditions))
        except TooManyError:
            if self._takes_fewer():
                return self.search(query)
            raise
        except HeadraceError:
            if query.words:
                self._require_words()  # it was there, and others may have removed it
            raise

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """The newest mark; None where that is somebody else's."""
        return self._marks.read(pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark, unless a later run of the same ledger has left one."""
        if not self._marks.is_there:
            self._marks.read(pipeline)
        self._require_done(self._marks.write(sentinel, pipeline))

    def count(self, pipeline: str = "", /) -> int:
        """Counted by the server, exactly."""
        counted = as_filter(of_pipeline(pipeline)) or NOT_THE_SENTINEL
        with suppress(NoCollectionError), self._server.asked() as client:
            return client.count(self._collection, count_filter=counted, exact=True).count
        return 0

    def publish(self, name: str, /) -> None:
        """Move the alias `name` here, which the server does at one stroke."""
        gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))
        alias = models.CreateAlias(collection_name=self._collection, alias_name=name)
        with self._server.asked() as client:
            client.update_collection_aliases([gone, models.CreateAliasOperation(create_alias=alias)])

    def place(self, name: str, /) -> Place:
        """The name is an alias on the server."""
        with self._server.asked() as client:
            aliases = {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
        return Place(self._server.address, self._collection, aliases.get(name))

    def drop(self) -> None:
        """The server takes its aliases away, too."""
        self._dimension, self._marks.is_there = None, False
        with self._server.asked() as client:
            client.delete_collection(self._collection)

    def close(self) -> None:
        """Let the graph be built where it was deferred; further calls but this one fail."""
        is_bulk, self._is_bulk = self._is_bulk, False
        if is_bulk:
            with self._unharmed("the graph is built when the next run begins"), self._server.asked() as client:
                if info := self._info():
                    bulk.restore(client, self._collection, info)
        self._server.close()

    @contextmanager
    def _unharmed(self, what: str) -> Generator[None]:
        """Goes on where something for speed alone fails."""
        try:
            yield
        except HeadraceError as error:
            _log.warning("%s: %s: %s", self._server.name, what, error)

    def _info(self) -> models.CollectionInfo | None:
        with suppress(NoCollectionError), self._server.asked() as client:
            return client.get_collection(self._collection)
        return None

    def _require_info(self) -> models.CollectionInfo:
        if (info := self._info()) is None:
            raise NoCollectionError(f"{self._server.name}: there is no collection yet; it is made by a sync")
        return info

    def _takes_fewer(self) -> bool:
        """A hybrid search takes many candidates by itself; a server that gives fewer is asked for those."""
        before, (_, self._most_hits) = self._most_hits, most_at_once(self._require_info())
        told = "its strict mode gives %d results at most; raise max_query_limit for better answers"
        _log.warning("%s: " + told, self._server.name, self._most_hits)
        return self._most_hits < before

    def _require_words(self) -> None:
        self._has_words = None
        if not self.ranks_words():
            raise MissingTextIndexError(f"{self._server.name} has no text index; the next sync asks the server for one")

    def _held_dimension(self) -> int:
        if self._dimension is None:
            info = self._require_info()
            self._dimension, (self._most, self._most_hits) = held_dimension(info, self._server.name), most_at_once(info)
        return self._dimension

    def _retrieved(
        self, ids: Sequence[PointId], *, with_payload: bool = False, with_vectors: bool = False
    ) -> list[models.Record]:
        """Records of `ids` in no order; none where there is no collection."""
        records: list[models.Record] = []
        for part in slices(ids, IDS):
            with suppress(NoCollectionError), self._server.asked() as client:
                records += client.retrieve(
                    self._collection, [*part], with_payload=with_payload, with_vectors=with_vectors
                )
        return records

    def _require_done(self, result: models.UpdateResult) -> None:
        """A server that is overloaded may answer before it has applied a write; it is in its log, and not yet shown."""
        if result.status != models.UpdateStatus.COMPLETED:
            raise TransientError(f"{self._server.name}: a write is {result.status.value}, and not done yet; run again")
