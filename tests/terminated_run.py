"""A sync that is told to end while its model is busy, by SIGTERM as supervisors do or as a closed terminal does."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import monotonic, sleep

from tests.conftest import Pipeline
from tests.forked import Forked

SECONDS = 90
BUSY = """
import signal, sys, threading, time
from pathlib import Path
from flows import termination
from tasks.embed.hashing import HashingEmbedder
real, terminate, mark = HashingEmbedder._vectors, termination._terminate, Path(sys.argv.pop())
is_heard = threading.Event()
def noted(number, frame):
    is_heard.set()
    terminate(number, frame)
def slow(self, texts):
    mark.touch()
    while mark.exists():  # until the signal is sent
        time.sleep(0.05)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        is_heard.wait(60)
    time.sleep(1.5)  # the run begins to end
    HashingEmbedder._vectors = real
    return real(self, texts)
HashingEmbedder._vectors, termination._terminate = slow, noted
from flows.cli import run
sys.exit(run())
"""


def terminated_run(
    pipeline: Pipeline,
    environment: Mapping[str, str],
    number: signal.Signals = signal.SIGTERM,
    before: Sequence[str] = (),
    *,
    is_forked: bool = False,
) -> subprocess.CompletedProcess[str]:
    """`before` is what starts it, such as nohup."""
    mark = pipeline.folder / "busy"
    arguments = ["-c", BUSY, "sync", str(pipeline.config), "--json", str(mark)]
    command = [*before, sys.executable, *arguments]
    with (
        Forked(arguments, environment)
        if is_forked
        else subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ) as process:
        limit = monotonic() + SECONDS
        while not mark.exists() and process.poll() is None and monotonic() < limit:
            sleep(0.05)
        process.send_signal(number)
        mark.unlink(missing_ok=True)
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)
