"""The stages as Prefect tasks: one task run per window and stage."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TagsContext
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from tasks.retry import JITTER, RETRY_DELAYS_SECONDS, is_transient
from tasks.runners.base import Pending
from tasks.runners.chain import Chain
from tasks.runners.pace import MOST_CHUNKS
from tasks.runners.shards import MOST_IN_FLIGHT, ShardChain
from tasks.windows import Refs, Written

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


HANDED_OVER: tuple[Task[..., Any], ...] = tracked(ShardChain.load), tracked(ShardChain.finish)


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


class PrefectRunner:
    """Submits to the flow's task runner.

    Each lane waits for the window before, that of upsert for the one before it, as in ThreadRunner.
    """

    most_at_first = MOST_CHUNKS

    def __init__(self) -> None:
        """Call inside a flow run."""
        self._number = 0
        self._newest: deque[TrackedWindow] = deque(maxlen=2)
        self._handed: deque[TrackedWindow] = deque(maxlen=MOST_IN_FLIGHT)

    def start(self, chain: Chain, window: Refs) -> Pending:
        """Submit all five stages; a stage begins when the one before it is done."""
        with TagsContext(current_tags=set()):  # the flow run's tags are not for task runs: see `tracked`
            self._newest.append(self._submitted(chain, window))
        return self._newest[-1]

    def hand_over(self, chain: ShardChain, window: Refs) -> Pending:
        """Submit two stages: windows are read one after the other, and each waits for its worker."""
        with TagsContext(current_tags=set()):
            self._number += 1
            names = f"load {self._number}", f"shard {chain.shard(window) + 1} window {self._number}"
            stages = zip(HANDED_OVER, names, strict=True)
            load, finish = (stage.with_options(task_run_name=name) for stage, name in stages)
            before = self._handed[-1].futures[:1] if self._handed else ()
            loaded = load.submit(chain, window, wait_for=before, return_state=False)
            written = finish.submit(chain, loaded, window, return_state=False)
            self._handed.append(TrackedWindow(self._number, (loaded, written)))
        return self._handed[-1]

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
        for window in (*self._newest, *self._handed):
            for future in window.futures:
                future.wait()
