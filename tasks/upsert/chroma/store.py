"""One collection of a Chroma server. Chroma has no alias, and its index is approximate: exact for small collections."""

import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

from tasks.errors import CollectionError, NoCollectionError, ServiceError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.slices import bounded, slices
from tasks.upsert.base import Place
from tasks.upsert.chroma.connection import Connection
from tasks.upsert.chroma.records import as_columns, as_payload, as_record
from tasks.upsert.chroma.search import PAGE, nearest
from tasks.upsert.chroma.server import Server
from tasks.upsert.filters import PIPELINE
from tasks.upsert.marks import read_mark
from tasks.upsert.vectors import as_vector, check_vectors

BODY_BYTES = 8 << 20  # of records in a request; a server takes 40 MB as it comes
FLOAT_BYTES = 6  # in base64, about
EF_SEARCH = 200  # neighbours that a search looks at; Chroma's 100 miss more of a large collection
SCANNED_PAGES = 20
_DIMENSION, _SENTINEL, _LIVE = "headrace_dimension", "headrace_sentinel", "headrace_live"
_NAME = re.compile(r"(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")


class _Collection(NamedTuple):
    id: str
    dimension: int | None
    metadata: dict[str, Any]


class ChromaStore:
    """The sentinel and the dimension are in the collection's own metadata, so every record is a point."""

    def __init__(self, server: Server, collection: str) -> None:
        """Nothing is asked yet. The store closes the server."""
        self._server = server
        self._collection_name = collection
        self._name = _chroma_name(collection)
        self._collection: _Collection | None = None
        self._is_closed = False
        self._turn = threading.RLock()

    def __enter__(self) -> "ChromaStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ensure(self, dimension: int, /) -> None:
        """A collection that somebody else made is taken where it compares by cosine."""
        with self._turn:
            collection = self._looked_up() or self._create(dimension)
            if collection.dimension is None:
                collection = self._modify(collection, {_DIMENSION: dimension})
            if collection.dimension != dimension:
                raise CollectionError(
                    f"the collection {self._name!r} of {self._server.place} holds vectors of {collection.dimension}"
                    f" dimensions, the model makes {dimension}; go back to the model it was built with, or name a new"
                    " `collection` under `store`"
                )

    def expect(self, points: int, /) -> None:
        """Start a private server."""
        with self._turn:
            self._connection(create=True)

    def upsert(self, points: Points, /) -> None:
        """Send requests of a bounded size; Chroma acknowledges each."""
        if not points:
            return
        with self._turn:
            collection = self._required()
            check_vectors(points, collection.dimension or points.vectors.shape[1])
            records = [as_record(point, payload) for point, payload in zip(points.ids, points.payloads, strict=True)]
            most = self._opened().most_records()
            sizes = [record.size + points.vectors.shape[1] * FLOAT_BYTES for record in records]
            for part in bounded(sizes, most, BODY_BYTES):
                self._ask(collection, "upsert", as_columns(points[part], records[part]))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        self._pages(ids, "delete", {})

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the collection holds."""
        return {PointId(one) for page in self._pages(ids, "get", {"include": []}) for one in page["ids"]}

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Records from the newest to the oldest; other calls may come between two pages.

        Chroma numbers the records of a collection by age. A deletion moves newer ones down: from the end this shows
        some of them again, and from the start it would hide others.
        """
        recent: deque[set[str]] = deque(maxlen=SCANNED_PAGES)
        end = self.count()
        while end > 0:
            start = max(0, end - PAGE)
            with self._turn:
                collection = self._known()
                if collection is None:
                    return
                limits = {"limit": end - start, "offset": start, "include": ["documents", "metadatas"]}
                page = self._ask(collection, "get", limits)
            seen = set[str]().union(*recent)
            recent.append(set(page["ids"]))
            for point, document, metadata in zip(page["ids"], page["documents"], page["metadatas"], strict=True):
                if point not in seen:
                    yield PointId(point), as_payload(document, metadata)
            end = start

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Vectors as they were written, whatever their length."""
        return {
            PointId(point): as_vector(vector)
            for page in self._pages(ids, "get", {"include": ["embeddings"]})
            for point, vector in zip(page["ids"], page["embeddings"], strict=True)
        }

    def search(self, query: Query, /) -> list[Hit]:
        """Approximate where there are more than a few hundred records."""
        with self._turn:
            collection = self._known()
            return nearest(partial(self._ask, collection), query) if collection else []

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """Read from the server each time."""
        with self._turn:
            collection = self._looked_up()
            name = _mark_name(pipeline)
            text = collection.metadata.get(name) if collection else None
            if text is None:
                return None
            try:
                return read_mark(json.loads(text))
            except (ValueError, TypeError, KeyError) as error:
                raise ServiceError(
                    f"the collection {self._name!r} of {self._server.place} has a mark in its metadata that cannot be"
                    f" read: {text!r}; remove `{name}` from it and run sync again"
                ) from error

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark in one statement of the server's.

        Pipelines that share the collection and mark it in the same moment may undo one another's mark, which costs the
        other a reading of its records in its next run.
        """
        with self._turn:
            self._collection = None
            self._modify(self._required(), {_mark_name(pipeline): json.dumps(asdict(sentinel))})

    def count(self, pipeline: str = "", /) -> int:
        """0 where the collection is missing. Chroma counts all records; the ids of one pipeline's are read."""
        with self._turn:
            collection = self._known()
            if collection is None:
                return 0
            if not pipeline:
                return int(self._opened().database("GET", "collections", collection.id, "count"))
            records, seen = 0, (most := self._opened().most_ids)
            while seen == most:
                page = {"where": {PIPELINE: pipeline}, "include": [], "limit": most, "offset": records}
                seen = len(self._ask(collection, "get", page)["ids"])
                records += seen
            return records

    def publish(self, name: str, /) -> None:
        """Chroma has no alias: the metadata of an empty collection of that name say which one is live."""
        with self._turn:
            self._required()
            pointer, metadata = self._pointer(name), {_LIVE: self._collection_name, "collection": self._name}
            if pointer is None:
                body = {"name": _chroma_name(name), "metadata": metadata, "get_or_create": True}
                pointer = self._opened().database("POST", "collections", body=body)
            if _LIVE not in (pointer.get("metadata") or {}):
                raise CollectionError(f"{name!r} of {self._server.place} is a collection, so no name can lead to it")
            self._opened().database("PUT", "collections", pointer["id"], body={"new_metadata": metadata})

    def place(self, name: str, /) -> Place:
        """The collection is called otherwise where Chroma does not take its name."""
        with self._turn:
            pointer = self._pointer(name)
            published = (pointer.get("metadata") or {}).get(_LIVE) if pointer else None
            return Place(self._server.address, self._name, published)

    def drop(self) -> None:
        """Remove it with its metadata."""
        with self._turn:
            connection, self._collection = self._connection(create=False), None
            if connection:
                with suppress(NoCollectionError):
                    connection.database("DELETE", "collections", self._name)

    def close(self) -> None:
        """End a private server; further calls but this one fail."""
        with self._turn:
            self._is_closed = True
            self._server.close()

    def _pages(self, ids: Sequence[PointId], action: str, body: dict[str, Any]) -> list[Any]:
        with self._turn:
            collection = self._known() if ids else None
            if collection is None:
                return []
            return [self._ask(collection, action, {"ids": [*part], **body}) for part in slices(ids, PAGE)]

    def _ask(self, collection: _Collection, action: str, body: dict[str, Any]) -> Any:
        try:
            return self._opened().database("POST", "collections", collection.id, action, body=body)
        except NoCollectionError:
            self._collection = None
            raise

    def _connection(self, *, create: bool) -> Connection | None:
        if self._is_closed:
            raise ServiceError(f"the collection {self._name!r} of {self._server.place} was used after it was closed")
        return self._server.connection(create=create)

    def _opened(self) -> Connection:
        connection = self._connection(create=True)
        assert connection is not None
        return connection

    def _known(self) -> _Collection | None:
        return self._collection or self._looked_up()

    def _required(self) -> _Collection:
        collection = self._known()
        if collection is None:
            raise ServiceError(
                f"there is no collection {self._name!r} in {self._server.place}; was it removed? Run sync again"
            )
        return collection

    def _looked_up(self) -> _Collection | None:
        connection = self._connection(create=False)
        try:
            answer = connection.database("GET", "collections", self._name) if connection else None
        except NoCollectionError:
            answer = None
        self._collection = self._fitting(answer) if answer else None
        return self._collection

    def _pointer(self, name: str) -> dict[str, Any] | None:
        connection = self._connection(create=False)
        with suppress(NoCollectionError):
            answer: dict[str, Any] | None = (
                connection.database("GET", "collections", _chroma_name(name)) if connection else None
            )
            return answer
        return None

    def _create(self, dimension: int) -> _Collection:
        """Takes what another process made meanwhile."""
        body = {
            "name": self._name,
            "configuration": {"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}},
            "metadata": {_DIMENSION: dimension},
            "get_or_create": True,
        }
        self._collection = self._fitting(self._opened().database("POST", "collections", body=body))
        return self._collection

    def _modify(self, collection: _Collection, fields: dict[str, Any]) -> _Collection:
        """Chroma replaces the metadata as a whole."""
        metadata = {**collection.metadata, **fields}
        self._opened().database("PUT", "collections", collection.id, body={"new_metadata": metadata})
        self._collection = _Collection(collection.id, metadata.get(_DIMENSION, collection.dimension), metadata)
        return self._collection

    def _fitting(self, answer: dict[str, Any]) -> _Collection:
        index: dict[str, Any] = answer["configuration_json"]
        space = (index.get("hnsw") or index.get("spann") or {}).get("space")
        if space != "cosine":
            raise CollectionError(
                f"the collection {self._name!r} of {self._server.place} compares by {space}, expected cosine; name a"
                " new `collection` under `store`"
            )
        metadata = answer.get("metadata") or {}
        return _Collection(answer["id"], answer.get("dimension") or metadata.get(_DIMENSION), metadata)


def _mark_name(pipeline: str) -> str:
    return f"{_SENTINEL}-{pipeline}" if pipeline else _SENTINEL


def _chroma_name(collection: str) -> str:
    """Chroma refuses some names that the settings allow, such as `kb`; these get a longer one."""
    if _NAME.fullmatch(collection):
        return collection
    digest = hashlib.sha256(collection.encode()).hexdigest()[:8]
    return f"headrace-{collection.replace('..', '--')}-{digest}"
