"""Each store beside its own client: records written a second, answers, and what a sync asks of it.

Both write the same records in turns of 5,000, into collections with the same indexes, so that a busy minute meets both.
`STORES=pgvector ROWS=20000` measures one of them, with fewer records.
"""

import json
import os
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from config.options import SyncOptions
from config.read import read_pipeline
from tasks.records import PointId, Points, Query, Vector
from tasks.runners.inline import InlineRunner
from tasks.session import open_session
from tasks.sync.run import run_sync
from tasks.upsert.base import VectorStore
from tests.benchmarks.harness import Gate, Measurement, ratio, spread
from tests.benchmarks.syncing import CONFIG, HASHED
from tests.chroma_server import chroma_database, chroma_of_server
from tests.faults.world import Silence
from tests.postgres_server import postgres_database
from tests.qdrant_server import qdrant_address

ROWS, TURN, DIMENSION, QUERIES, FILES = int(os.environ.get("ROWS", "100000")), 5000, 384, 40, 500
WORDS = 70  # of a text
Write, Ask = Callable[[Points], object], Callable[[Vector], Sequence[object]]
Own = Callable[[str], tuple[Write, Ask]]


def measure() -> Iterator[Measurement]:
    kinds = os.environ.get("STORES", ",".join(_KINDS)).split(",")
    for name in kinds if ROWS else ():
        server, opened, own = _KINDS[name]
        with server() as place:
            yield from _beside(name, partial(opened, place), own(place))
    for name, (server, section) in _SYNCED.items():
        if "STORES" in os.environ and name not in kinds:
            continue
        with server() as place, tempfile.TemporaryDirectory() as folder:
            yield from _synced(name, Path(folder), section % place)


