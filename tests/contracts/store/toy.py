"""A small sound store of lines of JSON, so that the checks themselves can be tested: see the mutants of it."""

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from tasks.errors import CollectionError, LockedError, ServiceError
from tasks.records import Condition, Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.system.process_lock import ProcessLock
from tasks.upsert.base import Place, VectorStore
from tasks.upsert.filters import of_pipeline, passes
from tasks.upsert.vectors import as_vector, check_vectors


class ToyStore:
    """One file: a line for each write, the last one torn where its process died; all of it in memory while open."""

    def __init__(self, database: str, collection: str) -> None:
        self.path = self.file_of(database, collection)
        self.lock = ProcessLock(self.path.with_suffix(".held"))
        self.turn = threading.RLock()
        self.file: TextIO | None = None
        self.is_closed = False
        self.forget()

    def forget(self) -> None:
        self.records: dict[PointId, tuple[Vector, Payload]] = {}
        self.sentinels: dict[str, Sentinel] = {}
        self.dimension: int | None = None

    def file_of(self, database: str, collection: str) -> Path:
        return Path(database, f"{collection}.jsonl")

    def hold(self) -> None:
        holder = self.lock.acquire(0)
        if holder:
            raise LockedError(f"{self.path} is open in {holder}")

    def opened(self) -> bool:
        """False where there is no collection."""
        if self.is_closed:
            raise ServiceError(f"{self.path} was used after it had been closed")
        if self.file is None and self.path.exists():
            self.hold()
            self.file = self.path.open("r+", encoding="utf-8", newline="\n")
            self.read()
        return self.file is not None

    def read(self) -> None:
        assert self.file is not None
        *lines, torn = self.file.read().split("\n")
        for line in lines:
            self.apply(json.loads(line))
        self.file.seek(0, os.SEEK_END)
        self.file.truncate(self.file.tell() - len(torn.encode()))
        self.file.seek(0, os.SEEK_END)

    def write(self, change: dict[str, Any]) -> None:
        assert self.file is not None
        self.file.write(json.dumps(change) + "\n")
        self.file.flush()
        self.apply(change)

    def apply(self, change: dict[str, Any]) -> None:
        for point, vector, payload in change.get("put", ()):
            self.records[PointId(point)] = (as_vector(vector), payload)
        for point in change.get("delete", ()):
            self.records.pop(point, None)
        self.dimension = change.get("dimension", self.dimension)
        if "mark" in change:
            self.sentinels[change["pipeline"]] = Sentinel(**change["mark"])

    def ensure(self, dimension: int, /) -> None:
        with self.turn:
            if not self.opened():
                self.path.touch()
                self.opened()
                self.write({"dimension": dimension})
            if self.dimension != dimension:
                raise CollectionError(f"{self.path} has {self.dimension} dimensions, the model makes {dimension}")

    def expect(self, points: int, /) -> None:
        """Nothing to begin with."""

    def check(self, points: Points) -> None:
        assert self.dimension is not None
        check_vectors(points, self.dimension)

    def upsert(self, points: Points, /) -> None:
        with self.turn:
            if not self.opened():
                raise ServiceError(f"{self.path}: there is no collection")
            self.check(points)
            rows = zip(points.ids, points.vectors.tolist(), points.payloads, strict=True)
            self.write({"put": list(rows)})

    def delete(self, ids: Sequence[PointId], /) -> None:
        with self.turn:
            if self.opened():
                self.write({"delete": list(ids)})

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        with self.turn:
            self.opened()
            return self.records.keys() & set(ids)

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        with self.turn:
            self.opened()
            records = list(self.records.items())
        for point, (_, payload) in records:
            yield point, payload

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        with self.turn:
            self.opened()
            return {point: self.records[point][0] for point in ids if point in self.records}

    def search(self, query: Query, /) -> list[Hit]:
        with self.turn:
            self.opened()
            hits = [
                Hit(point, self.score(query.vector, held), payload)
                for point, (held, payload) in self.records.items()
                if self.passes(payload.get("metadata", {}), query.conditions)
            ]
        ranked = sorted(hits, key=lambda hit: (-hit.score, hit.id))
        return ranked[query.offset : query.offset + query.limit]

    def score(self, query: Vector, held: Vector) -> float:
        return float(query @ held / (np.linalg.norm(query) * np.linalg.norm(held)))

    def passes(self, metadata: dict[str, Any], conditions: Sequence[Condition]) -> bool:
        return passes(metadata, conditions)

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        with self.turn:
            self.opened()
            return self.sentinels.get(pipeline)

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        with self.turn:
            if not self.opened():
                raise ServiceError(f"{self.path}: there is no collection to mark")
            self.write({"mark": asdict(sentinel), "pipeline": pipeline})

    def count(self, pipeline: str = "", /) -> int:
        with self.turn:
            self.opened()
            mine = of_pipeline(pipeline)
            return sum(passes(payload.get("metadata", {}), mine) for _, payload in self.records.values())

    def publish(self, name: str, /) -> None:
        with self.turn:
            if not self.opened():
                raise ServiceError(f"{self.path}: there is no collection to publish")
            if self.path.with_name(f"{name}.jsonl").exists():
                raise CollectionError(f"{name} is a collection")
            self.path.with_name(f"{name}.pointer").write_text(self.path.stem)

    def place(self, name: str, /) -> Place:
        pointer = self.path.with_name(f"{name}.pointer")
        return Place(str(self.path.parent), self.path.stem, pointer.read_text() if pointer.exists() else None)

    def drop(self) -> None:
        with self.turn:
            if self.opened():
                assert self.file is not None
                self.file.close()
                self.file = None
                self.path.unlink()
                self.forget()

    def close(self) -> None:
        with self.turn:
            self.is_closed = True
            if self.file is not None:
                self.file.close()
                self.file = None
            self.lock.release()


