"""Peak memory of a whole first sync: a million chunks, and a quarter of that, to show that it does not grow.

Documents of many short sections, one chunk each; a part for the long table, for it takes several minutes. What counts
is memory that the processes cannot give back; the pages of mapped files, which the kernel drops when it needs the
room, stand beside it.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.harness import Gate, Measurement
from tests.benchmarks.syncing import CONFIG, HASHED

CHUNKS = (250_000, 1_000_000)
SECTIONS = 100
GIGABYTE = 1e6  # in the kilobytes that the kernel counts in
EVERY_SECONDS = 0.25


class Peak(threading.Thread):
    """Of a process and its children together, in kilobytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.own = self.mapped = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            found = [sizes(pid) for pid in family(self._pid)]
            self.own = max(self.own, sum(one[0] for one in found))
            self.mapped = max(self.mapped, sum(one[1] for one in found))

    def end(self) -> None:
        self._ended.set()
        self.join()


def family(pid: int) -> Sequence[int]:
    children: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        children += [int(word) for word in path.read_text().split()]
    return [pid, *children]


def sizes(pid: int) -> tuple[int, int]:
    """Own and mapped; nothing of a process that has ended meanwhile."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    found = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
    own, mapped = (int(found.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssFile"))
    return own, mapped


def measure() -> Iterator[Measurement]:
    for chunks in CHUNKS:
        with tempfile.TemporaryDirectory() as name:
            yield _peak(Path(name), chunks)


def _peak(folder: Path, chunks: int) -> Measurement:
    for number in range(chunks // SECTIONS):
        path = folder / f"docs/{number // 100}/{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(_section(number, section) for section in range(SECTIONS)))
    (folder / "bench.yaml").write_text(CONFIG % HASHED)
    command = [sys.executable, "-m", "flows.cli", "sync", str(folder / "bench.yaml"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as running:
        peak = Peak(running.pid)
        peak.start()
        said, _ = running.communicate()
        peak.end()
    report = json.loads(said)
    detail = (
        f"{report['chunks']['total']:,} chunks in {report['seconds']['total']:.0f} s;"
        f" up to {peak.mapped / GIGABYTE:.2f} GB of mapped files besides"
    )
    return Measurement(f"peak memory, {chunks:,} chunks", peak.own / GIGABYTE, "GB", Gate(1, 0.6, True), detail)


def _section(number: int, section: int) -> str:
    words = " ".join(f"w{(number * SECTIONS + section) * step % 99_991}" for step in range(1, 9))
    return f"## Section {section} of page {number}\n\nSome words: {words}.\n"
