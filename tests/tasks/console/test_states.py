"""Which runs are taken for dead: those whose process is gone here, and those that nobody has begun for long."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType

from tasks.console import states
from tasks.system.signature import signature, start_of

NOW = datetime.now(UTC)
HERE = signature(os.getpid()).split()[0]


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def taken_for_dead(
    signed: str, pid: str = "", age_seconds: float = 0.0, kind: str = "", state: StateType = StateType.PENDING
) -> bool:
    """`kind` is the worker's; with an exclamation mark it has been heard of a moment ago."""
    labels = {"headrace.process": signed, "prefect.worker.type": kind.rstrip("!"), "prefect.worker.name": "one"}
    run = SimpleNamespace(
        labels={name: value for name, value in labels.items() if value},
        infrastructure_pid=pid,
        state=SimpleNamespace(type=state, timestamp=NOW - timedelta(seconds=age_seconds)),
        work_pool_name="pool",
    )
    heard = [SimpleNamespace(name=name) for name in ("another", *(["one"] if kind.endswith("!") else []))]
    client = SimpleNamespace(read_workers_for_work_pool=lambda _pool, worker_filter: heard)
    return states._has_died(cast(SyncPrefectClient, client), cast(FlowRun, run), NOW)


def test_a_process_that_lives_is_alive_for_ever() -> None:
    assert not taken_for_dead(signature(os.getpid()), age_seconds=1e7)


def test_a_process_that_ended_or_has_given_its_number_away_is_dead() -> None:
    assert taken_for_dead(f"{HERE} {ended()} 4711")
    assert taken_for_dead(f"{HERE} {os.getpid()} 4711")


def test_what_runs_elsewhere_cannot_be_seen_from_here() -> None:
    assert not taken_for_dead(f"elsewhere {ended()} 4711", age_seconds=1e7)


@pytest.mark.parametrize(
    ("pid", "kind", "age_seconds", "is_dead"),
    [
        ("", "", 10, False),
        ("", "", 70, True),
        ("", "process", 70, True),
        ("", "process!", 70, False),
        ("", "process!", 400, True),
        ("", "docker", 70, False),
        ("", "docker", 400, True),
        ("own", "process", 400, False),
        ("cluster:namespace:job", "kubernetes", 1e7, False),
    ],
)
def test_a_run_that_nobody_signed_is_dead_after_a_while(pid: str, kind: str, age_seconds: float, is_dead: bool) -> None:
    assert taken_for_dead("", str(os.getpid()) if pid == "own" else pid, age_seconds, kind) is is_dead


def test_a_run_that_was_cancelled_before_anybody_signed_it_needs_nobody_to_end() -> None:
    assert taken_for_dead("", state=StateType.CANCELLING)
    assert not taken_for_dead(signature(os.getpid()), state=StateType.CANCELLING)


def test_a_container_of_the_same_name_has_other_processes() -> None:
    assert not taken_for_dead(f"{HERE.partition('[')[0]}[4711] {ended()} 4711", age_seconds=1e7)


def test_a_child_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert taken_for_dead(f"{HERE} {process.pid} 4711")
        assert start_of(process.pid) == ""