class SharedToy(ToyStore):
    """Several processes write to one file, and each reads on before it answers: the toy of a server."""

    at = 0  # so much of the file has been read

    def forget(self) -> None:
        super().forget()
        self.at = 0

    def hold(self) -> None:
        """Only for a write."""

    def opened(self) -> bool:
        if not super().opened():
            return False
        self.read()
        return True

    def read(self) -> None:
        assert self.file is not None
        self.file.seek(self.at)
        *lines, _ = self.file.read().split("\n")
        for line in lines:
            self.apply(json.loads(line))
            self.at += len(line.encode()) + 1

    def write(self, change: dict[str, Any]) -> None:
        self.lock.acquire(10)
        try:
            self.append(change)
        finally:
            self.lock.release()

    def append(self, change: dict[str, Any]) -> None:
        assert self.file is not None
        self.read()
        self.file.seek(self.at)
        self.file.truncate()
        self.file.write(json.dumps(change) + "\n")
        self.file.flush()
        self.read()


class ReadableToy(SharedToy):
    """One process writes until it is done, and others read on."""

    def write(self, change: dict[str, Any]) -> None:
        ToyStore.hold(self)
        self.append(change)


LATE_SECONDS = 0.01


class LateToy(SharedToy):
    """What was acknowledged shows a moment later, to everybody."""

    def read(self) -> None:
        assert self.file is not None
        self.file.seek(self.at)
        *lines, _ = self.file.read().split("\n")
        for line in lines:
            change = json.loads(line)
            if change.get("at", 0) > time.time() - LATE_SECONDS:
                return
            self.apply(change)
            self.at += len(line.encode()) + 1

    def write(self, change: dict[str, Any]) -> None:
        time.sleep(LATE_SECONDS)  # what others wrote must be read before anything is written behind it
        super().write(change if "dimension" in change else {**change, "at": time.time()})


def wait_for_late(store: VectorStore) -> None:
    """Until all that was acknowledged shows."""
    time.sleep(2 * LATE_SECONDS)
