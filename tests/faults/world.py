"""A world in which every side effect of a run is numbered and may fail.

The real order, ledger, cache and planner run on a real SQLite database; the rest is small and honest.
`World.plan[n]` says what happens at the n-th effect of a run:

before  the process dies before the effect          after   it dies right after it
torn    half of a store's write lands, then it dies late    it dies, and the write lands after a later run
pause   the process stands still while another run goes through, then goes on
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from config.options import SyncOptions
from config.pipeline import Pipeline
from tasks.database.database import Database
from tasks.dedupe.cache import CACHE, EmbeddingCache
from tasks.errors import CollectionError, DocumentError
from tasks.ledger.generations import Registry
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import LEDGER
from tasks.records import (
    Chunk,
    Document,
    DocumentId,
    DocumentRef,
    EmbeddedBatch,
    FailedScope,
    Listing,
    PointId,
    Points,
    Sentinel,
    Vector,
    VectorSpace,
)
from tasks.runners.inline import InlineRunner
from tasks.session import Session
from tasks.sync.report import Report
from tasks.sync.run import run_sync
from tasks.upsert.base import VectorStore

GRACE = 3.0  # one run takes one second of the logical clock
EMBEDDING_BATCH = 3
DIMENSION = 8
SPACE = VectorSpace("test", "letters", "1", DIMENSION, 100)
PIPELINE = Pipeline.model_validate(
    {
        "name": "faulty",
        "sources": [{"kind": "files", "path": "s", "name": "s"}],
        "embedder": {"kind": "hashing"},
        "store": {"kind": "memory"},
        "deletions": {"max_count": 1000},
    }
)


class Crash(BaseException):
    """The process died here."""


class World:
    """Numbers the effects of one run."""

    def __init__(self, plan: Mapping[int, str] | None = None, observe: Callable[[], None] | None = None) -> None:
        self.n = 0
        self.plan = dict(plan or {})
        self.fired = False
        self.late: list[Callable[[], None]] = []
        self.while_paused: Callable[[], None] | None = None
        self.trace: list[str] = []
        self._observe = observe

    def enter(self, label: str) -> str | None:
        """Count the effect; die or stand still before it if the plan says so."""
        self.n += 1
        self.trace.append(label)
        mode = self.plan.get(self.n)
        if mode == "before":
            self.fired = True
            raise Crash(label)
        if mode == "pause" and self.while_paused:
            self.fired = True
            other, self.while_paused = self.while_paused, None
            other()
        return mode

    def leave(self, mode: str | None) -> None:
        """The effect happened; look at the world, die after it if the plan says so."""
        self.look()
        if mode == "after":
            self.fired = True
            raise Crash(self.trace[-1])

    def look(self) -> None:
        if self._observe:
            self._observe()

    def hit(self, label: str, effect: Callable[[], Any], torn: Callable[[], None] | None = None) -> Any:
        """Run an effect that may also be torn or late."""
        mode = self.enter(label)
        if mode == "torn" and torn:
            self.fired = True
            torn()
            self.look()
            raise Crash(label)
        if mode == "late" and torn:
            self.fired = True
            self.late.append(effect)
            raise Crash(label)
        answer = effect()
        self.leave(mode)
        return answer


class FaultyLedger(Ledger):
    """The real ledger on a shared database, each transaction one effect."""

    flow_run = dead_flow_run = ""

    def __init__(self, database: Database, world: World) -> None:
        self.database = database
        self.epoch = None
        self._world = world

    @contextmanager
    def fenced(self, label: str) -> Iterator[Any]:
        mode = self._world.enter(f"tx:{label}")
        with super().fenced(label) as connection:
            yield connection
        self._world.leave(mode)


class FaultyCache(EmbeddingCache):
    """The real cache on a shared database, each commit one effect."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._dimension = SPACE.dimension
        self.damaged = set()
        self._world = world

    def put(self, keys: Any, vectors: Any, tokens: Any) -> None:
        self._world.hit("cache.put", lambda: super(FaultyCache, self).put(keys, vectors, tokens))


