"""What all our flows have in common: how their runs are named, what is in their log, and how they end."""

import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed

from config.errors import ConfigError
from config.fields import Section
from config.read import read_name
from flows.termination import told_to_prefect
from tasks.console.events import announce
from tasks.console.states import PROCESS, attended, skipped
from tasks.errors import FencedError, HeadraceError, LockedError, kept_report
from tasks.runners.prefect_server import TAKEN
from tasks.system.scarcity import scarcity
from tasks.system.signature import signature

P = ParamSpec("P")
R = TypeVar("R")


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


def tracked_flow(name: str, about: str = "") -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Decorates a function of a configuration file and options: its runs are named after the pipeline.

    A failure that was foreseen ends the run in its own words: raised, it would be traced back in the run's log, and its
    sentence would be hard to find. A run that finds another at work is skipped. Both are events, `about` the flow or
    what it does the work of.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        @wraps(function)
        def told(*arguments: P.args, **named: P.kwargs) -> R:
            TAKEN.set()
            try:
                with _all_logged(), told_to_prefect(), attended():
                    return function(*arguments, **named)
            except Exception as error:
                return cast(R, _ended(about or name, error))

        return PlainFlow(told, name=name, flow_run_name=run_name, persist_result=False)

    return decorate


def _ended(about: str, error: Exception) -> State[Any]:
    """The last state of a run that this ended; what nobody foresaw is raised."""
    pipeline = pipeline_name(flow_run.parameters["config"])
    if isinstance(error, LockedError) and not isinstance(error, FencedError):  # an overtaken run had begun
        announce(f"{about}.skipped", pipeline, {}, str(error))
        return skipped(error)
    said, why = f"{type(error).__name__}: {error}", str(error)
    if not isinstance(error, HeadraceError):
        remedy = scarcity(said)
        why = f"{said}; {remedy}" if remedy else f"unforeseen: {type(error).__name__}; the run's log says where"
    announce(f"{about}.failed", pipeline, kept_report(error), why)
    if why.startswith("unforeseen"):
        raise error
    return Failed(message=why, data=error)


class _Forwarded(logging.Handler):
    """Our own log as lines of the run's, from whichever thread they come."""

    def __init__(self) -> None:
        super().__init__()
        self._run = get_run_logger()

    def emit(self, record: logging.LogRecord) -> None:
        self._run.log(record.levelno, "%s", record.getMessage())


@contextmanager
def _all_logged() -> Generator[None]:
    """Lets the run's log tell what ours does, such as a provider that makes us wait, and leave out what is no news."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_news)
    log = logging.getLogger("headrace")
    before = (log.handlers, log.level, log.propagate)
    log.handlers, log.level, log.propagate = [_Forwarded()], logging.INFO, False
    try:
        yield
    finally:
        log.handlers, log.level, log.propagate = before


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
