"""Many pipelines on many workers: their ledgers, cache and collections on one PostgreSQL server.

    python -m tests.benchmarks.pipelines [--pipelines 50] [--processes 8] [--rounds 4] [--cuts]

Each process takes all pipelines in an order of its own, changes some documents and syncs, so that processes meet.
`--cuts` ends a connection at random every second, and restarts the server once. Afterwards every collection has to be
what its source is.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from config.options import SyncOptions
from config.read import read_pipeline
from flows.commands.sync import shown_sync
from tasks.errors import HeadraceError
from tasks.sync.rebuild import sync_or_rebuild
from tasks.upsert.open import open_store
from tests.benchmarks.harness import HEADER, Gate, Measurement, machine, say
from tests.postgres_server import PostgresServer

DOCUMENTS = 12
EDITS = 3
EVERY_SECONDS = 0.05
CUT_SECONDS = 1.0
UNDERSTOOD = ("ended the connection", "held by", "another run took the lease")
CONFIG = """\
name: p{number}
sources: [{{path: ./docs}}]
embedder: {{kind: hashing, dimensions: 16}}
store: {{kind: pgvector, url: "{plain}"}}
state: {url}
cache: {url}
deletions: {{max_count: 100000}}
"""
WORDS = [f"word{number}" for number in range(40)]


@dataclass
class Watched:
    """What the server showed while the processes worked."""

    most_connections: int = 0
    cuts: int = 0
    restarts: int = 0


@dataclass
class Outcomes:
    """What the processes told: each turn's pipeline, how it ended, and its seconds."""

    turns: list[tuple[int, str, float]] = field(default_factory=list[tuple[int, str, float]])

    @property
    def kinds(self) -> Counter[str]:
        return Counter(kind for _, kind, _ in self.turns)

    def done(self) -> Counter[int]:
        return Counter(pipeline for pipeline, kind, _ in self.turns if kind == "done")


def make(folder: Path, url: str, pipelines: int) -> None:
    dice = random.Random(0)
    for number in range(pipelines):
        home = folder / str(number)
        (home / "docs").mkdir(parents=True)
        plain = url.replace("+psycopg", "")
        (home / "trial.yaml").write_text(CONFIG.format(number=number, url=url, plain=plain))
        for _ in range(DOCUMENTS):
            edit(home, dice)


def edit(home: Path, dice: random.Random) -> None:
    """Texts are of few words, so pipelines share many of them, and with them rows of the cache."""
    path = home / "docs" / f"{dice.randrange(DOCUMENTS)}.md"
    if dice.random() < 0.2:
        path.unlink(missing_ok=True)
    else:
        text = "\n\n".join(f"# {dice.choice(WORDS)}\n\n{dice.choice(WORDS)}" for _ in range(dice.randint(1, 5)))
        path.write_text(f"{text}\n")


def work(folder: Path, seed: int, rounds: int) -> None:
    """One process; prints a line of JSON for each turn."""
    dice = random.Random(seed)
    homes = sorted(folder.iterdir())
    for _ in range(rounds):
        for home in dice.sample(homes, len(homes)):
            for _ in range(EDITS):
                edit(home, dice)
            started = time.perf_counter()
            kind = synced(home)
            sys.stdout.write(json.dumps([int(home.name), kind, time.perf_counter() - started]) + "\n")
            sys.stdout.flush()


def synced(home: Path) -> str:
    """The outcome, or the words of an error that says neither what happened nor what to do."""
    try:
        report = sync_or_rebuild(read_pipeline(home / "trial.yaml"), SyncOptions(), shown_sync(quiet=True))
    except HeadraceError as error:
        known = next((words for words in UNDERSTOOD if words in str(error)), None)
        return known or f"{type(error).__name__}: {error}"
    return report.outcome.value


def run(folder: Path, processes: int, rounds: int, watch: "Watch") -> Outcomes:
    """All processes to their end."""
    module = [sys.executable, "-m", "tests.benchmarks.pipelines", "--work", str(folder), "--rounds", str(rounds)]
    outcomes = Outcomes()
    with watch:
        running = [
            subprocess.Popen([*module, "--seed", str(seed)], stdout=subprocess.PIPE, text=True)
            for seed in range(1, processes + 1)
        ]
        for one in running:
            told, _ = one.communicate()
            assert one.returncode == 0, one.returncode
            outcomes.turns += [tuple(json.loads(line)) for line in told.splitlines()]
    return outcomes


