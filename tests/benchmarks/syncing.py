"""Runs of the command with the embedded store: first, unchanged, touched, searched, 1 % changed; 100,000 files."""

import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Gate, Measurement, spread, timed

ROUNDS = 3
FILES = 5000
FILE_BYTES = 2900
SECTION_BYTES = 1500
SHORT_BYTES = 400
MANY_FILES = 100_000
_UNDERLINE = re.compile(r"^[ \t]*[-=~]{3,}[ \t]*$", re.MULTILINE)  # a heading to Markdown, after every few lines
CONFIG = """\
name: bench
sources: [{kind: files, path: ./docs}]
embedder: %s
store: {kind: qdrant, path: ./db}
state: sqlite:///state/ledger.db
cache: sqlite:///state/cache.db
"""
HASHED = "{kind: hashing, dimensions: 384}"
SEARCHES = 25  # a second
LOCAL = "{kind: sentence-transformers, device: cpu}"


@dataclass
class Trial:
    """A pipeline in a folder of its own."""

    folder: Path
    embedder: str = HASHED

    def __post_init__(self) -> None:
        (self.folder / "docs").mkdir()
        (self.folder / "bench.yaml").write_text(CONFIG % self.embedder)

    def sync(self) -> dict[str, Any]:
        """The run's report; `wall` and `processor` are the seconds of its process, its start included."""
        command = [sys.executable, "-m", "flows.cli", "sync", str(self.folder / "bench.yaml"), "--json"]
        found: list[dict[str, Any]] = []

        def run() -> None:
            done = subprocess.run(command, check=True, capture_output=True, env={**os.environ})
            found.append(json.loads(done.stdout))

        before = os.times()
        timing = timed(run)
        after = os.times()
        processor = after.children_user + after.children_system - before.children_user - before.children_system
        return {**found[0], "wall": timing.seconds, "processor": processor}

    def settle(self) -> None:
        """A file that changed less than two seconds ago is read again by the next run."""
        time.sleep(2.1)

    def texts(self) -> set[str]:
        """Of all chunks in the collection, read back from the store."""
        from tasks.upsert.qdrant_embedded.store import QdrantStore

        with QdrantStore(str(self.folder / "db"), "bench") as store:
            return {str(payload["text"]) for _, payload in store.scan()}


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name:
        yield from _first_and_touched(Trial(Path(name)))
    with tempfile.TemporaryDirectory() as name:
        yield from _searched(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _changed(Trial(Path(name), LOCAL))
    with tempfile.TemporaryDirectory() as name:
        yield _many(Trial(Path(name)))


def _first_and_touched(trial: Trial) -> Iterator[Measurement]:
    megabytes = write_sections(trial.folder / "docs", FILES) / 1e6
    trial.settle()
    first = trial.sync()
    detail = f"{first['chunks']['total']:,} chunks; {first['processor']:.1f} s of processor; {_stages(first)}"
    yield Measurement(f"first sync of {FILES} files, {megabytes:.0f} MB", first["wall"], "s", Gate(10, 5, True), detail)
    calm, detail = _unchanged(trial)
    yield Measurement(f"sync of {FILES} files without changes", calm, "s", Gate(1.5, 0.7, True), detail)
    for path in (trial.folder / "docs").rglob("*.md"):
        path.touch()
    trial.settle()
    touched = trial.sync()
    yield Measurement(f"sync of {FILES} touched files", touched["wall"], "s", None, _stages(touched))


def _searched(folder: Path) -> Iterator[Measurement]:
    """A first sync alone and one while an open session searches, in pairs; the collection is begun by the sync."""
    ratios: list[float] = []
    waits: list[float] = []
    for number in range(ROUNDS):
        walls: list[float] = []
        for is_searched in (False, True) if number % 2 else (True, False):
            (place := folder / f"{number}{is_searched}").mkdir()
            trial = Trial(place)
            write_sections(place / "docs", FILES)
            trial.settle()
            is_over = threading.Event()
            reader = threading.Thread(target=_search, args=(place / "bench.yaml", waits, is_over))
            if is_searched:
                reader.start()
            walls.append(trial.sync()["wall"])
            is_over.set()
            if is_searched:
                reader.join()
            shutil.rmtree(place)
        alone, searched = walls if number % 2 else reversed(walls)
        ratios.append(searched / alone)
    detail = f"{len(waits)} answers, median {statistics.median(waits) * 1000:.0f} ms, {SEARCHES} a second asked for"
    yield Measurement("search during a first sync, slowest answer", max(waits), "s", Gate(1, None, True), detail)
    ratio = statistics.median(ratios)
    yield Measurement("first sync: searched / alone", ratio, "x", Gate(1.1, None, True), spread(ratios))


def _search(config: Path, waits: list[float], is_over: threading.Event) -> None:
    """Adds the seconds of each answer."""
    from config.read import read_pipeline
    from tasks.search.query import Wanted, search_collection
    from tasks.session import open_session

    with open_session(read_pipeline(config), read_only=True) as session:
        while not is_over.is_set():
            started = time.perf_counter()
            if session.store.sentinel() is not None:
                search_collection(session, "how do I rotate the key?", Wanted(5))
                waits.append(time.perf_counter() - started)
            time.sleep(max(0.0, 1 / SEARCHES - (time.perf_counter() - started)))


def _changed(trial: Trial) -> Iterator[Measurement]:
    """With a real model: what is new has to be embedded, and little else may take time."""
    write_short(trial.folder / "docs", FILES)
    trial.settle()
    trial.sync()
    calm, _ = _unchanged(trial)
    before = trial.texts()
    _change(trial.folder / "docs")
    trial.settle()
    changed = trial.sync()
    new = len(trial.texts() - before)
    embedded = changed["chunks"]["embedded"]
    detail = f"{embedded} embedded, {new} texts that the collection did not have"
    yield Measurement("1 % changed: embedded / new texts", embedded / new, "x", Gate(1.05, 1.0, True), detail)
    allowed = calm + 1.2 * changed["seconds"]["embed"]
    detail = f"all-MiniLM-L6-v2; {_stages(changed)}; without changes {calm:.2f}"
    yield Measurement(
        "1 % changed: edits, names, deletions, new", changed["wall"], "s", Gate(allowed, None, True), detail
    )


def _many(trial: Trial) -> Measurement:
    for number in range(MANY_FILES):
        path = trial.folder / f"docs/{number // 200}/{number}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# Page {number}\n\nThe page with the number {number}.\n")
    trial.settle()
    trial.sync()
    calm, detail = _unchanged(trial)
    return Measurement(f"sync of {MANY_FILES:,} files without changes", calm, "s", Gate(5, 1.5, True), detail)


