"""The ledger and the cache at a million chunks: rows a second through the calls that a run makes."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tasks.database.database import Database
from tasks.dedupe.cache import EmbeddingCache
from tasks.ledger.lease import leased
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import LEDGER
from tasks.records import DocumentId, EmbeddingKey, PointId
from tasks.windows import DocumentChange, NewPoint
from tests.benchmarks.harness import Gate, Measurement

ROWS = 1_000_000
WINDOW = 8192
PER_DOCUMENT = 16
VECTORS = 100_000
UPSERT = (
    "INSERT INTO document (id, source, version, hint, chunks, tokens) VALUES (?, 's', ?, ?, 16, 2000)"
    " ON CONFLICT (id) DO UPDATE SET source = excluded.source, version = excluded.version, hint = excluded.hint,"
    " chunks = excluded.chunks, tokens = excluded.tokens"
)


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name:
        yield from _raw(Path(name))
        yield from _ledger(Path(name))
        yield _cache(Path(name))


def _raw(folder: Path) -> Iterator[Measurement]:
    """Plain upserts by our transactions, ids in order as a listing has them; new rows, then the same rows changed."""
    database = Database(f"sqlite:///{folder}/raw.db", LEDGER, "raw")
    for what, version in (("new", "a"), ("changed", "b")):
        rows = [(f"docs:{number // 1000:06}/{number:09}.md", version * 32, "1-2-3") for number in range(ROWS)]

        def write(rows: list[tuple[str, str, str]] = rows) -> None:
            with database.write() as transaction:
                transaction.many(UPSERT, rows)

        rate = ROWS / _seconds(write) / 1000
        yield Measurement(f"state upserts, {what}, {ROWS:,} rows", rate, "k rows/s", Gate(400, 600), "one transaction")
    database.close()


def _ledger(folder: Path) -> Iterator[Measurement]:
    """What a run commits for a million chunks: random ids, an index on documents, a sync to disk a window, twice."""
    ledger = Ledger(f"sqlite:///{folder}/ledger.db", "bench")
    dice = random.Random(1)
    intended = flipped = 0.0
    with leased(ledger, wait=False):
        for start in range(0, ROWS, WINDOW):
            changes = [
                _change(number, dice) for number in range(start // PER_DOCUMENT, (start + WINDOW) // PER_DOCUMENT)
            ]
            intended += _seconds(lambda changes=changes: ledger.intend(changes))
            flipped += _seconds(lambda changes=changes: ledger.flip(changes))
    ledger.close()
    detail = (
        f"windows of {WINDOW}, each durable; intent {intended / ROWS * 1e6:.1f} us, flip {flipped / ROWS * 1e6:.1f} us"
    )
    yield Measurement("ledger, one chunk of a million", (intended + flipped) / ROWS * 1e6, "us", None, detail)


def _change(number: int, dice: random.Random) -> DocumentChange:
    put = tuple(
        NewPoint(PointId(f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"), key, _key(dice), 100, {}, "")
        for key in (dice.randbytes(16).hex() for _ in range(PER_DOCUMENT))
    )
    document = DocumentId(f"docs:{number // 100}/{number}.md")
    return DocumentChange(
        document, "docs", "v" * 32, "1-2-3", PER_DOCUMENT, 1600, is_unchanged=False, put=put, is_new=True
    )


def _cache(folder: Path) -> Measurement:
    """Batches of 1,024 vectors with random keys, each durable."""
    cache = EmbeddingCache(f"sqlite:///{folder}/cache.db", 384)
    dice = random.Random(2)
    vectors = np.ones((1024, 384), dtype=np.float32)
    written = 0.0
    for _ in range(VECTORS // 1024):
        keys = [_key(dice) for _ in range(1024)]
        written += _seconds(lambda keys=keys: cache.put(keys, vectors, [1] * 1024))
    cache.close()
    rate = (VECTORS // 1024) * 1024 / written / 1000
    return Measurement("cache, vectors put", rate, "k/s", None, "384 dimensions, batches of 1,024, each durable")


def _key(dice: random.Random) -> EmbeddingKey:
    return EmbeddingKey(dice.randbytes(16))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
