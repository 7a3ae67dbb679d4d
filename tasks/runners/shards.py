"""Shards of one ledger side by side, each in a worker that may be on another machine, and takes windows to their end.

The run reads the windows, and keeps listing, plan, guard, deletions and report; a worker cuts what was read, compares,
embeds, and writes cache, store and its shard under the epoch of the run's lease, so it is fenced as the run is. What a
worker that died had begun is begun again, once there is one in its place. A window may thus be worked off twice, even
at the same time, which the order of writes allows as it allows a killed run and the next one: an id says what is in its
point, an intent comes before each upsert, and both flips say the same.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from config.pipeline import Pipeline
from tasks.dedupe.diff import Known
from tasks.dedupe.identity import Identity
from tasks.dedupe.window import Alike, Differ
from tasks.errors import ConfigError, ServiceError
from tasks.records import EmbeddingKey
from tasks.retry import with_retries
from tasks.runners.chain import Chain
from tasks.session import Session, open_writer
from tasks.slices import shard_of
from tasks.system.worker import Worker, WorkerDiedError
from tasks.upsert.window import write_changes
from tasks.windows import DocumentChange, Loaded, Refs, Spent, Written

TRIES = 5  # for a window in which workers die
MOST_IN_FLIGHT = 130  # windows of all workers together
PAUSE_SECONDS = 1.0  # before a worker that died is asked whether it is back


class Outcome(NamedTuple):
    """What a worker did; changes that wait for the run's end are whole, and of the others only what is counted."""

    written: Written
    damaged: set[EmbeddingKey]
    runtime: str


class ShardWriter:
    """What lives in a worker: everything that a window needs once it was read."""

    def __init__(self, pipeline: Pipeline, identity: Identity, epoch: int) -> None:
        """ConfigError where the same configuration would make other ids or vectors here."""
        self._open = ExitStack()  # until the process ends
        self._session = session = self._open.enter_context(open_writer(pipeline))
        if session.identity != identity:
            raise ConfigError(
                f"a worker of {pipeline.name!r} has another Headrace or another model than the run ({session.identity}"
                f" instead of {identity}); install the same on all nodes"
            )
        session.ledger.epoch = epoch

    def close(self) -> None:
        """Release what is open; a process that ends needs none of it."""
        self._open.close()

    def ready(self) -> None:
        """Whether it is there."""

    def write(self, loaded: Loaded, known: Known) -> Outcome:
        """Take a window of one shard to its end; `known` is what the ledger knew of its documents before the run."""
        session, spent = self._session, Spent()
        # Each one that may be like others waits: the run knows the others.
        differ = Differ(session.identity, session.ledger, session.cache, lambda change: change.id)
        differ.begin(known)
        chain = Chain(session, differ, spent)
        deduped = with_retries(partial(chain.dedupe, chain.chunk(loaded)))
        embedded = with_retries(partial(chain.embed, deduped))
        written = with_retries(partial(chain.upsert, embedded))
        told = Written(written.tally, [_counted(change) for change in written.changes], written.failures, spent)
        return Outcome(told, session.cache.damaged, session.embedder.runtime)


class ShardChain(Chain):
    """The stages of such a run: a window is read here, and its worker does the rest."""

    def __init__(self, session: Session, differ: Differ, spent: Spent, before_writing: Callable[[], None]) -> None:
        """Starts the workers; the collection is marked before one of them can write."""
        super().__init__(session, differ, spent, before_writing)
        assert session.shard_workers
        assert session.ledger.epoch is not None
        before_writing()
        pipeline = session.pipeline.without_sources()
        self.workers = session.shard_workers(ShardWriter, pipeline, session.identity, session.ledger.epoch)
        self.runtime = ""
        self._alike, self._turn, self._has_stopped = Alike(), threading.Lock(), threading.Event()

    def shard(self, window: Refs) -> int:
        """Its number: a window's documents are all of one."""
        return shard_of(window.refs[0].id, self._session.ledger.shard_count)

    def finish(self, loaded: Loaded, window: Refs) -> Written:
        """All stages but the first; to be called in several threads."""
        number = self.shard(window)
        known = self._differ.known_of([ref.id for ref in window.refs])
        outcome: Outcome = self._asked(self.workers[number % len(self.workers)], number, loaded, known)
        with self._turn:
            self._session.cache.damaged |= outcome.damaged
            self.runtime = outcome.runtime
            changes = [self._compared(change) for change in outcome.written.changes]
        session, own = self._session, [change.id for change in outcome.written.changes if change.waits]
        told = [change for change in changes if change.id in own and not change.waits]
        with_retries(partial(write_changes, session.store, session.ledger, session.cache, told))
        outcome.written.changes = changes
        return outcome.written

    def stop(self) -> None:
        """Begin nothing again: what workers are at is done, or left to the next run where they die."""
        self._has_stopped.set()

    def close(self) -> None:
        """End the workers, once they have done what they were asked."""
        for worker in self.workers:
            worker.close()

    def _compared(self, change: DocumentChange) -> DocumentChange:
        return change if change.like is None else replace(change, like=self._alike.leader(change))

    def _asked(self, worker: Worker, number: int, *arguments: object) -> Any:
        why: object = None
        for _ in range(TRIES):
            try:
                return worker.call("write", *arguments)
            except WorkerDiedError as error:
                if self._has_stopped.is_set():
                    raise
                why = error
                self._await(worker)
        raise ServiceError(
            f"a window of shard {number + 1} ended its worker {TRIES} times: {why}; most likely it had too little"
            " memory. What was written is kept: give it more, or lower shards_at_once under `runner`, then run again"
        )

    def _await(self, worker: Worker) -> None:
        """Its keeper starts another one in its place, and says when it is enough."""
        while True:
            try:
                worker.call("ready")
                return
            except WorkerDiedError:
                if self._has_stopped.wait(PAUSE_SECONDS):
                    raise


def _counted(change: DocumentChange) -> DocumentChange:
    if change.waits:
        return change
    put = tuple(new._replace(payload={}, content="") for new in change.put)
    return replace(change, put=put, sample=b"", former=b"", lost=b"", signature=b"")