def _unchanged(trial: Trial) -> tuple[float, str]:
    reports = [trial.sync() for _ in range(ROUNDS)]
    busy = statistics.median(report["processor"] for report in reports)
    return statistics.median(report["wall"] for report in reports), f"median of {ROUNDS}; {busy:.2f} s of processor"


def _stages(report: dict[str, Any]) -> str:
    return ", ".join(f"{name} {report['seconds'][name]:.1f}" for name in ("load", "chunk", "embed", "upsert"))


def write_sections(folder: Path, count: int) -> int:
    """`count` Markdown files of about 5 kB, no two alike, with sections that fill one chunk or more; bytes written."""
    parts = _sections()
    written = position = 0
    for number in range(count):
        text = f"# Page {number}\n\nThe page number {number} of the collection.\n"
        while len(text) < FILE_BYTES:
            section, position = _section(parts, position)
            text += section
        path = folder / f"{number // 100}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        written += path.write_bytes(text.encode())
    return written


def write_short(folder: Path, count: int) -> None:
    """`count` Markdown files of one short section, no two alike."""
    parts = _sections()
    for number in range(count):
        path = folder / f"{number // 100}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Page {number}\n\n{parts[number % len(parts)][:SHORT_BYTES]}\n")


def _sections() -> list[str]:
    parts = [_UNDERLINE.sub("", section) for page in pages() for section in page.split("\n## ")[1:]]
    random.Random(7).shuffle(parts)
    return parts


def _section(parts: Sequence[str], position: int) -> tuple[str, int]:
    turn = position // len(parts)
    title, _, body = parts[position % len(parts)].partition("\n")
    bodies = [body]
    while sum(map(len, bodies)) < SECTION_BYTES:
        position += 1
        bodies.append(parts[position % len(parts)].partition("\n")[2])
    # Once all parts are used, a line of their own keeps the texts of the next turn new.
    return f"\n## {title}\n" + "\n".join(bodies) + (f"\n\nRound {turn}.\n" if turn else ""), position + 1


def _change(folder: Path) -> None:
    """50 files: 20 edited, 10 renamed, 10 deleted, 10 new ones."""
    chosen = random.Random(3).sample(range(FILES), 40)
    paths = [folder / f"{number // 100}/{number}.md" for number in chosen]
    for number, path in enumerate(paths[:20]):
        lines = path.read_text().split("\n")
        lines.insert(len(lines) // 2, f"\nA paragraph that was put in the middle, the {number}th of its kind.\n")
        path.write_text("\n".join(lines))
    for path in paths[20:30]:
        path.rename(path.with_name(f"renamed-{path.name}"))
    for path in paths[30:]:
        path.unlink()
    for number in range(10):
        (folder / f"new-{number}.md").write_text(f"# New page {number}\n\nWords of the new page {number}.\n" * 20)
