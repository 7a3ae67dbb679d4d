"""Plays the random histories of the fault tests with the model on a Ray cluster whose nodes are killed meanwhile.

    python -m tests.ray_histories 300

It is a process of its own, for the sake of Ray, and prints how many there were, and how many nodes it killed.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hypothesis import settings

from config.runner import RayRunner
from tasks.embed.local.runtime.processes import ElsewhereRuntime
from tasks.records import EmbeddedBatch, Vectors
from tasks.system.ray_cluster import RayCluster
from tests.faults import world
from tests.faults.test_histories import LONG, History
from tests.ray_cluster import LIGHT, RayNodes

FEWEST_SECONDS = 4.0  # from one kill to the next, else no actor ever comes up
MOST_SECONDS = 0.05  # that a batch takes, so that a kill finds some of them at work


class LettersRuntime:
    """What lives in an actor."""

    def described(self) -> tuple[str, tuple[str, ...], int]:
        return "letters", ("cpu",), 1

    def forward(self, texts: list[str]) -> Vectors:
        time.sleep(random.uniform(0, MOST_SECONDS))
        return np.stack([world.vector_of(text) for text in texts])


class Killer:
    """Replaces the oldest node by a new one, once at a time and beside the work."""

    def __init__(self, nodes: RayNodes) -> None:
        self.killed = 0
        self._nodes, self._dice = nodes, random.Random(0)
        self._thread = ThreadPoolExecutor(1)
        self._at_work: Future[None] | None = None
        self._last = 0.0

    def may_strike(self) -> None:
        """To be called when work begins."""
        is_free = self._at_work is None or self._at_work.done()
        if is_free and time.monotonic() - self._last > FEWEST_SECONDS and self._dice.random() < 0.5:
            if self._at_work:
                self._at_work.result()
            self._last = time.monotonic()
            self._at_work = self._thread.submit(self._replace, self._dice.uniform(0, MOST_SECONDS))

    def _replace(self, seconds: float) -> None:
        time.sleep(seconds)
        self._nodes.kill_node()
        self.killed += 1
        self._nodes.add_node()


def main(count: int) -> None:
    os.environ |= LIGHT
    with tempfile.TemporaryDirectory() as cache, RayNodes(2, Path(cache)) as nodes:
        killer = Killer(nodes)
        runner = RayRunner.model_validate(
            {"kind": "ray", "address": nodes.address, "embed": {"num_cpus": 1}, "patience_seconds": 600}
        )
        cluster = RayCluster(runner)
        runtime = ElsewhereRuntime(cluster.embed, LettersRuntime)

        class LettersElsewhere(world.Letters):
            def _pay(self, rows: tuple[int, ...], texts: Sequence[str]) -> EmbeddedBatch:
                batch = super()._pay(rows, texts)
                if not batch.rows:
                    return batch
                killer.may_strike()
                vectors = runtime.forward([texts[rows.index(row)] for row in batch.rows])
                np.testing.assert_array_equal(vectors, batch.vectors)
                return EmbeddedBatch(batch.rows, vectors, rejected=batch.rejected)

        world.Letters = LettersElsewhere  # type: ignore[misc]
        played = 0

        class Counted(History):
            def teardown(self) -> None:
                nonlocal played
                super().teardown()
                played += 1

        Counted.TestCase.settings = settings(LONG, max_examples=count)
        try:
            Counted.TestCase("runTest").runTest()
        finally:
            runtime.close()
            cluster.close()
        sys.stdout.write(json.dumps({"histories": played, "killed": killer.killed}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
