"""What a chunk costs besides the model and the store.

The stages run as they do in a sync, one after the other in one thread of one process, so that its processor time is
theirs alone. The model hashes and the store is in memory; the time inside both is measured at their doors and taken
off. What is left is listing, reading, chunking, planning, and every write to the ledger and the cache.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.options import SyncOptions
from config.read import read_pipeline
from tasks.chunk.processes import ChunkerProcesses
from tasks.records import EmbeddedBatch
from tasks.runners.inline import InlineRunner
from tasks.session import Session, open_session
from tasks.sync.run import run_sync
from tests.benchmarks.harness import Gate, Measurement
from tests.benchmarks.syncing import CONFIG, HASHED, write_sections
from tests.faults.world import Silence

FILES = 2000
MICROSECONDS = 1e6


class Meter:
    """Processor time inside some calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any) -> Any:
            started = time.process_time()
            try:
                return real(*arguments)
            finally:
                self.seconds += time.process_time() - started

        setattr(owner, name, watched)


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sections(folder / "docs", FILES)
        (folder / "bench.yaml").write_text((CONFIG % HASHED).replace("{kind: qdrant, path: ./db}", "{kind: memory}"))
        with open_session(read_pipeline(folder / "bench.yaml")) as session:
            chunker = ChunkerProcesses(session.pipeline.chunking, session.embedder.tokenizer, sys.maxsize)
            yield _measured(replace(session, chunker=chunker))


def _measured(session: Session) -> Measurement:
    model, store = Meter(), Meter()
    _watch_model(session.embedder, model)
    for name in ("upsert", "count", "delete", "present"):
        store.watch(session.store, name)
    started, walked = time.process_time(), time.perf_counter()
    report = run_sync(session, SyncOptions(), InlineRunner(), Silence())
    ours = time.process_time() - started - model.seconds - store.seconds
    walked = time.perf_counter() - walked - model.seconds - store.seconds
    chunks = report.chunks.total
    parts = {
        "load": report.seconds.load,
        "chunk": report.seconds.chunk,
        "all else": walked - report.seconds.load - report.seconds.chunk,
    }
    split = ", ".join(f"{name} {seconds / chunks * MICROSECONDS:.0f}" for name, seconds in parts.items())
    detail = f"{chunks:,} chunks; wall: {split}; taken off: model {_each(model, chunks)}, store {_each(store, chunks)}"
    return Measurement("overhead, one chunk", ours / chunks * MICROSECONDS, "us", Gate(200, 100, True), detail)


def _watch_model(embedder: Any, meter: Meter) -> None:
    real: Callable[..., Generator[EmbeddedBatch, None, None]] = embedder.embed

    def watched(texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        batches = real(texts, tokens)
        while True:
            started = time.process_time()
            batch = next(batches, None)
            meter.seconds += time.process_time() - started
            if batch is None:
                return
            yield batch

    embedder.embed = watched


def _each(meter: Meter, chunks: int) -> str:
    return f"{meter.seconds / chunks * MICROSECONDS:.0f}"
