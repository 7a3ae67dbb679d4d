"""A stage as a Prefect task, the same way for every room."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.retry import JITTER, RETRY_DELAYS_SECONDS, is_transient

P = ParamSpec("P")
R = TypeVar("R")


def tracked(call: Callable[P, R], name: str) -> Task[P, R]:
    """One task run is one window in one stage: retried after transient errors only, never cached, never persisted.

    Prefect's cache and results would pickle documents and vectors into its own storage; the ledger and the embedding
    cache already make a repeated window cheap.
    """
    return Task(
        fn=call,
        name=name,
        tags=["headrace", name],
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