class FaultyStore:
    """Any store, each call one effect; writes may be torn or late."""

    def __init__(self, store: VectorStore, world: World) -> None:
        self._store = store
        self._world = world

    def upsert(self, points: Points) -> None:
        half = points[: len(points) // 2]
        self._world.hit("store.upsert", lambda: self._store.upsert(points), lambda: self._store.upsert(half))

    def delete(self, ids: Sequence[PointId]) -> None:
        half = ids[: len(ids) // 2]
        self._world.hit("store.delete", lambda: self._store.delete(ids), lambda: self._store.delete(half))

    def mark(self, sentinel: Sentinel, pipeline: str = "") -> None:
        self._world.hit("store.mark", lambda: self._store.mark(sentinel, pipeline))

    def present(self, ids: Sequence[PointId]) -> set[PointId]:
        found: set[PointId] = self._world.hit("store.present", lambda: self._store.present(ids))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Lines:
    """A source of texts; one chunk a line. `hidden` is a folder that cannot be listed, `unreadable` cannot be read.

    `refused` are lines that the provider does not take; `served` says what is right to serve in place of a document.
    """

    name = "s"

    def __init__(self, texts: Mapping[str, str], titles: Mapping[str, str] | None = None) -> None:
        self.texts = dict(texts)
        self.titles = dict(titles or {})
        self.hidden = ""
        self.unreadable: set[str] = set()
        self.refused: set[str] = set()
        self.served: dict[str, str] = {}
        self.world = World()

    def list(self) -> Listing:
        return self.world.hit("source.list", self._list)  # type: ignore[no-any-return]  # hit passes any answer through

    def _list(self) -> Listing:
        seen = [key for key in self.texts if not (self.hidden and key.startswith(self.hidden))]
        failed = (FailedScope(f"s:{self.hidden}", f"{self.hidden} cannot be listed"),) if self.hidden else ()
        return Listing("s", tuple(self._ref(key) for key in seen), failed)

    def _ref(self, key: str) -> DocumentRef:
        # Like a file whose time stamp comes back with its old content: the hint alone cannot tell that all is well.
        hint = f"{self.texts[key]}/{self.titles.get(key, '')}"
        return DocumentRef(DocumentId(f"s:{key}"), "s", key, hint)

    def read(self, ref: DocumentRef) -> Document:
        return self.world.hit("source.read", lambda: self._read(ref))  # type: ignore[no-any-return]  # as above

    def _read(self, ref: DocumentRef) -> Document:
        if ref.path in self.unreadable:
            raise DocumentError("unreadable", f"{ref.path}: unreadable")
        return Document(ref, self.texts[ref.path], metadata={"title": self.titles.get(ref.path, "")})


class LineChunker:
    fingerprint = "lines"

    def expect(self, characters: int) -> None:
        """There is nothing to start."""

    def split(self, documents: Sequence[Document]) -> list[list[Chunk]]:
        return [
            [Chunk(line, len(line) + 2, 0) for line in document.text.split("\n") if line.strip()]
            for document in documents
        ]


class Letters:
    """An embedder that remembers what it was paid for."""

    model = "letters"
    space = SPACE
    usd_per_million_tokens = 1.0
    spent_usd = 0.0
    server = other_model = assumed = ""
    late = None
    runtime = ""

    def __init__(self) -> None:
        self.paid: list[str] = []
        self.refused: set[str] = set()
        self.world = World()

    def embed(self, texts: Sequence[str], tokens: Sequence[int]) -> Generator[EmbeddedBatch, None, None]:
        for start in range(0, len(texts), EMBEDDING_BATCH):
            rows = tuple(range(start, min(start + EMBEDDING_BATCH, len(texts))))
            yield self.world.hit("embed", lambda rows=rows: self._pay(rows, [texts[row] for row in rows]))

    def _pay(self, rows: tuple[int, ...], texts: Sequence[str]) -> EmbeddedBatch:
        taken = [(row, text) for row, text in zip(rows, texts, strict=True) if text not in self.refused]
        self.paid += [text for _, text in taken]
        vectors = np.stack([vector_of(text) for _, text in taken]) if taken else np.empty((0, DIMENSION), np.float32)
        rejected = dict.fromkeys(set(rows) - {row for row, _ in taken}, "refused")
        return EmbeddedBatch(tuple(row for row, _ in taken), vectors, rejected=rejected)

    def embed_query(self, text: str) -> Vector:
        return vector_of(text)

    def check(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        """Nothing is open."""


def vector_of(text: str) -> Vector:
    """The one right vector of a text."""
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest()[:DIMENSION], dtype=np.uint8).astype(np.float32) + 1
    vector: Vector = digest / np.linalg.norm(digest)
    return vector


class Machine:
    """What survives a process: ledger and cache databases, the store, the provider's bill, the clock."""

    def __init__(self, store: VectorStore, ledger: Database | None = None) -> None:
        self.store = store
        self.ledger = ledger or Database("sqlite://", LEDGER, "ledger")
        self.cache = Database("sqlite://", CACHE, "cache")
        self.embedder = Letters()
        self.clock = 0.0

    def run(self, source: Lines, world: World | None = None, options: SyncOptions | None = None) -> Report:
        """One run of the real order; raises Crash or FencedError where the plan leads to it."""
        world = world or World()
        self.clock += 1
        source.world = self.embedder.world = world
        self.embedder.refused = source.refused
        session = Session(
            pipeline=PIPELINE,
            sources={"s": source},
            chunker=LineChunker(),
            embedder=self.embedder,
            store=FaultyStore(self.store, world),
            ledger=FaultyLedger(self.ledger, world),
            registry=Registry(self.ledger),
            cache=FaultyCache(self.cache, world),
            clock=lambda: self.clock,
            grace_seconds=GRACE,
        )
        options = options or SyncOptions()
        try:
            return run_sync(session, options, InlineRunner(), Silence())
        except CollectionError:  # an old ledger came back after a new one had taken its place: a person decides
            return run_sync(session, options.model_copy(update={"take_over": True}), InlineRunner(), Silence())

    def rows(self) -> list[tuple[str, str, str]]:
        """(id, state, document) of every point in the ledger."""
        with self.ledger.read() as connection:
            return [tuple(row) for row in connection.execute("SELECT id, state, document FROM point")]

    def settle(self, source: Lines) -> None:
        """Two runs after the grace time: the first forgets what is proven gone, the second has nothing to do."""
        for _ in range(2):
            self.clock += GRACE
            self.run(source)


class Silence:
    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Nobody watches."""

    def advance(self, documents: int, /) -> None:
        """Nobody watches."""
