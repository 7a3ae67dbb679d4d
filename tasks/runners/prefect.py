"""The five stages as Prefect tasks: one task run per window and stage."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from prefect.futures import PrefectFuture

from tasks.chunk.stage import chunk
from tasks.dedupe.stage import dedupe
from tasks.dedupe.window import Planner
from tasks.embed.stage import embed
from tasks.load.stage import load
from tasks.runners.pace import MOST_CHUNKS
from tasks.runners.threads import Pending
from tasks.session import Session
from tasks.upsert.stage import upsert
from tasks.windows import Refs, Written


@dataclass(frozen=True, slots=True)
class TrackedWindow:
    """The futures of one window, in order."""

    futures: tuple[PrefectFuture[Any], ...]

    def result(self) -> Written:
        """Wait for the last stage; the first stage that failed says why."""
        results = [future.result() for future in self.futures]
        written: Written = results[-1]
        return written


class TrackedStages:
    """Submits to the flow's task runner.

    Each lane waits for the window before, that of upsert for the one before it, as in DirectStages.
    """

    most_at_first = MOST_CHUNKS

    def __init__(self) -> None:
        """Call inside a flow run."""
        self._number = 0
        self._newest: deque[TrackedWindow] = deque(maxlen=2)

    def start(self, session: Session, planner: Planner, window: Refs) -> Pending:
        """Submit all five stages; a stage begins when the one before it is done."""
        self._number += 1
        number = self._number
        before = self._newest[-1].futures if self._newest else ()
        read_before, paid_before = before[1:2], before[3:4]
        written_before = self._newest[0].futures[4:] if len(self._newest) == 2 else ()
        loaded = load.with_options(task_run_name=f"load {number}").submit(
            session.sources, planner, window, wait_for=read_before, return_state=False
        )
        chunked = chunk.with_options(task_run_name=f"chunk {number}").submit(
            session.chunker, loaded, return_state=False
        )
        planned = dedupe.with_options(task_run_name=f"dedupe {number}").submit(
            planner, chunked, wait_for=paid_before, return_state=False
        )
        paid = embed.with_options(task_run_name=f"embed {number}").submit(
            session.embedder, session.cache, session.ledger, planned, return_state=False
        )
        written = upsert.with_options(task_run_name=f"upsert {number}").submit(
            session.store, session.ledger, session.cache, paid, wait_for=written_before, return_state=False
        )
        started = TrackedWindow((loaded, chunked, planned, paid, written))
        self._newest.append(started)
        return started

    def close(self) -> None:
        """Wait for the newest windows; the ones before them are done or failed by then."""
        for window in self._newest:
            for future in window.futures:
                future.wait()
