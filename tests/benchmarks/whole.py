"""A first sync with a real model against the model alone, on the same batches."""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from config.options import SyncOptions
from config.read import read_pipeline
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.records import EmbeddedBatch, Vector, VectorSpace
from tasks.runners.threads import ThreadRunner
from tasks.session import open_session
from tasks.sync.report import Report
from tasks.sync.run import run_sync
from tests.benchmarks.corpus import write_pages
from tests.benchmarks.harness import Gate, Measurement, paired, ratio, spread
from tests.faults.world import Silence
from tests.tasks.embed.local.local_model import local

FILES = 60
ROUNDS = 4
CONFIG = """\
name: whole
sources: [{kind: files, path: ./docs}]
embedder: {kind: sentence-transformers, device: cpu}
store: {kind: qdrant, path: ./round-%d/db}
state: sqlite:///round-%d/state.db
cache: sqlite:///round-%d/cache.db
"""


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_pages(folder / "docs", FILES)
        embedder = Recording(local())
        stack.callback(embedder.real.close)
        reports: list[Report] = []

        def sync() -> None:
            embedder.windows.clear()
            reports.append(first_sync(folder, len(reports), embedder))

        def model_alone() -> None:
            for texts, tokens in embedder.windows:
                for _ in embedder.real.embed(texts, tokens):
                    pass

        whole, alone = paired([sync, model_alone], ROUNDS)
        report = reports[-1]
        part = [a / b for a, b in zip(alone, whole, strict=True)]
        detail = f"{report.chunks.embedded} chunks in {len(embedder.windows)} windows; {spread(part)}"
        yield Measurement("the model's share of a whole first sync", ratio(alone, whole), "", Gate(0.95, 0.98), detail)


class Recording:
    """The local model; keeps the windows it was given."""

    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    server = other_model = ""

    def __init__(self, real: SentenceTransformersEmbedder) -> None:
        self.real = real
        self.model = real.model
        self.tokenizer = real.tokenizer
        self.windows: list[tuple[Sequence[str], Sequence[int]]] = []

    @property
    def space(self) -> VectorSpace:
        return self.real.space

    @property
    def runtime(self) -> str:
        return self.real.runtime

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        self.windows.append((texts, tokens))
        return self.real.embed(texts, tokens)

    def embed_query(self, text: str, /) -> Vector:
        return self.real.embed_query(text)

    def check(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        """Shared by all rounds."""


def first_sync(folder: Path, number: int, embedder: Recording) -> Report:
    """Into a collection, a ledger and a cache of its own."""
    config = folder / f"round-{number}.yaml"
    config.write_text(CONFIG % (number, number, number))
    with open_session(read_pipeline(config)) as session:
        return run_sync(replace(session, embedder=embedder), SyncOptions(), ThreadRunner(), Silence())
