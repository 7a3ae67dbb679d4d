"""How long `plan` and a first sync of many documents of all formats take: `python -m tests.benchmarks.mixed 10000`.

The documents are made of real words, as many of each format; with formats behind the number, only of these.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.corpus import pages
from tests.tasks.load.made import MADE, Block

PER_FOLDER = 100
BLOCKS, WORDS = 24, 14  # of a document, and of each line
KINDS = ("heading", "text", "text", "text", "list", "table", "code")
CONFIG = """\
name: mixed
sources: [{kind: files, name: docs, path: ./docs}]
embedder: {kind: hashing}
store: {kind: qdrant, path: ./db}
state: sqlite:///state.db
cache: sqlite:///cache.db
"""


def write(folder: Path, count: int, formats: list[str]) -> int:
    """Write the documents; returns their bytes."""
    dice = random.Random(7)
    words = [word for page in pages() for word in page.split() if word.isalpha()]
    total = 0
    for number in range(count):
        blocks = []
        for kind in ("heading", *dice.choices(KINDS, k=BLOCKS)):
            lines = 1 if kind == "heading" else dice.randint(2, 5)
            starts = [dice.randrange(len(words) - WORDS) for _ in range(lines)]
            shown = WORDS if kind == "text" else 4
            blocks.append(Block(kind, [[("plain", word) for word in words[at : at + shown]] for at in starts]))
        suffix = formats[number % len(formats)]
        path = folder / f"{number // PER_FOLDER}" / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        total += path.write_bytes(MADE[suffix](blocks))
    return total


def main() -> None:
    """Print what was seen."""
    count, *formats = sys.argv[1:] or ["10000"]
    formats = formats or list(MADE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write(folder / "docs", int(count), formats)
        (folder / "mixed.yaml").write_text(CONFIG.replace("./", f"{folder}/"))
        print(f"{count} documents in {len(formats)} formats, {size / 1e6:.1f} MB", flush=True)
        for command in ("plan", "sync", "sync"):
            began, before = time.monotonic(), _processor_seconds()
            done = subprocess.run(
                [sys.executable, "-m", "flows.cli", command, str(folder / "mixed.yaml"), "--json"],
                capture_output=True,
                text=True,
                check=False,
            )
            report = json.loads(done.stdout)
            took, worked = time.monotonic() - began, _processor_seconds() - before
            print(f"{command}: {took:.1f} s, {worked:.1f} s of processor, exit {done.returncode}", flush=True)
            print("  ", report["documents"], report["chunks"], report.get("seconds", ""), flush=True)


def _processor_seconds() -> float:
    """Of all ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
