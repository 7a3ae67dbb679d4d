"""What it costs to look for words beside vectors: a chunk's write, and a search among 100,000."""

import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator

import numpy as np

from tasks.records import PointId, Points, Query
from tasks.search.fusion import DEPTH, fused, weight_by_kind
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.benchmarks.harness import Gate, Measurement, spread

CHUNKS, WORDS, DIMENSION, WINDOW = 100_000, 180, 384, 2000
VOCABULARY = 30_000
QUERIES = 40


def measure() -> Iterator[Measurement]:
    dice, chance = np.random.default_rng(1), random.Random(1)
    words = [f"{chance.choice('bcdfglmnprst')}{chance.choice('aeiou')}{number:x}" for number in range(VOCABULARY)]
    frequency = 1 / np.arange(1, VOCABULARY + 1)
    frequency /= frequency.sum()

    def text(length: int) -> str:
        return " ".join(words[rank] for rank in dice.choice(VOCABULARY, length, p=frequency))

    with tempfile.TemporaryDirectory() as folder, QdrantStore(folder, "bench") as store:
        store.ensure(DIMENSION)
        for start in range(0, CHUNKS, WINDOW):
            vectors = dice.normal(size=(WINDOW, DIMENSION)).astype(np.float32)
            payloads = [
                {"text": text(WORDS), "metadata": {"document": f"{start + row}.md"}, "headrace": {}}
                for row in range(WINDOW)
            ]
            store.upsert(Points([PointId(str(uuid.uuid4())) for _ in payloads], vectors, payloads))
        ratios: list[float] = []
        waits: list[float] = []
        for _ in range(QUERIES):
            query = dice.normal(size=DIMENSION).astype(np.float32)
            started = time.perf_counter()
            near = store.search(Query(query, DEPTH))
            between = time.perf_counter()
            fused(near, store.search(Query(query, DEPTH, words=text(8))), weight_by_kind)
            ended = time.perf_counter()
            ratios.append((ended - started) / (between - started))
            waits.append(ended - started)
    detail = f"{spread(ratios)}; median {statistics.median(waits) * 1000:.0f} ms"
    what = f"search of {CHUNKS:,} chunks: hybrid / dense"
    yield Measurement(what, statistics.median(ratios), "x", Gate(2, None, True), detail)
