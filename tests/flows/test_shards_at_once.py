"""Shards that are worked off side by side, each in a worker of its own: the same as in turn, whoever dies."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.read import read_pipeline
from tasks.dedupe.diff import Known
from tasks.errors import ConfigError, FencedError
from tasks.ledger.lease import leased
from tasks.records import Document, DocumentId, DocumentRef
from tasks.runners.shards import ShardWriter
from tasks.session import open_session
from tasks.slices import shard_of
from tasks.upsert.lancedb.store import LanceStore
from tasks.windows import Loaded, Tally
from tests.conftest import Pipeline
from tests.openai_server import OpenAIServer
from tests.shard_workers import RUNNER, InThisProcess, side_by_side

SHARDS = 5
SECONDS = 60.0
FUNCTION = """\
from pathlib import Path

def documents():
    for line in (Path(__file__).parent / "rows.txt").read_text().splitlines():
        name, _, text = line.partition("=")
        yield name, text, {}
"""


@pytest.fixture
def abreast(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """Rows of a function, small windows, and workers in this process."""
    sources = "sources:\n  - {kind: python, function: rows:documents}\n"
    text = pipeline.config.read_text().replace("sources:\n  - kind: files\n    path: ./docs\n", sources)
    text += f"shards: {SHARDS}\ndeletions: {{max_count: 1000}}\n"
    pipeline.config.write_text(side_by_side(text))
    (pipeline.folder / "rows.py").write_text(FUNCTION)
    monkeypatch.setattr("tasks.sync.run.WORTH_WORKERS", 1)
    monkeypatch.setattr("tasks.system.here.LastingProcess", InThisProcess)
    monkeypatch.setattr("tasks.runners.pace.FIRST_DOCUMENTS", 8)
    monkeypatch.setattr("tasks.runners.shards.PAUSE_SECONDS", 0.0)
    InThisProcess.starts = 0
    yield pipeline
    InThisProcess.deaths = []


def write(pipeline: Pipeline, rows: dict[str, str]) -> None:
    (pipeline.folder / "rows.txt").write_text("".join(f"{name}={text}\n" for name, text in rows.items()))


def rows(count: int, change: int = 0) -> dict[str, str]:
    return {
        f"r{number}": f"Row {number} says {number * 7919 % 101}, {number % 7 and change}" for number in range(count)
    }


def in_turn(pipeline: Pipeline) -> Pipeline:
    """The same sources in another state and collection."""
    config = pipeline.folder / "turn.yaml"
    text = pipeline.config.read_text().replace(RUNNER, "")
    config.write_text(text.replace("state/", "turn/").replace("./db", "./turn/db"))
    return Pipeline(pipeline.folder, config, pipeline.run)


def contents(folder: Path, store: str) -> tuple[Any, Any]:
    """Rows of the ledgers, and records of the store with the bytes of their vectors."""
    shards = []
    for number in range(SHARDS):
        with sqlite3.connect(folder / f"trial.db.{number + 1}-of-{SHARDS}") as ledger:
            points = "SELECT document, id, key, embedding, state FROM point ORDER BY id"
            documents = "SELECT * FROM document ORDER BY id"
            shards.append((ledger.execute(documents).fetchall(), ledger.execute(points).fetchall()))
        ledger.close()
    collection = LanceStore(store, "trial")
    payloads = dict(collection.scan())
    vectors = collection.vectors(list(payloads))
    collection.close()
    return shards, {point: (vectors[point].tobytes(), payload) for point, payload in payloads.items()}


def both(pipeline: Pipeline) -> tuple[Any, Any]:
    folder = pipeline.folder
    return contents(folder / "state", str(folder / "db")), contents(folder / "turn", str(folder / "turn/db"))


def counts(report: Any) -> Any:
    return {name: report[name] for name in ("code", "documents", "chunks", "tokens", "notes")}


def test_ledgers_collection_and_report_are_the_same_to_the_byte(abreast: Pipeline) -> None:
    turn = in_turn(abreast)
    for given in (rows(120), rows(120, 1) | {"r3": "", "r5": "Row 6 says 1"}, rows(90, 2)):
        write(abreast, given)
        reports = [counts(one.sync()) for one in (abreast, turn)]
        assert reports[0] == reports[1]
        assert reports[0]["code"] == 0
        ours, theirs = both(abreast)
        assert ours == theirs
    assert InThisProcess.starts == 6  # two for each run
    calm = abreast.sync()
    assert (calm["documents"]["unchanged"], calm["chunks"]["written"], InThisProcess.starts) == (90, 0, 6)


@pytest.mark.parametrize("seed", range(4))
def test_workers_that_die_before_and_after_any_window_leave_nothing_wrong(
    abreast: Pipeline, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, turn = random.Random(seed), in_turn(abreast)
    monkeypatch.setattr("tasks.runners.shards.TRIES", 41)  # all deaths may meet one window
    for change in range(3):
        write(abreast, rows(dice.randrange(60, 120), change))
        InThisProcess.deaths = dice.choices(["", "before", "after"], weights=[3, 1, 1], k=40)
        assert [one.sync()["code"] for one in (abreast, turn)] == [0, 0]
        ours, theirs = both(abreast)
        assert ours == theirs
    assert InThisProcess.starts > 6


def test_a_window_in_which_every_worker_dies_ends_the_run_and_names_the_remedy(abreast: Pipeline) -> None:
    write(abreast, rows(20))
    InThisProcess.deaths = ["before"] * 100
    failed = abreast.run("sync", str(abreast.config))
    assert (failed.code, "lower shards_at_once under `runner`" in failed.err) == (70, True)
    InThisProcess.deaths = []
    assert abreast.sync()["code"] == 0
    assert abreast.run("verify", str(abreast.config), "--json").json["ok"]


def test_a_worker_of_an_overtaken_run_writes_nothing(abreast: Pipeline) -> None:
    write(abreast, rows(20))
    assert abreast.sync()["code"] == 0
    before = both_of(abreast)
    pipeline = read_pipeline(abreast.config)
    with open_session(pipeline) as session:
        with leased(session.ledger, wait=False) as lease:
            late = ShardWriter(pipeline.without_sources(), session.identity, lease.epoch)
        with leased(session.ledger, wait=False):
            name = next(f"new{number}" for number in range(99) if shard_of(f"rows-documents:new{number}", SHARDS) == 2)
            ref = DocumentRef(DocumentId(f"rows-documents:{name}"), "rows-documents", name, "")
            loaded = Loaded(Tally(1), [Document(ref, "A text")], [], [])
            with pytest.raises(FencedError):
                late.write(loaded, Known({}))
    late.close()
    assert both_of(abreast) == before


def both_of(pipeline: Pipeline) -> tuple[Any, Any]:
    return contents(pipeline.folder / "state", str(pipeline.folder / "db"))


def test_a_worker_that_would_make_other_ids_is_refused(abreast: Pipeline) -> None:
    write(abreast, rows(20))
    pipeline = read_pipeline(abreast.config)
    with open_session(pipeline) as session, leased(session.ledger, wait=False) as lease:
        other = pipeline.without_sources().model_copy(
            update={"chunking": pipeline.chunking.model_copy(update={"max_tokens": 32})}
        )
        with pytest.raises(ConfigError, match="install the same on all nodes"):
            ShardWriter(other, session.identity, lease.epoch)


def test_a_store_of_one_process_is_filled_in_turn_and_that_is_told(abreast: Pipeline) -> None:
    write(abreast, rows(20))
    abreast.config.write_text(abreast.config.read_text().replace("kind: lancedb", "kind: qdrant"))
    report = abreast.sync()
    told = "shards are worked off in turn, for workers in other processes cannot write to `store`; put them on servers"
    assert (report["code"], report["notes"], InThisProcess.starts) == (0, [told], 0)


def test_a_paid_service_is_asked_by_the_run_alone(abreast: Pipeline, openai_server: OpenAIServer) -> None:
    write(abreast, rows(20))
    paid = (
        f"{{kind: openai, model: text-embedding-3-small, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}'}}"
    )
    abreast.config.write_text(abreast.config.read_text().replace("{kind: hashing, dimensions: 64}", paid))
    report = abreast.sync()
    assert (report["code"], InThisProcess.starts) == (0, 0)
    assert "the embedder is a service" in report["notes"][0]


def test_documents_of_all_shards_that_become_alike_wait_together_and_no_more_than_memory_holds(
    abreast: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond that bound a document that is like no other is written at once, as in turn."""
    texts = {name: " ".join(f"{name}w{number}" for number in range(40)) for name in rows(30)}
    write(abreast, texts)
    abreast.sync()
    monkeypatch.setattr("tasks.dedupe.window.MOST_WAITING", 300)
    others = {name: " ".join(f"{name}x{number}" for number in range(40)) for name in rows(30)}
    write(abreast, others)
    turn = in_turn(abreast)
    report = abreast.sync()
    assert (report["code"], report["documents"]["changed"]) == (0, 30)
    write(abreast, texts)
    turn.sync()
    write(abreast, others)
    assert turn.sync()["code"] == 0
    ours, theirs = both(abreast)
    assert ours == theirs


