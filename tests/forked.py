"""Python processes that start at once: forks of one that has imported what they need.

Prefect takes five seconds of processor to import, and a process of its own is what a run is: killed, told to end, with
its own environment, output and exit code.
"""

import atexit
import os
import runpy
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]
PRELOADED = (
    "flows.sync", "flows.verify", "flows.evaluate", "flows.rebuild", "flows.watch", "flows.commands.deploy",
    "tasks.embed.hashing", "tasks.upsert.qdrant_embedded.store", "prefect.artifacts", "prefect.blocks.notifications",
    "prefect.blocks.system",
)  # fmt: skip
_forks = get_context("forkserver")
_forks.set_forkserver_preload([__name__, *PRELOADED])


class Forked:
    """As `subprocess.Popen` of Python's own arguments: `-m MODULE ...` or `-c CODE ...`; in this repository's root."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name, name) for name in ("out", "err")]
        self._process = _forks.Process(target=_work, args=([*arguments], dict(environment), self._files))
        self._process.start()
        self.args = arguments

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def returncode(self) -> int:
        return -1 if self._process.exitcode is None else self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote, once it has ended."""
        self._process.join(timeout)
        if timeout is not None and self._process.is_alive():
            raise TimeoutExpired(self.args, timeout)
        out, err = (file.read_text() for file in self._files)
        return out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error:
            self._process.kill()
        self._process.join()
        self._folder.cleanup()


def run(arguments: Sequence[str], environment: Mapping[str, str], *, check: bool = False) -> CompletedProcess[str]:
    """As `subprocess.run`."""
    with Forked(arguments, environment) as process:
        out, err = process.communicate()
        done = CompletedProcess(arguments, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _work(arguments: list[str], environment: dict[str, str], files: list[Path]) -> None:
    for number, file in enumerate(files, 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    _as_at_the_start()
    how, what, *rest = arguments
    sys.argv = [what if how == "-m" else how, *rest]
    try:
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            scope: dict[str, Any] = {"__name__": "__main__"}
            exec(compile(what, "<string>", "exec"), scope)
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # in the order in which Python ends
        atexit._run_exitfuncs()


def _as_at_the_start() -> None:
    """What was settled when modules were imported, for this process's environment."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
