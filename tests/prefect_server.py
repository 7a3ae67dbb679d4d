"""A real Prefect server on a free loopback port, with a home of its own, stopped by its own process id."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_SECONDS = 300
END_SECONDS = 20


@contextmanager
def prefect_server(home: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a process that uses the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "HEADRACE_HOME": str(ROOT),
        "XDG_STATE_HOME": str(home / "user-state"),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (
        (home / "server.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            _wait(environment["PREFECT_API_URL"])
            yield environment
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """With its process group; a worker that is about to start a run may take no notice of the first signal."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _wait(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_up(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no Prefect server at {url} after {START_SECONDS} s")
        time.sleep(0.3)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
