"""Qdrant's engine, embedded in this process: one shard on disk, a write-ahead log, exact search.

Measured with 100,000 points of 384 dimensions: it opens in 0.4 s and an exact search takes about 10 ms, so no graph is
built: that would cost over a minute, return approximate answers and pay off only far above a million points. The
engine's defaults are kept for the rest: vectors memory-mapped and cached, payloads read from disk.
"""

import shutil
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from config.fields import Precision, SearchLanguage
from tasks.errors import CollectionError, ServiceError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.upsert.base import Place
from tasks.upsert.filters import PIPELINE, of_pipeline
from tasks.upsert.qdrant_embedded.access import Access
from tasks.upsert.qdrant_embedded.errors import translated
from tasks.upsert.qdrant_embedded.filter import as_filter
from tasks.upsert.qdrant_embedded.folder import FIRST, Generations
from tasks.upsert.qdrant_embedded.readers import Page
from tasks.upsert.qdrant_embedded.record_count import RecordCount
from tasks.upsert.qdrant_embedded.shard import create_shard, stored_form
from tasks.upsert.qdrant_embedded.snapshot import disk_usage
from tasks.upsert.vectors import check_precision, check_vectors
from tasks.upsert.words.tokens import WordChoice

WAIT_SECONDS = 10.0  # whoever reads gives way in a moment, and a sync should not fail over it
RESERVE_BYTES = 64 << 20
_NO_POINTS = Points((), np.empty((0, 0), np.float32), ())
INDEXED_FIELDS = ("metadata.source", "metadata.document")  # what searches filter by; 0.15 kB of memory a record each


