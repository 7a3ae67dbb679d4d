"""An object in a process of its own, and its end."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.errors import DocumentError, TransientError
from tasks.system.child_process import ChildProcess
from tasks.system.worker import WorkerDiedError


class Worker:
    """What the child makes."""

    def __init__(self, start: int) -> None:
        if start < 0:
            raise ValueError("must not be negative")
        self.total = start

    def add(self, number: int) -> int:
        self.total += number
        return self.total

    def refuse(self, what: str) -> None:
        if what == "document":
            raise DocumentError("too-large", "s:a is too large")
        if what == "transient":
            raise TransientError("later", retry_after_seconds=7)
        raise OddError(1, 2)

    def pid(self) -> int:
        print("a library's chatter")
        return os.getpid()

    def open_files(self) -> list[str]:
        return [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]


class OddError(Exception):
    """Cannot be unpickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def test_calls_of_several_threads_are_answered_each_to_its_own() -> None:
    child = ChildProcess(Worker, 10)
    sums: list[int] = []
    threads = [threading.Thread(target=lambda: sums.append(child.call("add", 1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == list(range(11, 31))
    assert child.call("pid") == child.pid != os.getpid()
    child.close()
    child.close()


def test_an_error_arrives_as_what_it_was() -> None:
    child = ChildProcess(Worker, 0)
    with pytest.raises(DocumentError, match="s:a is too large") as refused:
        child.call("refuse", "document")
    assert refused.value.reason == "too-large"
    assert "in refuse" in refused.value.__notes__[0]
    with pytest.raises(TransientError) as transient:
        child.call("refuse", "transient")
    assert transient.value.retry_after_seconds == 7
    with pytest.raises(RuntimeError, match="OddError: 1 and 2"):
        child.call("refuse", "odd")
    with pytest.raises(Exception, match=r"pickle|local object"):
        child.call("add", lambda: 1)
    assert child.call("add", 1) == 1
    child.close()


def test_what_cannot_be_made_says_why_at_every_call() -> None:
    child = ChildProcess(Worker, -1)
    for _ in range(2):
        with pytest.raises(ValueError, match="must not be negative"):
            child.call("add", 1)
    child.close()


def test_a_death_is_told_to_all_who_wait_and_all_who_come() -> None:
    child = ChildProcess(Worker, 0)
    child.call("add", 1)
    os.kill(child.pid, signal.SIGSTOP)
    told: list[str] = []

    def wait() -> None:
        with pytest.raises(WorkerDiedError) as died:
            child.call("add", 1)
        told.append(str(died.value))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    os.kill(child.pid, signal.SIGKILL)
    for thread in threads:
        thread.join(10)
    wait()
    assert told == [f"process {child.pid} was ended by SIGKILL"] * 4
    child.close()


def test_the_child_outlives_an_interrupt_and_a_termination() -> None:
    child = ChildProcess(Worker, 0)
    child.call("add", 1)
    os.kill(child.pid, signal.SIGINT)
    os.kill(child.pid, signal.SIGTERM)
    assert child.call("add", 1) == 2
    child.close()


def test_only_named_files_are_inherited(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"), (tmp_path / "lock").open("w") as lock:
        child = ChildProcess(Worker, 0, inherit=[lock.fileno()])
        held = [name for name in child.call("open_files") if name.startswith(str(tmp_path))]
        child.close()
    assert held == [str(tmp_path / "lock")]


PARENT = """
import time
from collections import Counter
from tasks.system.child_process import ChildProcess
child = ChildProcess(Counter)
child.call("total")
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_child_of_a_killed_parent_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
