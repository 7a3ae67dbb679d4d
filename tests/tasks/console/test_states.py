"""Which runs are taken for dead: those whose process is gone here, and those that nobody has begun for minutes."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from prefect.client.schemas.objects import FlowRun

from tasks.console import states

HERE = socket.gethostname()


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def taken_for_dead(signature: str, pid: str = "", age_seconds: float = 0.0) -> bool:
    state = SimpleNamespace(timestamp=datetime.now(UTC) - timedelta(seconds=age_seconds))
    labels = {"headrace.process": signature} if signature else {}
    return states._has_died(cast(FlowRun, SimpleNamespace(labels=labels, infrastructure_pid=pid, state=state)))


def test_a_process_that_lives_is_alive_for_ever() -> None:
    assert not taken_for_dead(states._signature(os.getpid()), age_seconds=1e7)


def test_a_process_that_ended_or_has_given_its_number_away_is_dead() -> None:
    assert taken_for_dead(f"{HERE} {ended()} 4711")
    assert taken_for_dead(f"{HERE} {os.getpid()} 4711")


def test_what_runs_elsewhere_cannot_be_seen_from_here() -> None:
    assert not taken_for_dead(f"elsewhere {ended()} 4711", age_seconds=1e7)


@pytest.mark.parametrize(
    ("pid", "age_seconds", "is_dead"),
    [
        ("", 10, False),
        ("", 400, True),
        ("own", 400, False),
        ("cluster:namespace:job", 1e7, False),
    ],
)
def test_a_run_that_nobody_signed_is_dead_after_some_minutes(pid: str, age_seconds: float, is_dead: bool) -> None:
    assert taken_for_dead("", str(os.getpid()) if pid == "own" else pid, age_seconds) is is_dead


def test_a_child_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert taken_for_dead(f"{HERE} {process.pid} 4711")
        assert states._start(process.pid) == ""