class Watch:
    """Counts connections while processes work, and cuts some where it is to."""

    def __init__(self, server: PostgresServer, database: str, *, cuts: bool) -> None:
        self.watched = Watched()
        self._server, self._database, self._cuts = server, database, cuts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        dice, cut_at = random.Random(9), time.monotonic() + CUT_SECONDS
        while not self._ended.wait(EVERY_SECONDS):
            with psycopg.connect(self._server.dsn(self._database), autocommit=True) as connection:
                pids = self._pids(connection)
                self.watched.most_connections = max(self.watched.most_connections, len(pids))
                if not self._cuts or time.monotonic() < cut_at or not pids:
                    continue
                connection.execute("SELECT pg_terminate_backend(%s)", (dice.choice(pids),))
                self.watched.cuts += 1
                cut_at = time.monotonic() + CUT_SECONDS
            if self.watched.cuts == 3:
                self._server.stop()
                self._server.start()
                self.watched.restarts += 1

    @staticmethod
    def _pids(connection: "psycopg.Connection[Any]") -> Sequence[int]:
        sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        return [pid for (pid,) in connection.execute(sql)]


def deadlocks(server: PostgresServer, database: str) -> int:
    with psycopg.connect(server.dsn(database)) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (database,)).fetchone()
    assert row is not None
    return int(row[0])


def differing(folder: Path) -> list[str]:
    """The pipelines whose collection is not their source after two calm runs; their names."""
    wrong: list[str] = []
    for home in sorted(folder.iterdir()):
        outcomes = [synced(home), synced(home)]
        if outcomes[1] != "done" or stored(home) != sources(home):
            wrong.append(f"{home.name} {outcomes}")
    return wrong


def sources(home: Path) -> Mapping[str, list[str]]:
    """Every word of every document, in its order."""
    return {path.name: path.read_text().replace("#", "").split() for path in (home / "docs").iterdir()}


def stored(home: Path) -> Mapping[str, list[str]]:
    pipeline = read_pipeline(home / "trial.yaml")
    store = open_store(pipeline.store, pipeline.name)
    chunks: dict[str, list[tuple[int, str]]] = {}
    for _, payload in store.scan():
        metadata = payload["metadata"]
        chunks.setdefault(metadata["document"], []).append((metadata["position"], payload["text"]))
    store.close()
    return {
        document: " ".join(text for _, text in sorted(parts)).replace("#", "").split()
        for document, parts in chunks.items()
    }


def measure(pipelines: int, processes: int, rounds: int, *, cuts: bool) -> None:
    with PostgresServer() as server, tempfile.TemporaryDirectory() as name:
        url, folder = server.new_database("many"), Path(name)
        make(folder, url, pipelines)
        watch = Watch(server, "many", cuts=cuts)
        outcomes = run(folder, processes, rounds, watch)
        done = outcomes.done()
        counts = [done[number] for number in range(pipelines)]
        seconds = [spent for _, kind, spent in outcomes.turns if kind == "done"]
        what = f"{pipelines} pipelines, {processes} processes" + (", cut" if cuts else "")
        detail = f"{dict(outcomes.kinds)}; {watch.watched.cuts} connections cut, {watch.watched.restarts} restarts"
        wrong = differing(folder)
        say(Measurement(f"{what}: collections unlike their source", len(wrong), "", Gate(0, None, True), detail))
        for one in wrong:
            sys.stdout.write(f"WRONG {one}\n")
        say(Measurement(f"{what}: deadlocks", deadlocks(server, "many"), "", Gate(0, None, True)))
        spread = f"{min(counts)} to {max(counts)} done of {processes * rounds} turns each; slowest {max(seconds):.1f} s"
        share = min(counts) / statistics.median(counts)
        say(Measurement(f"{what}: least served, of the median", share, "", Gate(0.5), spread))
        most = watch.watched.most_connections / processes
        say(Measurement(f"{what}: most connections, a process", most, "", Gate(16, None, True)))
        started, used = time.perf_counter(), time.process_time()
        for home in folder.iterdir():
            synced(home)
        wall, own = time.perf_counter() - started, time.process_time() - used
        detail = f"wall {wall / pipelines * 1000:.0f} ms"
        say(Measurement("a run without changes, all on a server", own / pipelines * 1000, "ms", None, detail))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--cuts", action="store_true")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.work:
        work(told.work, told.seed, told.rounds)
        return
    sys.stdout.write(f"{machine()}\n\n{HEADER}\n")
    measure(told.pipelines, told.processes, told.rounds, cuts=told.cuts)


if __name__ == "__main__":
    main()
