"""What many tests share: a pipeline in a folder of its own, and the command run in this process."""

import gc
import json
import os
import shutil
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.cli import main
from tasks.database.sqlite import SqliteConnections
from tests.openai_server import OpenAIServer
from tests.postgres_server import PostgresServer

CONFIG = """\
name: trial
sources:
  - kind: files
    path: ./docs
embedder: {embedder}
store: {{kind: qdrant, path: ./db}}
state: sqlite:///state/trial.db
cache: sqlite:///state/cache.db
"""

# The checks of stores are no test modules, and yet their assertions should say what they compared.
pytest.register_assert_rewrite("tests.contracts.store")

# Many tests drop their databases open. Python 3.13 warns of that, in whichever test runs at the moment.
SqliteConnections.__del__ = SqliteConnections.close  # type: ignore[attr-defined]


IN_MEMORY = Path("/dev/shm")
ROOM = 12 << 30  # bytes, of memory and of the file system in it


def pytest_configure(config: pytest.Config) -> None:
    """Folders of tests lie in memory where it has room: the tests kill processes, never the machine.

    Waiting for a disk's flushes was more than half of a test's time.
    """
    if config.option.basetemp or not IN_MEMORY.is_dir():
        return
    if min(psutil.virtual_memory().available, shutil.disk_usage(IN_MEMORY).free) > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and what they import stay to the end: a third of the time went into looking for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@dataclass
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Pipeline:
    """A folder with `docs`, a configuration, and the command."""

    folder: Path
    config: Path
    run: Callable[..., Outcome]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def sync(self, *options: str) -> Any:
        """The report of a run, with its exit code."""
        outcome = self.run("sync", str(self.config), "--json", *options)
        return {**outcome.json, "code": outcome.code}

    def plan(self) -> Any:
        return self.run("plan", str(self.config), "--json").json

    def texts(self) -> dict[str, list[str]]:
        """What the collection holds: texts by document, in order of position."""
        from tasks.upsert.qdrant_embedded.store import QdrantStore

        store = QdrantStore(str(self.folder / "db"), "trial")
        found: dict[str, list[tuple[int, str]]] = {}
        for _, payload in store.scan():
            metadata = payload["metadata"]
            found.setdefault(metadata["document"], []).append((metadata["position"], payload["text"]))
        store.close()
        return {document: [text for _, text in sorted(chunks)] for document, chunks in found.items()}


@pytest.fixture(scope="session")
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the processes of a test run: a model is converted once, and never taken from an earlier run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "user-cache"


@pytest.fixture(autouse=True)
def _no_prefect_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user_cache: Path) -> None:
    """Nothing outside the test decides whether a run is tracked, and no model is asked for on the network."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user-state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))


@pytest.fixture(scope="session")
def store_address() -> Iterator[Callable[[str], str]]:
    """Where the server of a kind of store is; it is started once, and runs until the last test is done."""
    from tests.contracts.store.kinds import KINDS

    with ExitStack() as stack:

        @cache
        def started(name: str) -> str:
            server = KINDS[name].server
            assert server is not None
            return stack.enter_context(server())

        yield started


@pytest.fixture
def trial_of(store_address: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Puts a kind of store on trial."""
    from tests.contracts.store.kinds import KINDS, TOYS
    from tests.contracts.store.trial import Trial

    with ExitStack() as stack:

        def made(name: str) -> Trial:
            kind = (KINDS | TOYS)[name]
            return stack.enter_context(closing(Trial(kind, store_address(name) if kind.server else str(tmp_path))))

        yield made


@pytest.fixture
def pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Pipeline:
    """A pipeline with the hashing embedder and an embedded store; three documents."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    config = tmp_path / "trial.yaml"
    config.write_text(CONFIG.format(embedder="{kind: hashing, dimensions: 64}"))
    made = Pipeline(tmp_path, config, run)
    made.write("a.md", "# Alpha\n\nFirst page.\n\n## Install\n\nRun the thing.\n")
    made.write("b.md", "# Beta\n\nSecond page.\n")
    made.write("sub/c.txt", "Plain text of the third page.\n")
    return made


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that sees."""
    from tests.clip_models import save_model

    return save_model(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def openai_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """A loopback server that speaks the embeddings protocol."""
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_KEY", server.key)
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a session; each takes a database of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database."""
    return postgres.new_database(f"test_{uuid.uuid4().hex[:12]}")
