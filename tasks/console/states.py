"""The states that Prefect shows of runs: honest about what a run came to, and about one whose process died."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Crashed, Failed

from tasks.console.standing import in_thread
from tasks.errors import LockedError
from tasks.runners.prefect import PROCESS
from tasks.sync.report import IncompleteRunError, Report
from tasks.system.signature import has_ended, start_of

SKIPPED = "Skipped"
TAG = "headrace"  # of our deployments, and of runs from the command line
PATIENCE_SECONDS = 5.0
UNSIGNED_SECONDS = {"process": 60.0}  # a worker starts a process within seconds; one that died meanwhile never does
MOST_UNSIGNED_SECONDS = 300.0  # and a container once its image is there
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
    """Marks runs whose process died, beside the work; every run that begins has said before whose process it is."""
    thread = in_thread(_mark_all_dead)
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS)


def mark_dead(run: str) -> None:
    """Mark a run that held a lease which is free again, as Crashed: wherever it ran, it is no more."""
    with suppress(Exception), get_client(sync_client=True) as client:
        _end(client, client.read_flow_run(UUID(run)))


def _mark_all_dead() -> None:
    own = FlowRunContext.get()
    going = FlowRunFilter.model_validate({"state": {"type": {"any_": [*_GOING]}}, "tags": {"all_": [TAG]}})
    with suppress(Exception), get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=going, limit=200):
            if own and own.flow_run and run.id != own.flow_run.id and _has_died(run, _begun(own.flow_run)):
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


def _has_died(run: FlowRun, now: datetime) -> bool:
    """A run that no process has signed has not begun: to cancel it is all that is left, or its worker died before."""
    if signed := str(run.labels.get(PROCESS, "")):
        return has_ended(signed)
    if run.state is None or run.state.type is StateType.CANCELLING:
        return run.state is not None
    pid = run.infrastructure_pid or ""
    if pid and (not pid.isdecimal() or start_of(int(pid))):
        return False
    kind = str(run.labels.get("prefect.worker.type", "process"))
    return now - run.state.timestamp > timedelta(seconds=UNSIGNED_SECONDS.get(kind, MOST_UNSIGNED_SECONDS))