def _beside(name: str, opened: Callable[[], VectorStore], own: tuple[Write, Ask]) -> Iterator[Measurement]:
    store = opened()
    store.ensure(DIMENSION)
    store.expect(ROWS)
    write, ask = own
    seconds = [_both(store.upsert, write, _points(start), start // TURN) for start in range(0, ROWS, TURN)]
    ours, theirs = zip(*seconds, strict=True)
    detail = f"{ROWS / sum(ours):,.0f} and {ROWS / sum(theirs):,.0f} records a second; {spread(ours)} of {TURN:,}"
    yield Measurement(f"{name}: written, beside its own client", ratio(theirs, ours), "x", Gate(0.8), detail)
    assert store.count() == ROWS
    store.close()
    store = opened()  # as who searches has it
    queries = np.random.default_rng(2).normal(size=(QUERIES, DIMENSION)).astype(np.float32)
    waits = [
        _both(lambda vector: store.search(Query(vector, 10)), ask, query, turn) for turn, query in enumerate(queries)
    ]
    ours, theirs = zip(*waits[5:], strict=True)
    detail = f"{statistics.median(ours) * 1000:.1f} and {statistics.median(theirs) * 1000:.1f} ms, 10 of {ROWS:,}"
    yield Measurement(f"{name}: a search, beside its own client", ratio(ours, theirs), "x", Gate(1.2, 1, True), detail)
    store.close()


def _synced(name: str, folder: Path, section: str) -> Iterator[Measurement]:
    """Calls of a run without changes, and records written after a hundredth of the files has changed."""
    (folder / "docs").mkdir()
    for number in range(FILES):  # a file is one chunk
        path = folder / f"docs/{number // 100}/{number}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# Page {number}\n\nWhat the page with the number {number} says.\n")
    settings = (CONFIG % HASHED).replace("{kind: qdrant, path: ./db}", section)
    (folder / "bench.yaml").write_text(settings)
    asked: Counter[str] = Counter()

    def run() -> int:
        written: list[int] = []
        with open_session(read_pipeline(folder / "bench.yaml")) as session:
            _watch(session.store, asked, written)
            run_sync(session, SyncOptions(), InlineRunner(), Silence())
        return sum(written)

    run()
    time.sleep(2.1)  # a file that has just changed is read again
    run()
    asked.clear()
    assert run() == 0
    calls = ", ".join(f"{call} {times}" for call, times in sorted(asked.items()))
    yield Measurement(f"{name}: calls of a sync without changes", sum(asked.values()), "", Gate(4, 3, True), calls)
    for number in range(0, FILES, 100):
        path = folder / f"docs/{number // 100}/{number}.md"
        path.write_text(f"{path.read_text()}\nA sentence of the {number}th page that was not there before.\n")
    yield Measurement(f"{name}: records written to changed chunks", run() / (FILES // 100), "x", Gate(1.05, 1, True))


def _watch(store: Any, asked: Counter[str], written: list[int]) -> None:
    for call in ("upsert", "delete", "present", "scan", "vectors", "sentinel", "mark", "count", "ensure"):
        real: Callable[..., Any] = getattr(store, call)

        def watched(*arguments: Any, real: Callable[..., Any] = real, call: str = call) -> Any:
            asked[call] += 1
            if call == "upsert":
                written.append(len(arguments[0]))
            return real(*arguments)

        setattr(store, call, watched)


def _points(start: int) -> Points:
    dice = np.random.default_rng(start)
    vectors = dice.normal(size=(TURN, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = [f"word{number}" for number in range(2000)]
    payloads = [
        {
            "text": " ".join(words[one] for one in dice.integers(0, len(words), WORDS)),
            "metadata": {"source": "docs", "document": f"{row // 8}.md", "position": row % 8, "title": f"Page {row}"},
            "headrace": {"document": f"docs:{row // 8}.md", "key": f"{row:032x}", "hash": f"{row:064x}", "tokens": 90},
        }
        for row in range(start, start + TURN)
    ]
    return Points([PointId(str(uuid.UUID(int=row + 1))) for row in range(start, start + TURN)], vectors, payloads)


def _both(ours: Callable[[Any], object], theirs: Callable[[Any], object], given: object, turn: int) -> list[float]:
    """Seconds of each; they take turns to be the first."""
    seconds = [0.0, 0.0]
    for index in (0, 1) if turn % 2 else (1, 0):
        started = time.perf_counter()
        (ours, theirs)[index](given)
        seconds[index] = time.perf_counter() - started
    return seconds


def _qdrant(folder: str) -> VectorStore:
    from tasks.upsert.qdrant_embedded.store import QdrantStore

    return QdrantStore(folder, "ours")


def _own_qdrant(folder: str) -> tuple[Write, Ask]:
    import qdrant_edge as engine

    from tasks.upsert.qdrant_embedded.shard import create_shard
    from tasks.upsert.qdrant_embedded.store import INDEXED_FIELDS

    create_shard(path := Path(folder) / "own", DIMENSION, INDEXED_FIELDS)
    shard = engine.EdgeShard.load(str(path))

    def write(points: Points) -> None:
        rows = zip(points.ids, points.vectors, points.payloads, strict=True)
        made = [engine.Point(point, cast("list[float]", row.data), dict(payload)) for point, row, payload in rows]
        shard.update(engine.UpdateOperation.upsert_points(made))

    def ask(vector: Vector) -> Sequence[object]:
        nearest = engine.Query.Nearest(vector.tolist())
        return shard.query(engine.QueryRequest(10, query=nearest, with_payload=True))

    return write, ask


def _pgvector(url: str) -> VectorStore:
    """Without a graph, which is the same for both, and takes minutes."""
    from tasks.upsert.pgvector import graph
    from tasks.upsert.pgvector.store import PgvectorStore

    graph.FROM = ROWS + 1
    return PgvectorStore(url, "ours")


def _own_pgvector(url: str) -> tuple[Write, Ask]:
    """COPY in binary form, straight into a table of the same columns and indexes."""
    import psycopg
    from pgvector import Vector as StoredVector

    from tasks.upsert.pgvector.rows import as_rows
    from tasks.upsert.pgvector.store import PgvectorStore

    PgvectorStore(url, "own").ensure(DIMENSION)
    connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    into = "COPY headrace.own (id, content, embedding, metadata, headrace) FROM STDIN (FORMAT BINARY)"

    def write(points: Points) -> None:
        rows = as_rows(points)
        with connection.transaction(), connection.cursor().copy(into) as copy:
            copy.set_types(["bytea"] * len(rows[0]))
            for row in rows:
                copy.write_row(row)

    def ask(vector: Vector) -> Sequence[object]:
        nearest = "SELECT id, embedding <=> %s, content, metadata FROM headrace.own ORDER BY embedding <=> %s LIMIT 10"
        text = StoredVector(vector).to_text()
        return connection.execute(nearest, (text, text)).fetchall()

    return write, ask


def _chroma(url: str) -> VectorStore:
    return chroma_of_server(url, "ours")


def _own_chroma(url: str) -> tuple[Write, Ask]:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.HttpClient(port=int(url.rpartition(":")[2]), settings=Settings(anonymized_telemetry=False))
    own = client.create_collection("own", metadata={"hnsw:space": "cosine"}, embedding_function=None)

    def write(points: Points) -> None:
        metadatas = [{**one["metadata"], "headrace": json.dumps(one["headrace"])} for one in points.payloads]
        documents = [one["text"] for one in points.payloads]
        own.upsert([*points.ids], points.vectors, cast("Any", metadatas), documents)

    def ask(vector: Vector) -> Sequence[object]:
        return own.query(vector, n_results=10, include=["documents", "metadatas", "distances"])["ids"]

    return write, ask


def _lancedb(folder: str) -> VectorStore:
    from tasks.upsert.lancedb.store import LanceStore

    return LanceStore(folder, "ours")


def _own_lancedb(folder: str) -> tuple[Write, Ask]:
    import lancedb

    from tasks.upsert.lancedb.rows import as_table, schema
    from tasks.upsert.lancedb.search import text_index

    table = lancedb.connect(folder).create_table("own", schema=schema(DIMENSION))
    table.create_index("text", config=text_index())

    def write(points: Points) -> None:
        table.add(as_table(points))

    def ask(vector: Vector) -> Sequence[object]:
        query = cast("Any", table.search(vector, vector_column_name="vector"))
        return cast("list[object]", query.distance_type("cosine").limit(10).to_list())

    return write, ask


def _folder() -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory()


_KINDS: dict[str, tuple[Callable[[], AbstractContextManager[str]], Callable[[str], VectorStore], Own]] = {
    "qdrant": (_folder, _qdrant, _own_qdrant),
    "pgvector": (postgres_database, _pgvector, _own_pgvector),
    "chroma": (chroma_database, _chroma, _own_chroma),
    "lancedb": (_folder, _lancedb, _own_lancedb),
}
_SYNCED: dict[str, tuple[Callable[[], AbstractContextManager[str]], str]] = {
    "qdrant": (_folder, "{kind: qdrant, path: %s}"),
    "qdrant server": (qdrant_address, "{kind: qdrant, url: '%s'}"),
    "pgvector": (postgres_database, "{kind: pgvector, url: '%s'}"),
    "chroma": (chroma_database, "{kind: chroma, url: '%s'}"),
    "lancedb": (_folder, "{kind: lancedb, path: %s}"),
}
