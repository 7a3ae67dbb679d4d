"""The stages as Prefect tasks: one task run per window and stage."""

import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext, TagsContext
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed

from config.errors import ConfigError
from config.fields import Section
from config.read import read_name
from tasks.errors import HeadraceError
from tasks.retry import JITTER, RETRY_DELAYS_SECONDS, is_transient
from tasks.runners.base import Pending
from tasks.runners.chain import Chain
from tasks.runners.pace import MOST_CHUNKS
from tasks.system.signature import signature
from tasks.windows import Refs, Written

PROCESS = "headrace.process"  # the label of a run that says whose process it is
P = ParamSpec("P")
R = TypeVar("R")


def tracked(stage: Callable[P, R]) -> Task[P, R]:
    """One task run is one window in one stage: retried after transient errors only, never cached, never persisted.

    Prefect's cache and results would pickle documents and vectors into its own storage; the ledger and the embedding
    cache already make a repeated window cheap. No tags: a tagged task run asks the server for concurrency slots, with
    a new client each time, and that takes three quarters of a tracked run.
    """
    return Task(
        fn=stage,
        name=stage.__name__,
        retries=len(RETRY_DELAYS_SECONDS),
        retry_delay_seconds=list(RETRY_DELAYS_SECONDS),
        retry_jitter_factor=JITTER,
        retry_condition_fn=_may_help,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _may_help(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error: Any = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_transient(error)


STAGES: tuple[Task[..., Any], ...] = (
    tracked(Chain.load), tracked(Chain.chunk), tracked(Chain.dedupe), tracked(Chain.embed), tracked(Chain.upsert),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrackedWindow:
    """The futures of one window, in order."""

    number: int
    futures: tuple[PrefectFuture[Any], ...]

    def result(self) -> Written:
        """Wait for the last stage, and log what the window did; the first stage that failed says why."""
        results = [future.result() for future in self.futures]
        written: Written = results[-1]
        get_run_logger().info(f"window {self.number}: {written.tally.line()}")
        return written


class PlainFlow(Flow[P, R]):
    """A flow whose parameters are texts and sections of a configuration."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The same JSON as Prefect's, which imports a web framework for it: an eighth of a run without changes."""
        if not all(isinstance(value, str | Section) for value in parameters.values()):
            return super().serialize_parameters(parameters)
        return {
            name: value.model_dump(mode="json") if isinstance(value, Section) else value
            for name, value in parameters.items()
        }


def tracked_flow(name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Decorates a function of a configuration file and options: its runs are named after the pipeline.

    A failure that was foreseen ends the run in its own words. Raised, it would be traced back in the run's log, and its
    sentence would be hard to find.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        @wraps(function)
        def told(*arguments: P.args, **named: P.kwargs) -> R:
            for name in ("prefect.flow_runs", "prefect.task_runs"):
                logging.getLogger(name).addFilter(_is_news)
            try:
                return function(*arguments, **named)
            except HeadraceError as error:
                return cast(R, Failed(message=str(error), data=error))

        return PlainFlow(told, name=name, flow_run_name=run_name, persist_result=False)

    return decorate


def _is_news(record: logging.LogRecord) -> bool:
    """Prefect logs of each stage that it is done, or that one before it is not, which the line of its window says.

    Its engine logs what a failed state holds once more, with its traceback.
    """
    is_foreseen = record.exc_info and isinstance(record.exc_info[1], HeadraceError)
    is_stage = record.name == "prefect.task_runs"
    return not (is_foreseen or (is_stage and any(word in record.getMessage() for word in ("Completed(", "NotReady("))))


def run_name() -> str:
    """`sync handbook`, of flow and pipeline.

    Prefect asks for it before a run counts as running, so none does whose process nobody knows.
    """
    if (context := FlowRunContext.get()) and context.flow_run:
        client = cast(SyncPrefectClient, context.client)
        client.update_flow_run_labels(context.flow_run.id, {PROCESS: signature(os.getpid())})
    return f"{flow_run.flow_name} {pipeline_name(flow_run.parameters['config'])}"


def pipeline_name(config: str) -> str:
    """The name in the file; the file's own where that cannot be read."""
    try:
        return read_name(Path(config))
    except ConfigError:
        return Path(config).stem


class PrefectRunner:
    """Submits to the flow's task runner.

    Each lane waits for the window before, that of upsert for the one before it, as in ThreadRunner.
    """

    most_at_first = MOST_CHUNKS

    def __init__(self) -> None:
        """Call inside a flow run."""
        self._number = 0
        self._newest: deque[TrackedWindow] = deque(maxlen=2)

    def start(self, chain: Chain, window: Refs) -> Pending:
        """Submit all five stages; a stage begins when the one before it is done."""
        with TagsContext(current_tags=set()):  # the flow run's tags are not for task runs: see `tracked`
            self._newest.append(self._submitted(chain, window))
        return self._newest[-1]

    def _submitted(self, chain: Chain, window: Refs) -> TrackedWindow:
        self._number += 1
        before = self._newest[-1].futures if self._newest else ()
        written = self._newest[0].futures[4:] if len(self._newest) == 2 else ()
        waits = (before[1:2], (), before[3:4], (), written)
        futures: list[PrefectFuture[Any]] = []
        handed: Any = window
        for stage, wait_for in zip(STAGES, waits, strict=True):
            named = stage.with_options(task_run_name=f"{stage.name} {self._number}")
            handed = named.submit(chain, handed, wait_for=wait_for, return_state=False)
            futures.append(handed)
        return TrackedWindow(self._number, tuple(futures))

    def close(self) -> None:
        """Wait for the newest windows; the ones before them are done or failed by then."""
        for window in self._newest:
            for future in window.futures:
                future.wait()
