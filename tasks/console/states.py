"""The states that Prefect shows of runs: honest about what a run came to, and about one whose process died."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.runtime import flow_run
from prefect.states import Cancelled, Crashed, Failed

from tasks.console.standing import in_thread
from tasks.errors import LockedError
from tasks.sync.report import IncompleteRunError, Report

SKIPPED = "Skipped"
TAG = "headrace"  # of our deployments, and of runs from the command line
PATIENCE_SECONDS = 5.0
UNSIGNED_SECONDS = 300.0  # a worker starts a run within seconds; one that died meanwhile never does
_PROCESS = "headrace.process"
_GOING = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def state_of(report: Report) -> dict[str, Any] | State[Any]:
    """The report of a run that did everything; else a failed state named after the outcome: never green in part."""
    if not report.exit_code:
        return report.as_json()
    error = IncompleteRunError(report)
    return Failed(name=report.outcome.capitalize(), message=str(error), data=error)  # raised, it would be traced back


def skipped(error: LockedError) -> State[Any]:
    """The run found another at work, named in `error`, and did nothing: neither a success nor a failure."""
    return Cancelled(name=SKIPPED, message=str(error))


@contextmanager
def attended() -> Generator[None]:
    """Says whose process the flow run is, and marks runs whose process died; both beside the work."""
    run = UUID(str(flow_run.id))
    thread = in_thread(partial(_attend, run))
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS)


def mark_dead(run: str) -> None:
    """Mark a run that held a lease which is free again, as Crashed: wherever it ran, it is no more."""
    if run:
        in_thread(partial(_mark_dead, UUID(run)))


def _attend(own: UUID) -> None:
    with suppress(Exception), get_client(sync_client=True) as client:
        client.update_flow_run_labels(own, {_PROCESS: _signature(os.getpid())})
        going = FlowRunFilter.model_validate({"state": {"type": {"any_": [*_GOING]}}, "tags": {"all_": [TAG]}})
        for run in client.read_flow_runs(flow_run_filter=going, limit=200):
            if run.id != own and _has_died(run):
                _end(client, run)


def _mark_dead(run: UUID) -> None:
    with suppress(Exception), get_client(sync_client=True) as client:
        _end(client, client.read_flow_run(run))


def _end(client: SyncPrefectClient, run: FlowRun) -> None:
    """A run that is over by now keeps its state, for the server lets nobody leave a final one like this."""
    if run.state is None or run.state.type not in _GOING:
        return
    if run.state.type is StateType.CANCELLING:
        client.set_flow_run_state(run.id, Cancelled(message="The process had ended before it was told."))
    else:
        client.set_flow_run_state(run.id, Crashed(message="The process died; the next run goes on from there."))


def _has_died(run: FlowRun) -> bool:
    """Of processes on this machine, and of runs that no process has signed: a worker may have died before it began."""
    if signature := str(run.labels.get(_PROCESS, "")):
        host, pid, _ = signature.split(" ", 2)
        return host == socket.gethostname() and _signature(int(pid)) != signature
    pid = run.infrastructure_pid or ""
    if pid and (not pid.isdecimal() or _start(int(pid))):
        return False
    return run.state is not None and datetime.now(UTC) - run.state.timestamp > timedelta(seconds=UNSIGNED_SECONDS)


def _signature(pid: int) -> str:
    """Machine, number and start of a process, for numbers are given again."""
    return f"{socket.gethostname()} {pid} {_start(pid)}"


def _start(pid: int) -> str:
    """In the kernel's ticks, or a word where it does not tell them; empty for one that has ended."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state == "Z" else numbers[18]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
