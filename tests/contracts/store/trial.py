"""One kind of store on trial: how its collections are opened, what it promises, and the checks it is held to."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.records import Condition, PointId, Points, Query, Sentinel
from tasks.system.child_process import ChildProcess
from tasks.system.worker import WorkerDiedError
from tasks.upsert.base import VectorStore
from tests.points import Point

ANYWHERE = np.ones(8, dtype=np.float32)
DICE = np.random.default_rng(5)


def at_once(store: VectorStore) -> None:
    """Writes show in the next read."""


@dataclass(frozen=True)
class Kind:
    """`open` takes a database and a collection; another process must be able to unpickle it.

    The database is a folder, or what `server` says while it runs. `is_durable`: what was acknowledged outlives its
    process. `is_exclusive`: one process at a time writes to a collection, and others may read it meanwhile where it
    `has_readers`; otherwise all see what each has written. `settle` returns once a store shows everything that was
    acknowledged. `has_one_dimension`: the collections of one database share it. `names_are_collections`: a name cannot
    be published where a collection is called so.
    `proof` says in README what the checks were run against.
    """

    open: Callable[[str, str], VectorStore]
    is_durable: bool
    is_exclusive: bool
    server: Callable[[], AbstractContextManager[str]] | None = None
    settle: Callable[[VectorStore], None] = at_once
    has_one_dimension: bool = False
    names_are_collections: bool = True
    proof: str = "itself"
    has_readers: bool = False


class _Settled:
    """A store that is read when it shows what was written."""

    def __init__(self, store: VectorStore, settle: Callable[[VectorStore], None]) -> None:
        self._store = store
        self._settle = settle
        settle(store)

    def upsert(self, points: Points, /) -> None:
        self._store.upsert(points)
        self._settle(self._store)

    def delete(self, ids: Any, /) -> None:
        self._store.delete(ids)
        self._settle(self._store)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        self._store.mark(sentinel, pipeline)
        self._settle(self._store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Trial:
    """Opens collections that nobody else has; everything is closed at its end."""

    def __init__(self, kind: Kind, database: str) -> None:
        self.kind = kind
        self.database = database
        self._prefix = f"t{uuid.uuid4().hex[:8]}" if kind.server else ""  # others use the server, too
        self._opened: dict[int, tuple[str, VectorStore]] = {}

    def open(self, name: str = "c") -> VectorStore:
        """The collection so named as it is, perhaps not made yet."""
        store = self.kind.open(self.database, self._prefix + name)
        settled: Any = store if self.kind.settle is at_once else _Settled(store, self.kind.settle)
        self._opened[id(settled)] = name, settled
        return settled  # type: ignore[no-any-return]

    def named(self, name: str) -> str:
        """What the collection so named is called in the database."""
        return self._prefix + name

    def make(self, name: str = "c") -> VectorStore:
        """The collection so named, of 8 dimensions."""
        store = self.open(name)
        store.ensure(8)
        return store

    def reopen(self, store: VectorStore) -> VectorStore:
        """The same collection as the next run finds it."""
        store.close()
        return self.open(self._opened[id(store)][0])

    @contextmanager
    def elsewhere(self, name: str = "c") -> Iterator[ChildProcess]:
        """The collection so named, opened in another process that may be killed."""
        child = ChildProcess(self.kind.open, self.database, self._prefix + name)
        try:
            yield child
            with suppress(WorkerDiedError):
                child.call("close")
        finally:
            child.close()

    def close(self) -> None:
        for _, store in self._opened.values():
            with suppress(Exception):  # a store that fails here has failed its check, or is a mutant
                store.close()
        self._opened.clear()


@dataclass(frozen=True)
class Check:
    """A promise of every store, or of those that `concerns` says."""

    run: Callable[[Trial], None]
    concerns: Callable[[Kind], bool]

    @property
    def name(self) -> str:
        return self.run.__name__.replace("_", " ")


CHECKS: list[Check] = []


def check(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """Hold every kind to it."""
    CHECKS.append(Check(run, lambda kind: True))
    return run


def check_where(concerns: Callable[[Kind], bool]) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Hold some kinds to it."""

    def decorated(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CHECKS.append(Check(run, concerns))
        return run

    return decorated


def durable(kind: Kind) -> bool:
    return kind.is_durable


def exclusive(kind: Kind) -> bool:
    return kind.is_exclusive


def readable(kind: Kind) -> bool:
    return kind.has_readers


def shared(kind: Kind) -> bool:
    return kind.is_durable and not kind.is_exclusive


def point(document: str = "a", **metadata: object) -> Point:
    """A record of a random direction."""
    vector = DICE.normal(size=8).astype(np.float32)
    return with_vector(vector / np.linalg.norm(vector), document, **metadata)


def with_vector(vector: Any, document: str = "a", **metadata: object) -> Point:
    payload = {
        "text": f"text of {document}",
        "metadata": {"document": document, **metadata},
        "headrace": {"document": f"s:{document}"},
    }
    return Point(PointId(str(uuid.uuid4())), np.asarray(vector, np.float32), payload)


def names(store: VectorStore, *conditions: Condition) -> set[Any]:
    """The documents that a filtered search finds."""
    return {
        hit.payload["headrace"]["document"].removeprefix("s:") for hit in store.search(Query(ANYWHERE, 99, conditions))
    }


def holds(store: VectorStore, *points: Point) -> None:
    """Fails unless the store has exactly these, whichever way it is asked."""
    ids = [one.id for one in points]
    assert dict(store.scan()) == {one.id: one.payload for one in points}
    assert store.count() == len(points)
    assert store.present(ids) == set(ids)
    vectors = store.vectors(ids)
    assert set(vectors) == set(ids)
    for one in points:
        assert vectors[one.id].dtype == np.float32
        np.testing.assert_allclose(vectors[one.id], one.vector, atol=1e-6)
