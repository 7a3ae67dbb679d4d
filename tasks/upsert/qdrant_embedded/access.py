"""The way to a collection's engine: one of our own, that of whoever has the collection open, or one over a copy."""

import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks.errors import HeadraceError, ServiceError
from tasks.system.file_system import may_write
from tasks.upsert.qdrant_embedded.engine import Engine, EngineProcess, OwnEngine, ServingEngine
from tasks.upsert.qdrant_embedded.folder import Generations
from tasks.upsert.qdrant_embedded.lock import FolderLock
from tasks.upsert.qdrant_embedded.readers import GoneError, Reader, SocketReader
from tasks.upsert.qdrant_embedded.record_count import RecordCount
from tasks.upsert.qdrant_embedded.shard import MOST_DELETED, deleted_share
from tasks.upsert.qdrant_embedded.snapshot import RESERVE_BYTES, Snapshot, disk_usage

MANY = 500  # points in a call: a process of its own takes a quarter of a second to start, and they take a tenth
READ_SECONDS = 10.0  # who has the collection answers within one; longer takes the opening of millions of records
POLL_SECONDS = 0.02
LARGE = 10_000  # records; compacting more takes longer than readers should wait, so another process answers meanwhile

Answer = TypeVar("Answer")


class _Copy(NamedTuple):
    """`marks` are those of the runs before it was made: the next run leaves another."""

    snapshot: Snapshot
    engine: OwnEngine
    marks: list[tuple[str, int]]


class Access:
    """Whoever only reads asks the process that has the collection open, and gives way to one that wants to write."""

    def __init__(self, generations: Generations, wait_seconds: float, turn: threading.RLock) -> None:
        """`wait_seconds` is how long to wait for another process that writes; whoever calls has its `turn`."""
        self._generations = generations
        self._folder = generations.folder
        self._wait_seconds = wait_seconds
        self._turn = turn
        self._lock = FolderLock(self._folder)
        self._other: SocketReader | None = None
        self._copy: _Copy | None = None
        self._is_writing = False
        self.engine: Engine | None = None  # our own; the lock is ours as well

    def read(self, question: Callable[[Reader], Answer]) -> Answer:
        """The answer of one of them; LockedError where whoever has the collection does not answer."""
        deadline = time.monotonic() + READ_SECONDS
        while True:
            try:
                return question(self._reader())
            except (GoneError, TimeoutError) as error:
                self._forget_other()
                if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                    raise self._lock.refusal() from error
            time.sleep(POLL_SECONDS)

    def write(self, points: int) -> Engine:
        """Our own; the first call decides: who writes much at once gets it in a process of its own."""
        if self.engine is None:
            self._forget_other()
            self._lock.acquire(self._wait_seconds)
            self.engine = self._opened(points)
        self._is_writing = True
        return self.engine

    @contextmanager
    def alone(self) -> Generator[None, None, None]:
        """Nobody else has the collection open or makes it meanwhile."""
        self._lock.acquire(self._wait_seconds)
        try:
            yield
        finally:
            self._lock.release()

    def close(self) -> None:
        """Put everything on disk and let others in."""
        engine, self.engine = self.engine, None
        try:
            self._forget_other()
            if engine is not None:
                self._shut(engine)
        finally:
            self._is_writing = False
            self._lock.release()

    def drop(self) -> None:
        """Remove the folder; nobody else has the collection open."""
        self._forget_other()
        self._lock.acquire(self._wait_seconds)
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()
        shutil.rmtree(self._folder)
        self._is_writing = False
        self._lock.release()

    def live(self) -> Path:
        """The live generation; ServiceError where there is none."""
        live = self._generations.live()
        if live is None:
            raise ServiceError(f"there is no collection in {self._folder}; was it removed? Run sync again")
        return live

    def _reader(self) -> Reader:
        """GoneError where there is none at the moment."""
        if self.engine is not None:
            return self.engine
        if self._copy is not None:
            if self._copy.marks == _marks(self.live()):
                return self._copy.engine
            self._forget_other()
        if self._other is None:
            with suppress(GoneError):
                self._other = SocketReader(self._folder, READ_SECONDS)
        return self._other or self._own_reader()

    def _own_reader(self) -> Reader:
        live = self.live()
        if not may_write(self._folder, self._lock.path, live, live / "shard"):
            return self._copied(live)
        if self._lock.acquire_to_read():
            raise GoneError
        self.engine = self._opened()
        return self.engine

    def _copied(self, live: Path) -> Reader:
        with self._lock.watched() as holder:
            if holder:
                raise GoneError
            marks, snapshot = _marks(live), Snapshot(live / "shard")
        try:
            self._copy = _Copy(snapshot, OwnEngine(snapshot.shard, self._folder), marks)
        except BaseException:
            snapshot.close()
            raise
        return self._copy.engine

    def _opened(self, writes: int = 0) -> Engine:
        """The lock is ours, and is freed where this fails."""
        try:
            live = self.live()
            self._generations.keep_private()
            RecordCount(live).forget()
            if writes >= MANY and self._lock.file is not None:
                return EngineProcess(live / "shard", self._folder, self._lock.file)
            return ServingEngine(live / "shard", self._folder, self._leave)
        except BaseException:
            self._lock.release()
            raise

    def _leave(self) -> None:
        """Somebody wants to write; called in a thread of its own."""
        with self._turn, suppress(HeadraceError):
            if self.engine is not None and not self._is_writing:
                self.close()

    def _forget_other(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None
        if self._copy is not None:
            copy, self._copy = self._copy, None
            with suppress(HeadraceError):
                copy.engine.close()
            copy.snapshot.close()

    def _shut(self, engine: Engine) -> None:
        """Deleted vectors keep their place until they are a fifth of all; then `optimize` writes the others anew."""
        with ExitStack() as stand_in:
            try:
                live = self.live()
                if self._is_writing:
                    engine.flush()
                    self._compact(engine, live, stand_in)
                records = engine.count()
            finally:
                engine.close()
        RecordCount(live).write(records)

    def _compact(self, engine: Engine, live: Path, stand_in: ExitStack) -> None:
        if shutil.disk_usage(self._folder).free <= RESERVE_BYTES + disk_usage(live):
            return
        records = engine.count()
        if self._lock.file is not None and records >= LARGE and deleted_share(live / "shard", records) > MOST_DELETED:
            with suppress(ServiceError):  # no room for a copy: readers wait
                snapshot = Snapshot(live / "shard")
                stand_in.callback(snapshot.close)
                engine.send_readers_away()
                stand_in.callback(EngineProcess(snapshot.shard, self._folder, self._lock.file).close)
        engine.optimize()
        engine.flush()


def _marks(live: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_mtime_ns) for path in live.glob("sentinel*.json"))
