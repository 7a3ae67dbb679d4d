"""A small collection in a SQLite file, for processes that write to it at the same time."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tasks.errors import NoTextIndexError
from tasks.records import Hit, Payload, PointId, Points, Query, Sentinel, Vector
from tasks.upsert.base import Place
from tasks.upsert.filters import of_pipeline, passes


class SharedStore:
    """Each call is a transaction of its own, like a request to a server."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")  # processes die here, no machine does
        self._connection.execute("CREATE TABLE IF NOT EXISTS point (id TEXT PRIMARY KEY, vector BLOB, payload TEXT)")
        self._connection.execute("CREATE TABLE IF NOT EXISTS mark (pipeline TEXT PRIMARY KEY, text TEXT)")

    def ensure(self, dimension: int, /) -> None:
        """Any dimension will do."""

    def upsert(self, points: Points, /) -> None:
        columns = zip(points.ids, points.vectors.astype("<f4"), points.payloads, strict=True)
        rows = [(point, vector.tobytes(), json.dumps(payload)) for point, vector, payload in columns]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO point VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def expect(self, points: int, /) -> None:
        """Nothing to open."""

    def delete(self, ids: Sequence[PointId], /) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM point WHERE id = ?", [(point,) for point in ids])
        self._connection.execute("COMMIT")

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        held = {row[0] for row in self._connection.execute("SELECT id FROM point")}
        return held & set(ids)

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        for point, payload in self._connection.execute("SELECT id, payload FROM point").fetchall():
            yield point, json.loads(payload)

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        rows = self._connection.execute("SELECT id, vector FROM point").fetchall()
        return {point: np.frombuffer(vector, "<f4") for point, vector in rows if point in set(ids)}

    def search(self, query: Query, /) -> list[Hit]:
        raise NoTextIndexError("it has no words, and no test searches it")

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        row = self._connection.execute("SELECT text FROM mark WHERE pipeline = ?", (pipeline,)).fetchone()
        return Sentinel(**json.loads(row[0])) if row else None

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        mark = (pipeline, json.dumps(asdict(sentinel)))
        self._connection.execute("INSERT OR REPLACE INTO mark VALUES (?, ?)", mark)

    def count(self, pipeline: str = "", /) -> int:
        mine = of_pipeline(pipeline)
        return sum(passes(payload.get("metadata", {}), mine) for _, payload in self.scan())

    def publish(self, name: str, /) -> None:
        """Nobody else reads it."""

    def place(self, name: str, /) -> Place:
        return Place("a file", "shared")

    def drop(self) -> None:
        raise NotImplementedError("no test drops it")

    def close(self) -> None:
        self._connection.close()
