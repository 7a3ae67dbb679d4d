"""Peak memory of a whole first sync: a million chunks, and a quarter of that, to show that it does not grow.

Documents of many short sections, one chunk each; a part for the long table, for it takes several minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.harness import Gate, Measurement
from tests.benchmarks.syncing import CONFIG, HASHED

CHUNKS = (250_000, 1_000_000)
SECTIONS = 100
GIGABYTE = 1e6  # in the kilobytes that the kernel counts in

# The peak of the run's own process and that of the engine's, as if they came at the same time.
RUN = """
import resource, sys
from flows.cli import main
code = main(sys.argv[1:])
print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)), file=sys.stderr)
raise SystemExit(code)
"""


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
    command = [sys.executable, "-c", RUN, "sync", str(folder / "bench.yaml"), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
    report = json.loads(done.stdout)
    own, child = (int(kilobytes) / GIGABYTE for kilobytes in done.stderr.splitlines()[-1].split())
    detail = (
        f"{report['chunks']['total']:,} chunks in {report['seconds']['total']:.0f} s; run {own:.2f}, engine {child:.2f}"
    )
    return Measurement(f"peak memory, {chunks:,} chunks", own + child, "GB", Gate(1, 0.6, True), detail)


def _section(number: int, section: int) -> str:
    words = " ".join(f"w{(number * SECTIONS + section) * step % 99_991}" for step in range(1, 9))
    return f"## Section {section} of page {number}\n\nSome words: {words}.\n"
