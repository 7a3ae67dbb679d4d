"""Hours of edits and runs in one process: memory, open files and state must stay flat. `make soak HOURS=6`."""

import contextlib
import io
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from flows.cli import main
from tests.conftest import CONFIG
from tests.faults.test_kill import edit

WARM_HOURS = 0.5  # deleted points stay in the ledger for the grace time, and memory grows with them
MOST_MB_PER_HOUR = 1.0
SAMPLES = 120
FILES = 400


def soak(hours: float, folder: Path) -> list[tuple[float, float, int, float]]:
    """(hour, memory in MB, open files, state in MB) at regular moments."""
    docs = folder / "docs"
    docs.mkdir()
    config = folder / "soak.yaml"
    config.write_text(
        CONFIG.format(embedder="{kind: hashing, dimensions: 64}")
        + "deletions: {max_fraction: 1, max_weekly_fraction: 1}\n"
    )
    for number in range(FILES):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nText of page {number}.\n")
    dice, me = random.Random(0), psutil.Process()
    started = time.monotonic()
    samples: list[tuple[float, float, int, float]] = []
    while (now := (time.monotonic() - started) / 3600) < hours:
        edit(docs, dice)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = main(["sync", str(config)])
        if code != 0:
            raise SystemExit(f"a run ended with {code}")
        if now >= len(samples) * hours / SAMPLES:
            ledger = sum(path.stat().st_size for path in (folder / "state").iterdir() if "trial" in path.name)
            samples.append((now, me.memory_info().rss / 1e6, me.num_fds(), ledger / 1e6))
    return samples


def judge(samples: list[tuple[float, float, int, float]]) -> bool:
    """Print what was seen; whether memory, open files and the ledger stayed flat after the first half hour."""
    warm = np.array([sample for sample in samples if sample[0] >= WARM_HOURS])
    if len(warm) < SAMPLES / 4:
        for hours, memory, files, ledger in samples:
            print(f"{60 * hours:.0f} min: memory {memory:.0f} MB, {files} open files, ledger {ledger:.2f} MB")
        raise SystemExit(f"too short to tell: memory is flat only after {WARM_HOURS:g} h; give HOURS=1 or more")
    slope = float(np.polyfit(warm[:, 0], warm[:, 1], 1)[0])
    print(f"memory {warm[0, 1]:.0f} to {warm[-1, 1]:.0f} MB, {slope:+.2f} MB/h (limit {MOST_MB_PER_HOUR:g})")
    print(f"open files {warm[:, 2].min():.0f} to {warm[:, 2].max():.0f}")
    print(f"ledger {warm[0, 3]:.2f} to {warm[-1, 3]:.2f} MB")
    is_bounded = warm[-1, 3] <= 1.5 * warm[0, 3] and warm[-1, 2] <= warm[0, 2] + 5
    return slope < MOST_MB_PER_HOUR and bool(is_bounded)


if __name__ == "__main__":
    os.environ.pop("PREFECT_API_URL", None)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(0 if judge(soak(float(os.environ.get("HOURS", "6")), Path(temporary))) else 1)
