"""One open shard of the engine behind plain data, so that it can run in a process of its own.

The engine keeps Python's one running thread to itself, and turning payloads into its own form takes 0.06 ms a point:
beside a fast model that is most of a run. So a run that writes much has the engine in a child process.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tasks.errors import MissingTextIndexError, ServiceError
from tasks.records import Condition, Hit, PointId, Points, Query, Vector
from tasks.slices import slices
from tasks.system.child_process import ChildProcess
from tasks.system.worker import Worker, WorkerDiedError
from tasks.upsert.filters import judged
from tasks.upsert.page import page
from tasks.upsert.qdrant_embedded.errors import translated
from tasks.upsert.qdrant_embedded.filter import as_filter
from tasks.upsert.qdrant_embedded.readers import Page, Reader, ReadServer
from tasks.upsert.qdrant_embedded.shard import TEXT, as_engine_points, as_payload, text_index
from tasks.upsert.qdrant_embedded.writeback import Writeback
from tasks.upsert.vectors import as_vector

if TYPE_CHECKING:
    import qdrant_edge as engine

    from config.fields import Language

POINTS_PER_UPDATE = 200  # larger ones are no faster, and no other thread, a reader's for one, runs during one
DELETES_PER_UPDATE = 2000
FLUSH = 10_000  # changes; until a flush the engine keeps 0.4 kB of memory for each, and readers wait for the flush
PAGE = 200  # records a page; larger ones are slower and hold more of the texts in memory


class Engine(Reader, Protocol):
    """Reads and writes."""

    def upsert(self, points: Points, /) -> None:
        """DocumentError for a payload that is no plain JSON, before anything is written."""
        ...

    def index_words(self, language: "Language", /) -> None:
        """Make the index of words anew."""
        ...

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Missing ids are no error."""
        ...

    def optimize(self) -> None:
        """Write a segment anew once a fifth of its records are deleted."""
        ...

    def flush(self) -> None:
        """Put everything on disk."""
        ...

    def send_readers_away(self) -> None:
        """Other processes are not answered from here on."""
        ...

    def close(self) -> None:
        """Further calls fail; a second one is idle."""
        ...


class OwnEngine:
    """The engine in this process."""

    def __init__(self, shard: Path, folder: Path) -> None:
        """`folder` is the one that errors name."""
        self._folder = folder
        import qdrant_edge as engine

        with translated(self._folder):
            self._shard = engine.EdgeShard.load(str(shard))
        self._writeback = Writeback(shard)
        self._is_complete = False
        self._changes = 0

    def upsert(self, points: Points, /) -> None:
        """Write in updates of a size that lets other threads run in between."""
        import qdrant_edge as engine

        made = as_engine_points(points)
        with translated(self._folder):
            self._complete()
            for part in slices(made, POINTS_PER_UPDATE):
                self._update(engine.UpdateOperation.upsert_points(list(part)), len(part))

    def index_words(self, language: "Language", /) -> None:
        """One that is there goes first."""
        import qdrant_edge as engine

        with translated(self._folder):
            if self._has_text_index():
                self._shard.update(engine.UpdateOperation.delete_field_index(TEXT))
            self._shard.update(text_index(language))

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Delete in updates of a size that lets other threads run in between."""
        import qdrant_edge as engine

        with translated(self._folder):
            for part in slices(ids, DELETES_PER_UPDATE):
                self._update(engine.UpdateOperation.delete_points(list(part)), len(part))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Ask without payloads and vectors."""
        with translated(self._folder):
            return {PointId(str(record.id)) for record in self._shard.retrieve(list(ids), False, False)}

    def page(self, start: str | None, /) -> Page:
        """A scroll of the engine."""
        import qdrant_edge as engine

        with translated(self._folder):
            request = engine.ScrollRequest(offset=start, limit=PAGE, with_payload=True, with_vector=False)
            records, after = self._shard.scroll(request)
        found = [(PointId(str(record.id)), as_payload(record.payload)) for record in records]
        return found, None if after is None else str(after)

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Ask without payloads."""
        with translated(self._folder):
            records = self._shard.retrieve(list(ids), False, True)
        return {PointId(str(record.id)): as_vector(record.vector) for record in records}

    def search(self, query: Query, /) -> list[Hit]:
        """Search every record that passes the conditions."""
        import qdrant_edge as engine

        condition = as_filter(query.conditions)
        asked = engine.TextQuery(TEXT, query.words) if query.words else engine.Query.Nearest(query.vector.tolist())
        if query.words and not self._has_text_index():
            raise MissingTextIndexError(
                f"the collection in {self._folder} has no text index yet; a sync that writes makes it"
            )

        def nearest(limit: int) -> list[Hit]:
            with translated(self._folder):
                request = engine.QueryRequest(limit, query=asked, filter=condition, with_payload=True)
                found = self._shard.query(request)
            return [Hit(PointId(str(hit.id)), float(hit.score), as_payload(hit.payload)) for hit in found]

        return page(query, judged(nearest, query.conditions))

    def count(self, conditions: Sequence[Condition] = (), /) -> int:
        """Asked of the engine."""
        import qdrant_edge as engine

        with translated(self._folder):
            return self._shard.count(engine.CountRequest(filter=as_filter(conditions)))

    def optimize(self) -> None:
        """Blocks until it is done."""
        with translated(self._folder):
            self._shard.optimize()

    def flush(self) -> None:
        """Raise what `close`, which does it too, would keep to itself."""
        with translated(self._folder):
            self._shard.flush()
        self._changes = 0

    def close(self) -> None:
        """Let others open it."""
        with translated(self._folder):
            self._shard.close()

    def _has_text_index(self) -> bool:
        return TEXT in self._shard.info().payload_schema

    def _complete(self) -> None:
        """A collection of the time before there were text indexes gets one with its first write."""
        if not self._is_complete and not self._has_text_index():
            self._shard.update(text_index())
        self._is_complete = True

    def _update(self, operation: "engine.UpdateOperation", changes: int) -> None:
        self._shard.update(operation)
        self._writeback.changed(changes)
        self._changes += changes
        if self._changes >= FLUSH:
            self.flush()


class ServingEngine(OwnEngine):
    """The engine in this process, which others may ask, too."""

    def __init__(self, shard: Path, folder: Path, leave: Callable[[], None] | None = None) -> None:
        """`leave` closes the collection for somebody who wants to write."""
        super().__init__(shard, folder)
        self._server: ReadServer | None = ReadServer(folder, self, leave)

    def send_readers_away(self) -> None:
        """Leave the place to whoever answers next."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def close(self) -> None:
        """Send the others away first."""
        self.send_readers_away()
        super().close()


