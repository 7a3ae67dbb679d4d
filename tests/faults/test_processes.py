"""Two to eight processes on one pipeline, stopped and continued at random moments, on a file system that forgets locks.

Taking the lock's file away is what such a file system does: the next run takes the lease although the one before only
stands still, and that one has to notice at its next commit.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from config.options import SyncOptions
from tasks.dedupe.cache import EmbeddingCache
from tasks.errors import FencedError, LockedError
from tasks.ledger.generations import Registry
from tasks.ledger.ledger import Ledger
from tasks.runners.inline import InlineRunner
from tasks.session import Session
from tasks.sync.run import run_sync
from tests.faults.cases import START
from tests.faults.oracle import divergence
from tests.faults.shared_store import SharedStore
from tests.faults.world import GRACE, PIPELINE, SPACE, Letters, LineChunker, Lines, Machine, Silence

ROUNDS = int(os.environ.get("ROUNDS", "20"))  # for each of two seeds; `make faults` has 250
CHECKED_EVERY = 10
WORDS = ("alpha", "beta", "shared", "x", "uno", "dos", "tres")


class Folder(Machine):
    """A machine whose databases and store are files; the clock stands in a file too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SharedStore(folder / "store.db")
        self.state = Ledger(f"sqlite:///{folder}/ledger.db", "faulty")
        self.ledger = self.state.database
        self.vectors = EmbeddingCache(f"sqlite:///{folder}/cache.db", SPACE.dimension)
        self.embedder = Letters()

    def sync(self) -> None:
        """One run of the real order with the source and the clock as they are now."""
        given = json.loads((self.folder / "source.json").read_text())
        session = Session(
            pipeline=PIPELINE,
            sources={"s": Lines(given["texts"], dict.fromkeys(given["texts"], "T"))},
            chunker=LineChunker(),
            embedder=self.embedder,
            store=self.store,
            ledger=self.state,
            registry=Registry(self.ledger),
            cache=self.vectors,
            clock=lambda: float(given["clock"]),
            grace_seconds=GRACE,
        )
        run_sync(session, SyncOptions(), InlineRunner(), Silence())

    def write(self, texts: dict[str, str], clock: float) -> None:
        """What the next run sees."""
        path = self.folder / "source.new"
        path.write_text(json.dumps({"texts": texts, "clock": clock}))
        path.replace(self.folder / "source.json")

    def close(self) -> None:
        self.store.close()
        self.state.close()
        self.vectors.close()


def run_once(folder: Path) -> None:
    """In a process of its own: 0 when it went through, 3 when another run was there, 4 when one came."""
    try:
        Folder(folder).sync()
    except FencedError:
        sys.exit(4)
    except LockedError:
        sys.exit(3)


def started(folder: Path) -> ForkServerProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.test_processes", "tests.faults.preloaded"])
    process = context.Process(target=run_once, args=(folder,))
    process.start()
    return process


def usual_seconds(folder: Path) -> float:
    """How long one takes by itself."""
    start = time.monotonic()
    process = started(folder)
    process.join(60)
    return time.monotonic() - start


def signalled(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.kill(pid, number)


def disturb(folder: Path, dice: random.Random, span: float) -> list[int | None]:
    """Start processes, stop some, take the lock away, continue them; the exit codes. One takes `span` seconds."""
    processes: list[ForkServerProcess] = []
    stopped: list[int] = []
    for _ in range(dice.randint(2, 8)):
        processes.append(started(folder))
        time.sleep(dice.uniform(0, span))
        pid = processes[-1].pid
        if pid and dice.random() < 0.6:
            signalled(pid, signal.SIGSTOP)
            stopped.append(pid)
            (folder / "ledger.db.lock").unlink(missing_ok=True)
    for pid in dice.sample(stopped, len(stopped)):
        time.sleep(dice.uniform(0, 0.01))
        signalled(pid, signal.SIGCONT)
    codes = []
    for process in processes:
        process.join(60)
        codes.append(process.exitcode)
        process.close()
    return codes


def edited(texts: dict[str, str], dice: random.Random) -> dict[str, str]:
    key = dice.choice(list(START))
    changed = {**texts, key: "\n".join(dice.choices(WORDS, k=dice.randint(1, 4)))}
    gone = dice.choice(list(START))
    return {name: text for name, text in changed.items() if name != gone or dice.random() < 0.7 or len(changed) < 3}


@pytest.mark.parametrize("seed", [1, 2])
def test_overtaken_processes_leave_no_trace(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    machine = Folder(tmp_path)
    texts, clock, met, fenced = dict(START), 0.0, 0, 0
    machine.write(texts, clock)
    span = min(usual_seconds(tmp_path) for _ in range(3))
    for number in range(4 * ROUNDS):
        texts, clock = edited(texts, dice), clock + 1
        machine.write(texts, clock)
        codes = disturb(tmp_path, dice, span)
        assert set(codes) <= {0, 3, 4}
        met += len([code for code in codes if code])
        fenced += codes.count(4)
        if number % CHECKED_EVERY == CHECKED_EVERY - 1:
            for _ in range(3):
                clock += GRACE
                machine.write(texts, clock)
                machine.sync()
            assert divergence(machine, Lines(texts, dict.fromkeys(texts, "T"))) == [], number
            if number >= ROUNDS - 1 and met >= ROUNDS / 2 and fenced:  # on a busy machine they meet less often
                break
    machine.close()
    assert met >= ROUNDS / 2, "processes did meet"
    assert fenced > 0, "some went on after another had taken the lease, and were stopped by the fence"
