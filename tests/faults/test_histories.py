"""Random histories of a source, its faults and its disasters: whatever happens, two quiet runs later all is right.

`make faults` plays 100,000 of them.
"""

import copy
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tasks.database.database import Database
from tasks.errors import FencedError
from tasks.ledger.tables import LEDGER
from tasks.upsert.memory import MemoryStore
from tests.faults.cases import MODES, START
from tests.faults.oracle import Availability, divergence
from tests.faults.snapshots import restored, snapshot
from tests.faults.world import EMBEDDING_BATCH, Crash, Lines, Machine, World

HISTORIES = int(os.environ.get("HISTORIES", "120"))
KEYS = st.sampled_from(["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"])
TEXTS = st.lists(st.sampled_from(["alpha", "beta", "shared", "x", "uno", "dos"]), max_size=4).map("\n".join)


class History(RuleBasedStateMachine):
    """One source and the machine that follows it."""

    @initialize()
    def load(self) -> None:
        self.machine = Machine(MemoryStore())
        self.source = Lines(START, dict.fromkeys(START, "T"))
        self.past = [dict(START)]
        self.watch = Availability(self.machine)
        self.late: list[object] = []
        self.allowed = 0
        self.backup: tuple[MemoryStore, bytes] | None = None
        self.sees_holes = True
        self.run()

    @rule(key=KEYS, text=TEXTS)
    def edit(self, key: str, text: str) -> None:
        self._change({**self.source.texts, key: text})

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        left = {name: text for name, text in self.source.texts.items() if name != key}
        if left:  # a source that suddenly lists nothing is the guard's business
            self._change(left)

    @rule(key=KEYS, other=KEYS)
    def rename(self, key: str, other: str) -> None:
        if key in self.source.texts:
            texts = dict(self.source.texts)
            texts[other] = texts.pop(key)
            self._change(texts)

    @rule(key=KEYS, title=st.sampled_from(["T", "T2"]))
    def retitle(self, key: str, title: str) -> None:
        self.source.titles[key] = title
        self.watch.learn(self.source)

    @rule(back=st.integers(1, 3))
    def revert(self, back: int) -> None:
        self._change(self.past[-min(back, len(self.past))])

    @rule()
    def run(self) -> None:
        self.watch.learn(self.source)
        self.machine.run(copy.copy(self.source), World(observe=self._observe))

    @rule(at=st.integers(1, 25), mode=st.sampled_from(MODES))
    def fail(self, at: int, mode: str) -> None:
        self.watch.learn(self.source)
        world = World({at: mode}, self._observe)
        newer = copy.copy(self.source)
        source = copy.copy(self.source)
        if mode == "pause":
            world.while_paused = lambda: self._overtake(source, newer)
        try:
            self.machine.run(source, world)
        except Crash:
            self.allowed += EMBEDDING_BATCH
        except FencedError:
            self.allowed += EMBEDDING_BATCH
        self.late += world.late

    def _overtake(self, source: Lines, newer: Lines) -> None:
        own = source.world
        self.machine.run(newer, World(observe=self._observe))
        source.world = self.machine.embedder.world = own

    @precondition(lambda self: self.late)
    @rule()
    def a_late_write_lands(self) -> None:
        """Not after the grace time, which is longer than any request lives."""
        self._land()

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 1.0, 2.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.machine.clock += seconds

    @rule()
    def back_up(self) -> None:
        self._land()
        store = copy.deepcopy(self.machine.store)
        assert isinstance(store, MemoryStore)
        self.backup = store, snapshot(self.machine.ledger)

    @rule()
    def lose_the_store(self) -> None:
        self._disaster()
        self.machine.store = MemoryStore()

    @rule()
    def lose_the_ledger(self) -> None:
        self._disaster()
        self.machine.ledger = Database("sqlite://", LEDGER, "ledger")

    @precondition(lambda self: self.backup)
    @rule(which=st.sampled_from(["store", "ledger"]))
    def restore(self, which: str) -> None:
        assert self.backup
        self._disaster()
        store, ledger = self.backup
        if which == "store":
            self.machine.store = copy.deepcopy(store)
        else:
            self.machine.ledger = restored(ledger, LEDGER)

    def teardown(self) -> None:
        if not hasattr(self, "machine"):
            return
        self.watch.learn(self.source)
        self.machine.run(copy.copy(self.source))
        self._land()
        self.machine.settle(copy.copy(self.source))
        assert divergence(self.machine, self.source) == []
        assert self.watch.holes == []
        twice = len(self.machine.embedder.paid) - len(set(self.machine.embedder.paid))
        assert twice <= self.allowed, f"{twice} texts were paid twice, {self.allowed} allowed"
        for database in (self.machine.ledger, self.machine.cache):
            database.close()

    def _change(self, texts: dict[str, str]) -> None:
        self.past.append(dict(self.source.texts))
        self.source.texts = dict(texts)
        for key in texts:
            self.source.titles.setdefault(key, "T")
        self.watch.learn(self.source)

    def _land(self) -> None:
        for effect in self.late:
            effect()  # type: ignore[operator]  # a write that was on its way
        self.late.clear()

    def _disaster(self) -> None:
        """What is lost cannot be found until it is rebuilt: from here on only the end counts."""
        self._land()
        self.sees_holes = False
        self.watch.holes.clear()

    def _observe(self) -> None:
        if self.sees_holes:
            self.watch()


class OtherHistory(History):
    """The other half, for another worker."""


LONG = settings(
    max_examples=HISTORIES // 2,
    stateful_step_count=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
History.TestCase.settings = LONG
OtherHistory.TestCase.settings = LONG


@pytest.mark.parametrize("case", [History.TestCase, OtherHistory.TestCase])
def test_every_history_ends_well(case: type) -> None:
    case("runTest").runTest()
