"""The five stages, in order: load -> chunk -> dedupe -> embed -> upsert."""

import time
from collections.abc import Callable

from tasks.chunk.window import chunk_window
from tasks.dedupe.window import Differ
from tasks.embed.base import Fence
from tasks.embed.window import embed_window
from tasks.load.window import load_window
from tasks.runners.same_model import SameModel
from tasks.session import Session
from tasks.upsert.window import write_window
from tasks.windows import Chunked, Deduped, Embedded, Loaded, Refs, Spent, Written


class Chain:
    """The stages of one run, bound to what they work with; each method takes what the one before it returned.

    A plain class on purpose: a workflow engine takes it as one opaque argument. It stays where the ledger is; what may
    live in another process is the embedder, the chunker or the parser inside it, never a stage.
    """

    def __init__(
        self, session: Session, differ: Differ, spent: Spent, before_writing: Callable[[], None] = lambda: None
    ) -> None:
        """`differ` knows what the ledger knew when the run began; `spent` counts for the whole run."""
        self._before_writing = before_writing
        self._session = session
        self._differ = differ
        self._spent = spent
        self._same_model = SameModel(session)

    def load(self, window: Refs, pause: Callable[[float], None] = time.sleep) -> Loaded:
        """The window's documents; `pause` waits so many seconds where a source asks for time."""
        return load_window(self._session.sources, self._differ, window, pause)

    def chunk(self, loaded: Loaded) -> Chunked:
        """The same documents in chunks."""
        return chunk_window(self._session.chunker, loaded)

    def read(self, window: Refs, pause: Callable[[float], None] = time.sleep) -> Chunked:
        """Both of these: what a source has can be read again, so a runner may repeat them together."""
        return self.chunk(self.load(window, pause))

    def dedupe(self, chunked: Chunked) -> Deduped:
        """What is new in them, and which texts nobody has paid for."""
        return self._differ.diff_window(chunked)

    def embed(self, deduped: Deduped, fence: Fence | None = None) -> Embedded:
        """Every vector of the window in the cache; `fence` may stop it earlier than the ledger does.

        CollectionError where the model is not the one that made the vectors that are there.
        """
        session = self._session
        self._same_model.check(deduped)
        return embed_window(session.embedder, session.cache, fence or session.ledger, deduped, self._spent)

    def announce(self, deduped: Deduped) -> None:
        """Open the store if the window has something for it, for instance while the model is still busy."""
        points = sum(len(change.put) for change in deduped.changes if not change.waits)
        if points:
            self._session.store.expect(points)

    def upsert(self, embedded: Embedded) -> Written:
        """The window in the store and in the ledger."""
        if any(change.put and not change.waits for change in embedded.deduped.changes):
            self._before_writing()
        return write_window(self._session.store, self._session.ledger, self._session.cache, embedded)

    def check(self) -> None:
        """Raise FencedError when another run has taken the lease."""
        self._session.ledger.check()
