"""The three lanes of a run without Prefect."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from config import embedders
from config.options import SyncOptions
from config.read import read_pipeline
from tasks.dedupe.window import Differ
from tasks.embed.hashing import HashingEmbedder
from tasks.errors import TransientError
from tasks.ledger.lease import leased
from tasks.ledger.ledger import Ledger
from tasks.ledger.runs import last_runs
from tasks.records import DocumentId, EmbeddedBatch, Points
from tasks.runners.chain import Chain
from tasks.runners.threads import ThreadRunner
from tasks.session import open_session
from tasks.sync.report import Report
from tasks.sync.run import run_sync
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tasks.windows import Refs, Spent
from tests.faults.world import Silence

CONFIG = """\
name: lanes
sources: [{kind: files, path: ./docs}]
embedder: {kind: hashing}
store: {kind: qdrant, path: ./db}
state: sqlite:///state.db
cache: sqlite:///cache.db
"""
B = DocumentId("docs:b.md")
ROOT = Path(__file__).parents[3]
SECONDS = 60.0  # no test waits so long unless it fails


class Watched(QdrantStore):
    """Notes when it is told that there will be something to write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "db"), "lanes")
        self.told: list[int] = []
        self.is_open = threading.Event()

    def expect(self, points: int, /) -> None:
        super().expect(points)
        self.told.append(points)
        self.is_open.set()


class Patient(HashingEmbedder):
    """Has no vector before the store is open."""

    def __init__(self, config: embedders.HashingEmbedder, store: Watched) -> None:
        super().__init__(config)
        self.store = store

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        if not self.store.is_open.wait(SECONDS):
            raise TransientError("the store was not opened while the model was busy")
        yield from super().embed(texts, tokens)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("# One\n\nThe first.\n\n# Two\n\nThe second.\n")
    (tmp_path / "lanes.yaml").write_text(CONFIG)
    return tmp_path


def synced(folder: Path) -> tuple[Report, list[int]]:
    pipeline = read_pipeline(folder / "lanes.yaml")
    store = Watched(folder)
    assert isinstance(pipeline.embedder, embedders.HashingEmbedder)
    embedder = Patient(pipeline.embedder, store)
    with open_session(pipeline) as session, store:
        watched = replace(session, store=store, embedder=embedder)
        return run_sync(watched, SyncOptions(), ThreadRunner(), Silence()), store.told


def test_the_store_is_opened_while_the_model_is_busy(folder: Path) -> None:
    report, told = synced(folder)
    assert (report.outcome, report.chunks.total, told) == ("done", 2, [2])


class Interrupted(HashingEmbedder):
    """One text a batch; somebody presses Ctrl-C during the third."""

    def __init__(self, config: embedders.HashingEmbedder) -> None:
        super().__init__(config)
        self.begun = 0

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        for row, text in enumerate(texts):
            self.begun += 1
            if self.begun == 3:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.01)
            yield EmbeddedBatch((row,), self._vectors([text]))


INTERRUPTED = "import sys; from tests.tasks.runners.test_threads import interrupt; interrupt(sys.argv[1])"


def interrupt(folder: str) -> None:
    """Tell how many batches there were, and how the run is recorded."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored
    pipeline = read_pipeline(Path(folder) / "lanes.yaml")
    assert isinstance(pipeline.embedder, embedders.HashingEmbedder)
    embedder = Interrupted(pipeline.embedder)
    with open_session(pipeline) as session:
        with pytest.raises(KeyboardInterrupt):
            run_sync(replace(session, embedder=embedder), SyncOptions(), ThreadRunner(), Silence())
        print(embedder.begun, last_runs(session.ledger, 1)[0].outcome)


def test_a_run_that_is_interrupted_ends_after_the_batch_in_flight(folder: Path) -> None:
    (folder / "docs/a.md").write_text("".join(f"# Title {n}\n\nSection {n}.\n\n" for n in range(1000)))
    command = [sys.executable, "-c", INTERRUPTED, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    batches, outcome = done.stdout.split()
    assert 3 <= int(batches) < 500
    assert outcome == "interrupted"
    with open_session(read_pipeline(folder / "lanes.yaml")) as session:
        report = run_sync(session, SyncOptions(), ThreadRunner(), Silence())
    assert (report.outcome, report.chunks.total) == ("done", 1000)
    assert report.chunks.embedded == 1000 - int(batches)


def test_the_store_is_not_opened_for_a_document_that_says_the_same(folder: Path) -> None:
    synced(folder)
    (folder / "docs/a.md").touch()
    report, told = synced(folder)
    assert (report.outcome, report.chunks.total, told) == ("done", 2, [])


class Taking(QdrantStore):
    """Is not done with the first document before the ledger knows of the second, and takes that one only then."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        super().__init__(str(folder / "db"), "lanes")
        self.ledger = ledger
        self.seen: list[str] = []
        self.has_looked = threading.Event()

    def upsert(self, points: Points, /) -> None:
        if points.payloads[0]["metadata"]["document"] != "a.md":
            assert self.has_looked.wait(SECONDS)
            super().upsert(points)
            return
        super().upsert(points)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not self.seen:
            self.seen = [point.state for point in self.ledger.points([B]).get(B, [])]
        self.has_looked.set()


def test_a_window_is_recorded_while_the_store_takes_the_one_before(folder: Path) -> None:
    (folder / "docs/b.md").write_text("The other.\n")
    with open_session(read_pipeline(folder / "lanes.yaml")) as session, leased(session.ledger, wait=False):
        store = Taking(folder, session.ledger)
        store.ensure(session.embedder.space.dimension)
        watched = replace(session, store=store)
        chain = Chain(watched, Differ(session.identity, session.ledger, session.cache), Spent())
        refs = session.sources["docs"].list().refs
        runner = ThreadRunner()
        going = [runner.start(chain, Refs([ref])) for ref in refs]
        assert [window.result().changes[0].id for window in going] == ["docs:a.md", B]
        runner.close()
        store.close()
    assert store.seen == ["PENDING"]
