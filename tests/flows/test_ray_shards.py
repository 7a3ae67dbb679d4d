"""Shards that are written side by side by actors of a Ray cluster, into PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from config.read import read_pipeline
from tasks.session import open_collection, open_ledger
from tests.postgres_server import PostgresServer
from tests.ray_cluster import LIGHT, RayNodes

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore")]  # Ray's own
BY_HAND = pytest.mark.skipif(not os.environ.get("RAY"), reason="minutes: by `make ray`")
CONFIG = """\
name: trial
sources: [{{kind: python, function: rows:documents}}]
chunking: {{max_tokens: 32}}
embedder: {{kind: hashing, dimensions: 16}}
store: {{kind: pgvector, url: '{url}'}}
state: {url}
cache: {url}
shards: 6
deletions: {{max_count: 10000}}
{runner}
"""
ROWS = """\
from pathlib import Path

def documents():
    count, change = map(int, (Path(__file__).parent / "state.txt").read_text().split())
    for row in range(count):
        words = " ".join(f"w{row * 7919 % 997 + one}" for one in range(100))
        yield f"r{row}", f"Row {row}, {row % 3 and change}: {words}", {}, f"v{row % 3 and change}"
"""


@pytest.fixture(scope="module")
def nodes(user_cache: Path) -> Iterator[RayNodes]:
    with RayNodes(2, user_cache) as cluster:
        yield cluster


@pytest.fixture
def configured(postgres: PostgresServer, tmp_path: Path) -> Callable[..., Path]:
    """A pipeline of its own folder and database over the same rows."""
    (tmp_path / "rows.py").write_text(ROWS)

    def made(name: str, runner: str = "") -> Path:
        config = tmp_path / f"{name}.yaml"
        config.write_text(CONFIG.format(url=postgres.new_database(f"{name}_{os.getpid()}"), runner=runner))
        return config

    return made


def set_rows(config: Path, count: int, change: int) -> None:
    (config.parent / "state.txt").write_text(f"{count} {change}")


def started(config: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json", "--direct"]
    return subprocess.Popen(command, env=os.environ | LIGHT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def synced(config: Path) -> Any:
    process = started(config)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)  # nothing but the answer is on stdout


def contents(config: Path) -> tuple[Any, Any, Any]:
    """Documents and points of the ledger, and records with the bytes of their vectors."""
    pipeline = read_pipeline(config)
    with closing(open_ledger(pipeline, read_only=True)) as ledger, closing(open_collection(pipeline)) as store:
        payloads = dict(store.scan())
        vectors = store.vectors(list(payloads))
        records = {point: (vectors[point].tobytes(), payload) for point, payload in payloads.items()}
        return ledger.documents(), {point: row.state for point, row in ledger.rows().items()}, records


def on(nodes: RayNodes) -> str:
    address = nodes.address
    return f"runner: {{kind: ray, address: '{address}', embed: {{num_cpus: 0.5}}, shards_at_once: 4}}"


def test_actors_write_the_same_ledgers_and_collection_to_the_byte(
    nodes: RayNodes, configured: Callable[..., Path]
) -> None:
    there, here = configured("there", on(nodes)), configured("here")
    for change in (0, 1):
        set_rows(there, 1500, change)
        reports = [synced(config) for config in (there, here)]
        counted = [(report["documents"], report["notes"], report["chunks"]["written"]) for report in reports]
        assert counted[0] == counted[1]
        chunks = reports[0]["chunks"]  # two shards may have embedded the same text at the same time
        assert chunks["embedded"] + chunks["reused"] == chunks["written"] == chunks["written"] + chunks["unwritten"]
        assert contents(there) == contents(here)


def test_files_of_this_machine_are_written_in_turn_and_that_is_told(
    nodes: RayNodes, configured: Callable[..., Path]
) -> None:
    config = configured("files", on(nodes))
    url = read_pipeline(config).state
    config.write_text(config.read_text().replace(f"state: {url}", "state: sqlite:///trial.db"))
    set_rows(config, 1100, 0)
    (note,) = synced(config)["notes"]
    assert note.startswith("shards are worked off in turn, for workers on other machines cannot write to `state`")


def written(config: Path) -> int:
    """Points that the ledger has, in whichever state."""
    with closing(open_ledger(read_pipeline(config), read_only=True)) as ledger:
        return sum(astuple(ledger.counts())[1:])


def await_points(process: "subprocess.Popen[str]", config: Path, least: int) -> bool:
    """Whether there were so many before the run ended."""
    while process.poll() is None:
        if written(config) >= least:
            return True
        time.sleep(0.2)
    return False


@BY_HAND
def test_nodes_and_runs_that_die_while_shards_are_written_leave_nothing_wrong(
    nodes: RayNodes, configured: Callable[..., Path]
) -> None:
    """A node goes whenever some hundred points have been written, in every second round the run with the second one."""
    there, here = configured("kills", on(nodes)), configured("calm")
    killed = 0
    for number in range(int(os.environ["RAY"])):
        set_rows(there, 2000, number + 1)
        process, of_run = started(there), 0
        while await_points(process, there, written(there) + 700):
            nodes.kill_node()
            killed, of_run = killed + 1, of_run + 1
            if number % 2 and of_run == 2:
                process.send_signal(signal.SIGKILL)
            nodes.add_node()
        out, err = process.communicate()
        if process.returncode != -signal.SIGKILL:
            assert (process.returncode, json.loads(out)["outcome"]) == (0, "done"), err
    assert killed
    print(f"{killed} nodes killed")
    set_rows(there, 1900, 1)
    reports = [synced(config) for config in (there, there, here)]
    assert (reports[1]["documents"]["unchanged"], reports[1]["chunks"]["written"]) == (1900, 0)
    (documents, _, ours), (expected, _, theirs) = contents(there), contents(here)
    assert documents == expected
    assert plain(ours) == plain(theirs)


def plain(records: Any) -> list[Any]:
    """Without ids: a point that comes back has another one."""
    return sorted((str(payload["metadata"]), payload["text"], vector) for vector, payload in records.values())
