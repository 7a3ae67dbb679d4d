"""The states that Prefect shows of runs: honest about what a run came to, and about one whose process died."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkerFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext, SettingsContext, get_settings_context
from prefect.events import emit_event
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed, Failed

from tasks.console.standing import Ticks, in_thread
from tasks.errors import LockedError
from tasks.sync.report import IncompleteRunError, Report
from tasks.system.signature import has_ended, start_of

PROCESS = "headrace.process"  # the label of a run that says whose process it is
SKIPPED = "Skipped"
TAG = "headrace"  # of our deployments, and of runs from the command line
PATIENCE_SECONDS = 5.0
HEARTBEAT_SECONDS = 180.0  # as Prefect's own
UNSIGNED_SECONDS = 60.0  # a worker starts a process within seconds; one that died meanwhile never does
MOST_UNSIGNED_SECONDS = 300.0  # where the worker lives and is slow, or fetches the image of a container
# It reads to the end, which comes without a word where the process that it is beside was killed, and then imports us.
_GUARD = """\
import sys
if not sys.stdin.buffer.read():
    from tasks.console.states import mark_dead
    mark_dead(sys.argv[1])
"""
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
def own_heartbeats() -> Generator[None]:
    """Lets flow runs in it send their heartbeats by `attended`.

    The thread that Prefect has for them sleeps by the second, and a run waits at its end until it wakes.
    """
    context = get_settings_context()
    flows = context.settings.flows.model_copy(update={"heartbeat_frequency": None})
    settings = context.settings.model_copy(update={"flows": flows})
    with SettingsContext(profile=context.profile, settings=settings):
        yield


@contextmanager
def attended() -> Generator[None]:
    """Marks runs whose process died, beside the work; every run that begins has said before whose process it is.

    Should its own be killed, a process beside it marks the run at once; where both go, the next run does.
    """
    thread, guard = in_thread(_mark_all_dead), _guard()
    beats = None
    if get_current_settings().flows.heartbeat_frequency is None:
        _beat()
        beats = Ticks(HEARTBEAT_SECONDS, _beat)
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS)
        if beats:
            beats.end()
        if guard:
            _dismiss(guard)


def _guard() -> "subprocess.Popen[bytes] | None":
    """The process that marks this run where it is killed; a server that ends with the run needs none.

    None also where the machine has no room for it: the run goes on.
    """
    own, settings = FlowRunContext.get(), get_current_settings()
    if not (own and own.flow_run and settings.api.url):
        return None
    with suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - words of our own
            [sys.executable, "-c", _GUARD, str(own.flow_run.id)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **settings.to_environment_variables(exclude_unset=True)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends a group leaves it
        )
    return None


def _dismiss(guard: "subprocess.Popen[bytes]") -> None:
    """One that stands still is ended: the run waits for nobody."""
    try:
        guard.communicate(b"it ended", PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _beat() -> None:
    if (own := FlowRunContext.get()) and own.flow_run:
        about = {
            "prefect.resource.id": f"prefect.flow-run.{own.flow_run.id}",
            "prefect.resource.name": own.flow_run.name,
        }
        emit_event("prefect.flow-run.heartbeat", about)


def mark_dead(run: str) -> None:
    """Mark a run that held a lease which is free again, as Crashed: wherever it ran, it is no more."""
    with suppress(Exception), get_client(sync_client=True) as client:
        _end(client, client.read_flow_run(UUID(run)))


def _mark_all_dead() -> None:
    own = FlowRunContext.get()
    going = FlowRunFilter.model_validate({"state": {"type": {"any_": [*_GOING]}}, "tags": {"all_": [TAG]}})
    with suppress(Exception), get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=going, limit=200):
            if own and own.flow_run and run.id != own.flow_run.id and _has_died(client, run, _begun(own.flow_run)):
                with suppress(Exception):
                    _end(client, run)


def _end(client: SyncPrefectClient, run: FlowRun) -> None:
    """A run that is over by now keeps its state, for the server lets nobody leave a final one like this."""
    if run.state is None or run.state.type not in _GOING:
        return
    if run.state.type is StateType.CANCELLING:
        client.set_flow_run_state(run.id, Cancelled(message="The process had ended before it was told."))
    else:
        client.set_flow_run_state(run.id, Crashed(message="The process died; the next run goes on from there."))


def _begun(run: FlowRun) -> datetime:
    """By the server's clock, as are all other runs' states: those of machines differ."""
    return run.state.timestamp if run.state else datetime.min.replace(tzinfo=UTC)


def _has_died(client: SyncPrefectClient, run: FlowRun, now: datetime) -> bool:
    """A run that no process has signed has not begun: to cancel it is all that is left, or its worker died before."""
    if signed := str(run.labels.get(PROCESS, "")):
        return has_ended(signed)
    if run.state is None or run.state.type is StateType.CANCELLING:
        return run.state is not None
    pid = run.infrastructure_pid or ""
    if pid and (not pid.isdecimal() or start_of(int(pid))):
        return False
    age, short = now - run.state.timestamp, timedelta(seconds=UNSIGNED_SECONDS)
    if age > timedelta(seconds=MOST_UNSIGNED_SECONDS):
        return True
    is_process = run.labels.get("prefect.worker.type", "process") == "process"
    return is_process and age > short and not _has_worker(client, run, now - short)


def _has_worker(client: SyncPrefectClient, run: FlowRun, since: datetime) -> bool:
    """Whether the worker that took the run up has been heard of since then; every half minute is usual."""
    heard = WorkerFilter.model_validate({"last_heartbeat_time": {"after_": since}})
    workers = client.read_workers_for_work_pool(run.work_pool_name, worker_filter=heard) if run.work_pool_name else []
    return run.labels.get("prefect.worker.name") in {worker.name for worker in workers}
