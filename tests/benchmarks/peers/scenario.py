"""What happens to the folder between two syncs, and what one sync took."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.corpus import write_pages
from tests.benchmarks.peers.systems import System

SETTLE_SECONDS = 2.0  # a file that changes within the clock's tick of a sync would have to be read again
NO_CHANGES = 3
LIMIT_SECONDS = 600.0  # then it is killed, and the table says so
QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "COCOINDEX_DISABLE_USAGE_TRACKING": "1",
    "HF_HUB_OFFLINE": "1",
    "PREFECT_API_URL": "",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One sync in a fresh process; `embedded` and `chunks` None where it did not say."""

    step: str
    seconds: float
    cpu_seconds: float
    peak_rss_mb: int
    exit_code: int
    embedded: int | None
    chunks: int | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one system works: `folder` is what it keeps its store equal to."""

    system: System
    home: Path
    embedder: str

    @property
    def folder(self) -> Path:
        return self.home / "docs"

    @property
    def state(self) -> Path:
        return self.home / "state"

    def sync(self, step: str) -> Result:
        time.sleep(SETTLE_SECONDS)
        command = self.system.command(self.folder, self.state, self.embedder)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **QUIET})
            limit = threading.Timer(LIMIT_SECONDS, os.kill, (process.pid, signal.SIGKILL))
            limit.start()
            _, status, use = os.wait4(process.pid, 0)
            limit.cancel()
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), err.seek(0)
            told = apart(self.system.counted, out.read().decode(), self.state)
            said = err.read().decode(errors="replace").strip().splitlines()[-1:] if process.returncode else []
        return Result(
            step,
            round(seconds, 2),
            round(use.ru_utime + use.ru_stime, 2),
            round(use.ru_maxrss / 1024),
            process.returncode,
            told.get("embedded"),
            told.get("chunks"),
            "".join(said)[:200],
        )


def play(place: Place, files: int) -> Iterator[Result]:
    """Every step in order, each on the state that the one before left; what destroys works on a copy."""
    shutil.rmtree(place.home, ignore_errors=True)
    apart(write_pages, place.folder, files)
    yield place.sync("first sync")
    for _ in range(NO_CHANGES):
        yield place.sync("no change")
    touch(place.folder)
    yield place.sync("all files touched")
    change(place.folder, files)
    yield place.sync("1 % changed")
    if place.embedder == "hashing":
        yield _on_a_copy(place, "store wiped", lambda: shutil.rmtree(place.state / "store"))
        yield _on_a_copy(place, "empty listing", lambda: _empty(place.folder))
    shutil.rmtree(place.home)


def apart(call: Callable[..., Any], *arguments: object) -> Any:
    """In a process of its own: a process starts with the peak of memory of the one that started it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def touch(folder: Path) -> None:
    """The same bytes with a new time."""
    now = time.time()
    for path in folder.rglob("*.md"):
        os.utime(path, (now, now))


def change(folder: Path, files: int) -> None:
    """Of a hundred files, half edited in one place, and equally many renamed, removed and added."""
    paths = sorted(folder.rglob("*.md"))
    few = max(1, files // 400)
    chosen = paths[:: max(1, len(paths) // (4 * few))][: 4 * few]
    edited, renamed, removed = chosen[: 2 * few], chosen[2 * few : 3 * few], chosen[3 * few :]
    for path in edited:
        path.write_text(path.read_text() + "\nOne more line at the end of the page.\n")
    for path in renamed:
        path.rename(path.with_name(f"renamed-{path.name}"))
    for number, path in enumerate(removed):
        path.unlink()
        path.with_name(f"new-{path.name}").write_text(
            f"# New {number}\n\nThe page {number} that was not there before.\n"
        )


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _on_a_copy(place: Place, step: str, destroy: Callable[[], None]) -> Result:
    for kept in (place.state, place.folder):
        shutil.copytree(kept, place.home / f"kept-{kept.name}")
    destroy()
    result = place.sync(step)
    for kept in (place.state, place.folder):
        shutil.rmtree(kept)
        (place.home / f"kept-{kept.name}").rename(kept)
    return result