class EngineProcess:
    """The engine in a child process, which holds `lock` open as long as it lives: nobody else gets the collection."""

    def __init__(self, shard: Path, folder: Path, lock: int) -> None:
        """`lock` is the file of the collection's lock."""
        self._folder = folder
        self._worker: Worker = ChildProcess(ServingEngine, shard, folder, inherit=[lock])
        try:
            self.count()
        except BaseException:
            self._worker.close()
            raise

    def upsert(self, points: Points, /) -> None:
        """Other threads run meanwhile."""
        self._ask("upsert", points)

    def index_words(self, language: "Language", /) -> None:
        """Does there what it does in this process."""
        self._ask("index_words", language)

    def delete(self, ids: Sequence[PointId], /) -> None:
        """Does there what it does in this process."""
        self._ask("delete", ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Does there what it does in this process."""
        found: set[PointId] = self._ask("present", ids)
        return found

    def page(self, start: str | None, /) -> Page:
        """Does there what it does in this process."""
        found: Page = self._ask("page", start)
        return found

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Does there what it does in this process."""
        found: dict[PointId, Vector] = self._ask("vectors", ids)
        return found

    def search(self, query: Query, /) -> list[Hit]:
        """Does there what it does in this process."""
        found: list[Hit] = self._ask("search", query)
        return found

    def count(self, conditions: Sequence[Condition] = (), /) -> int:
        """Does there what it does in this process."""
        return int(self._ask("count", conditions))

    def optimize(self) -> None:
        """Does there what it does in this process."""
        self._ask("optimize")

    def flush(self) -> None:
        """Does there what it does in this process."""
        self._ask("flush")

    def send_readers_away(self) -> None:
        """Does there what it does in this process."""
        self._ask("send_readers_away")

    def close(self) -> None:
        """End the child too."""
        try:
            self._ask("close")
        finally:
            self._worker.close()

    def _ask(self, method: str, *arguments: object) -> Any:
        try:
            return self._worker.call(method, *arguments)
        except WorkerDiedError as error:
            what = f"the collection in {self._folder}: the engine's {error}"
            cause = "the disk is full" if "SIGBUS" in str(error) else "the machine is short of memory"
            raise ServiceError(f"{what}; most likely {cause}: free some and run again, nothing is lost") from error
