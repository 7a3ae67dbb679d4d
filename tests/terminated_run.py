"""A sync that is told to end while its model is busy, by SIGTERM as supervisors do or as a closed terminal does."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import monotonic, sleep

from tests.conftest import Pipeline

SECONDS = 90
BUSY = """
import sys, time
from pathlib import Path
from tasks.embed.hashing import HashingEmbedder
real, mark = HashingEmbedder._vectors, Path(sys.argv.pop())
def slow(self, texts):
    mark.touch()
    while mark.exists():  # until the signal is sent, and then for long enough that it is heard
        time.sleep(0.05)
    time.sleep(1.5)
    HashingEmbedder._vectors = real
    return real(self, texts)
HashingEmbedder._vectors = slow
from flows.cli import run
sys.exit(run())
"""


def terminated_run(
    pipeline: Pipeline,
    environment: Mapping[str, str],
    number: signal.Signals = signal.SIGTERM,
    before: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """`before` is what starts it, such as nohup."""
    mark = pipeline.folder / "busy"
    command = [*before, sys.executable, "-c", BUSY, "sync", str(pipeline.config), "--json", str(mark)]
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        limit = monotonic() + SECONDS
        while not mark.exists() and process.poll() is None and monotonic() < limit:
            sleep(0.05)
        process.send_signal(number)
        mark.unlink(missing_ok=True)
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