class QdrantStore:
    """Opened by the first call that needs the engine; an acknowledged write survives the death of the process.

    It does not survive a power failure before the next flush: the lease notices that the machine went down.
    """

    def __init__(
        self,
        path: str,
        collection: str,
        wait_seconds: float = WAIT_SECONDS,
        *,
        is_shared: bool = False,
        precision: Precision = "float32",
    ) -> None:
        """`path` is the database's folder, `collection` a folder below it.

        `wait_seconds` is how long a write waits for another process that writes. `is_shared`: by several pipelines, so
        their field is indexed in a new collection.
        """
        self._generations = Generations(Path(path) / collection)
        self._folder = self._generations.folder
        self._indexed = (*INDEXED_FIELDS, *([f"metadata.{PIPELINE}"] if is_shared else []))
        self._precision: Precision = precision
        self._words = WordChoice()
        self._dimension: int | None = None
        self._is_closed = False
        self._turn = threading.RLock()
        self._access = Access(self._generations, wait_seconds, self._turn)

    def indexing(self, language: SearchLanguage) -> "QdrantStore":
        """The same store; a collection that it makes indexes words of this language, with `auto` by its texts."""
        self._words = WordChoice(language)
        return self

    def __enter__(self) -> "QdrantStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ensure(self, dimension: int, /) -> None:
        """Reads one small file where the collection exists, so an unchanged sync never loads the engine."""
        with self._translated():
            if self._generations.live() is None:
                self._create(dimension)
            self._generations.settle()
            self._generations.keep_private()
            held = self._held_dimension()
            if held != dimension:
                raise CollectionError(
                    f"the collection in {self._folder} holds vectors of {held} dimensions, the model makes {dimension};"
                    " go back to the model it was built with, or name a new `collection` under `store`"
                )
            check_precision(f"the collection in {self._folder}", self._held_form()[1], self._precision)

    def expect(self, points: int, /) -> None:
        """The engine is opened, and makes the index of words where that is missing."""
        with self._translated():
            self._access.write(points).upsert(_NO_POINTS)

    def upsert(self, points: Points, /) -> None:
        """Returns when the points are in the engine's log."""
        if not points:
            return
        with self._translated():
            check_vectors(points, self._held_dimension())
            self._require_space(_written_bytes(points))
            engine = self._access.write(len(points))
            if self._words.is_changed_by(points, engine.count):
                engine.index_words(self._words.language)
            engine.upsert(points)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        with self._translated():
            if ids and self._exists():
                self._require_space(0)
                self._access.write(0).delete(ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those of `ids` that the collection holds."""
        with self._translated():
            return self._access.read(lambda reader: reader.present(ids)) if ids and self._exists() else set()

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        """Records in the order of the ids; other calls may come between two pages."""
        start: str | None = None
        while True:
            with self._translated():
                if not self._exists():
                    return
                records, start = self._page(start)
            yield from records
            if start is None:
                return

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors as the engine keeps them: at unit length."""
        with self._translated():
            return self._access.read(lambda reader: reader.vectors(ids)) if ids and self._exists() else {}

    def search(self, query: Query, /) -> list[Hit]:
        """Exact cosine similarity over every record that passes the conditions."""
        with self._translated():
            as_filter(query.conditions)  # refuses what it cannot name, whether there are records or not
            return self._access.read(lambda reader: reader.search(query)) if self._exists() else []

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        """Read without opening the collection, so it is also answered while another process has it open."""
        with self._translated():
            return self._generations.sentinel(pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        """Replace the mark durably."""
        with self._translated():
            self._generations.mark(sentinel, pipeline)

    def count(self, pipeline: str = "", /) -> int:
        """0 where the collection is missing; one that was closed in order is not opened to count all its records."""
        with self._translated():
            if not self._exists():
                return 0
            is_noted = self._access.engine is None and not pipeline
            noted = RecordCount(self._access.live()).read() if is_noted else None
            return self._access.read(lambda reader: reader.count(of_pipeline(pipeline))) if noted is None else noted

    def publish(self, name: str, /) -> None:
        """Replace the pointer file of that name at one stroke."""
        with self._translated():
            self._generations.publish(name)

    def place(self, name: str, /) -> Place:
        """Asks the file system alone."""
        with self._translated():
            folder, size = self._folder, disk_usage(self._folder)
            return Place(str(folder.parent), folder.name, self._generations.published(name), size)

    def drop(self) -> None:
        """Remove the folder; LockedError while another process has the collection open."""
        with self._translated():
            if self._folder.is_dir():
                self._dimension = None
                self._access.drop()

    def close(self) -> None:
        """Put everything on disk and let others in; further calls but this one fail."""
        with self._turn, translated(self._folder):
            self._is_closed = True
            self._access.close()

    def _page(self, start: str | None) -> Page:
        return self._access.read(lambda reader: reader.page(start))

    def _exists(self) -> bool:
        return self._access.engine is not None or self._generations.live() is not None

    def _create(self, dimension: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._access.alone():
            self._require_space(0)
            if self._generations.live() is None:  # another process may have been quicker
                with self._generations.building(FIRST) as folder:
                    create_shard(folder / "shard", dimension, self._indexed, self._precision, self._words.language)

    def _held_dimension(self) -> int:
        if self._dimension is None:
            self._dimension = self._held_form()[0]
        return self._dimension

    def _held_form(self) -> tuple[int, str]:
        return stored_form(self._access.live() / "shard")

    def _require_space(self, needed_bytes: int) -> None:
        """The engine writes to mapped sparse files: where the disk is full, the kernel kills the process (SIGBUS)."""
        free, needed = shutil.disk_usage(self._folder).free, needed_bytes + RESERVE_BYTES
        if free < needed:
            raise ServiceError(
                f"the disk of {self._folder} has {free >> 20} MB left, and the next write can need {needed >> 20} MB;"
                " free some space and run again"
            )

    @contextmanager
    def _translated(self) -> Generator[None]:
        """One call at a time, none after the end; foreign errors become ours."""
        with self._turn, translated(self._folder):
            if self._is_closed:
                raise ServiceError(f"the collection in {self._folder} was used after it had been closed")
            yield


def _written_bytes(points: Points) -> int:
    """The most that is written: log and storage each hold the text, up to four bytes a character, and the vector."""
    characters = sum(len(str(payload.get("text", ""))) for payload in points.payloads)
    return 8 * characters + 2 * points.vectors.nbytes
