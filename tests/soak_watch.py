"""Hours of saves beside one `headrace watch`: memory and open files must stay flat. `make soak-watch HOURS=6`."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.conftest import CONFIG
from tests.faults.test_kill import edit
from tests.soak import FILES, SAMPLES, judge


def soak(hours: float, folder: Path) -> list[tuple[float, float, int, float]]:
    """(hour, memory in MB, open files, state in MB) at regular moments."""
    docs = folder / "docs"
    docs.mkdir()
    config = folder / "soak.yaml"
    limits = "deletions: {max_fraction: 1, max_weekly_fraction: 1}\n"
    config.write_text(CONFIG.format(embedder="{kind: hashing, dimensions: 64}") + limits)
    for number in range(FILES):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nText of page {number}.\n")
    dice = random.Random(0)
    command = [sys.executable, "-m", "flows.cli", "watch", str(config), "--json"]
    samples: list[tuple[float, float, int, float]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        me, started = psutil.Process(process.pid), time.monotonic()
        assert process.stdout
        for line in process.stdout:
            told = json.loads(line)
            if told["exit_code"] not in (0, 1):
                raise SystemExit(f"a round ended with {told}")
            now = (time.monotonic() - started) / 3600
            if now >= hours:
                break
            if now >= len(samples) * hours / SAMPLES:
                ledger = sum(path.stat().st_size for path in (folder / "state").iterdir() if "trial" in path.name)
                samples.append((now, me.memory_info().rss / 1e6, me.num_fds(), ledger / 1e6))
            edit(docs, dice)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    if process.returncode != 128 + signal.SIGTERM:
        raise SystemExit(f"it ended with {process.returncode}")
    return samples


if __name__ == "__main__":
    os.environ.pop("PREFECT_API_URL", None)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(0 if judge(soak(float(os.environ.get("HOURS", "6")), Path(temporary))) else 1)