def run(config: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json", "--direct"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def workers(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if len(found := psutil.Process(process.pid).children()) == 2:
            return found
        time.sleep(0.02)
    raise AssertionError("it has no workers")


def test_processes_that_are_killed_and_a_run_that_is_killed_are_healed(abreast: Pipeline) -> None:
    """Real processes and real signals: first one worker in mid-run, then the run, whose workers end with it."""
    write(abreast, rows(1500))
    abreast.config.write_text(abreast.config.read_text().replace("store:", "chunking: {max_tokens: 16}\nstore:"))
    process = run(abreast.config)
    workers(process)[0].kill()
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert b'"added": 1500' in out
    write(abreast, rows(1500, 1))
    process = run(abreast.config)
    orphans = workers(process)
    time.sleep(random.Random(os.getpid()).uniform(0, 1.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    gone, alive = psutil.wait_procs(orphans, SECONDS)
    assert (len(gone), alive) == (2, [])
    turn = in_turn(abreast)
    assert [one.sync()["code"] for one in (abreast, turn)] == [0, 0]
    assert abreast.run("verify", str(abreast.config), "--json").json["ok"]
    (_, ours), (_, theirs) = both(abreast)
    assert sorted(map(str, ours.values())) == sorted(map(str, theirs.values()))


def test_workers_write_to_a_qdrant_server(abreast: Pipeline, store_address: Callable[[str], str]) -> None:
    """A worker's store was never told to make the collection: the run's was."""
    address = store_address("qdrant server")
    text = abreast.config.read_text().replace("{kind: lancedb, path: ./db}", f"{{kind: qdrant, url: '{address}'}}")
    abreast.config.write_text(text.replace("name: trial", "name: abreast"))
    write(abreast, rows(60))
    report = abreast.sync()
    assert (report["code"], report["notes"], report["documents"]["added"], InThisProcess.starts) == (0, [], 60, 2)
    assert abreast.run("verify", str(abreast.config), "--json").json["ok"]
