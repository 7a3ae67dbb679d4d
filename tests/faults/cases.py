"""Every numbered effect of a run, in every fault mode, over scenarios that cover what a source can do."""

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from tasks.database.database import Database
from tasks.dedupe.cache import CACHE
from tasks.errors import FencedError
from tasks.ledger.tables import LEDGER
from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore
from tests.faults.late_store import flush
from tests.faults.oracle import Availability, divergence, uncovered
from tests.faults.snapshots import restored, snapshot
from tests.faults.world import EMBEDDING_BATCH, Crash, Lines, Machine, World

START = {
    "a/1": "alpha\nbeta\ngamma",
    "a/2": "shared\nbeta",
    "b/1": "shared\nuno\ndos\ntres",
    "b/2": "x\nx\nx",
    "c/1": "kill me",
    "c/2": "stay",
}
THENS = ("stays", "changes")
MODES = ("before", "after", "torn", "late", "pause")
WRITES = ("store.upsert", "store.delete")  # which alone may be torn or late


def edited(**changes: str | None) -> dict[str, str]:
    """START with changes; `a__1` is the document a/1, None removes it."""
    texts: dict[str, str | None] = {**START, **{key.replace("__", "/"): text for key, text in changes.items()}}
    return {key: text for key, text in texts.items() if text is not None}


SCENARIOS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "an edit in the middle": (START, edited(a__1="alpha\nBETA2\ngamma\ndelta")),
    "a document shrinks": (START, edited(b__1="uno")),
    "a document is deleted": (START, edited(c__1=None)),
    "a document is renamed": (START, {("z/9" if key == "b/1" else key): text for key, text in START.items()}),
    "equal chunks multiply": (START, edited(b__2="x\nx\nx\nx\ny")),
    "a document is emptied": (START, edited(a__2="")),
    "the first load": ({}, START),
    "much at once": (
        START,
        edited(a__1="gamma\nalpha", c__1=None, d__1="new\nshared\nbeta", b__2="x"),
    ),
    "a text that comes back": (START, edited(a__1="other")),
    "only a title changes": (START, START),
    "a document cannot be read": (START, edited(a__1="alpha\nunseen", c__1="also\nnew")),
    "a text is refused": (START, edited(a__1="alpha\npoison\nfine", c__2="stay\nlonger")),
    "a folder cannot be listed": (START, edited(b__1="uno", c__1=None)),
    "documents swap their texts": (START, edited(a__1=START["b/1"], b__1=START["a/1"])),
    "everything changes": (START, {key: f"{text}\nmore {key}" for key, text in START.items()}),
}
HIDDEN = {"a folder cannot be listed": "a/"}
UNREADABLE = {"a document cannot be read": "a/1"}
REFUSED = {"a text is refused": ("a/1", "poison")}


@dataclass(frozen=True)
class Case:
    """`then` is the source after the fault: the same as before it, or changed once more."""

    scenario: str
    then: str
    at: int
    mode: str
    second: int = 0


@dataclass(frozen=True)
class Outcome:
    """`fired` says whether the plan came to its fault; `effects` names those of the faulty run."""

    fired: bool
    effects: tuple[str, ...]
    problems: tuple[str, ...]


def sources(case: Case) -> tuple[Lines, Lines, Lines]:
    """The source before the faulty run, during it, and after it."""
    before, during = SCENARIOS[case.scenario]
    titles = dict.fromkeys([*before, *during], "T")
    first = Lines(before, titles)
    second = Lines(during, dict.fromkeys(titles, "T2") if before == during else titles)
    second.hidden = HIDDEN.get(case.scenario, "")
    if case.scenario in UNREADABLE:
        key = UNREADABLE[case.scenario]
        second.unreadable, second.served = {key}, {key: before[key]}
    if case.scenario in REFUSED:
        key, text = REFUSED[case.scenario]
        second.refused, second.served = {text}, {key: before[key]}
    if case.then == "stays":
        return first, second, second
    last = before if before else edited(a__1="changed again", c__2=None)
    return first, second, Lines(last, dict.fromkeys(last, "T"))


MakeStore = Callable[[], VectorStore]


class Stage:
    """Machines after the first load of a scenario; loading again for each case would take half of the time.

    `reopen` gives the store of the next process.
    """

    def __init__(
        self,
        make_store: Callable[[], VectorStore],
        make_ledger: Callable[[], Database] | None = None,
        reopen: Callable[[VectorStore], VectorStore] = lambda store: store,
    ) -> None:
        self.reopen = reopen
        self._make_store = make_store
        self._make_ledger = make_ledger
        self._can_copy = isinstance(make_store(), MemoryStore) and make_ledger is None
        self._loaded: dict[tuple[str, str], Machine] = {}
        self._effects: dict[str, tuple[str, ...]] = {}

    def effects(self, scenario: str) -> tuple[str, ...]:
        """Those of the run that is to fail, as it goes without a fault, whatever the store."""
        if scenario not in self._effects:
            whole = Case(scenario, "stays", 10**6, "before")
            self._effects[scenario] = play(whole, self if self._can_copy else Stage(MemoryStore)).effects
        return self._effects[scenario]

    def may_happen(self, case: Case) -> bool:
        """Whether there is such an effect, and it can fail so: playing the others would take half of the time."""
        effects = self.effects(case.scenario)
        is_write = case.at <= len(effects) and effects[case.at - 1] in WRITES
        return case.at <= len(effects) and (is_write or case.mode not in ("torn", "late"))

    def machine(self, case: Case, first: Lines) -> Machine:
        """A machine of its own for the case."""
        if not self._can_copy:
            return self._load(first)
        key = case.scenario, case.then
        if key not in self._loaded:
            self._loaded[key] = self._load(first)
        return copied(self._loaded[key])

    def _load(self, first: Lines) -> Machine:
        machine = Machine(self._make_store(), self._make_ledger() if self._make_ledger else None)
        machine.run(first)
        flush(machine.store)
        return machine


def copied(machine: Machine) -> Machine:
    """Everything that survives a process, once more."""
    other = Machine(copy.deepcopy(machine.store), restored(snapshot(machine.ledger), LEDGER))
    other.cache = restored(snapshot(machine.cache), CACHE)
    other.embedder.paid = list(machine.embedder.paid)
    other.clock = machine.clock
    return other


def play(case: Case, stage: Stage) -> Outcome:
    """Load, fail, recover, let late writes land, wait out the grace time; then everything must be right."""
    first, second, third = sources(case)
    machine = stage.machine(case, first)
    watch = Availability(machine)
    watch.learn(first)
    watch()
    watch.learn(second)
    world = World({case.at: case.mode}, watch)
    crashes, problems, late = _fail(machine, world, second, (third, watch))
    flush(machine.store)
    if world.fired and not world.late and case.mode != "pause":
        problems += [f"I1: not in the ledger: {point}" for point in uncovered(machine)]
    if case.second and world.fired:
        again = World({case.second: case.mode}, watch)
        more, _, later = _fail(machine, again, second, (third, watch))
        crashes, late = crashes + more, late + later
    if not late:  # what is late still belongs to the store of the dead process
        machine.store = stage.reopen(machine.store)
    watch.learn(third)
    machine.run(third, World(observe=watch))
    for effect in late:
        effect()
    machine.settle(third)
    flush(machine.store)
    machine.store = stage.reopen(machine.store)
    problems += divergence(machine, third) + watch.holes
    twice = len(machine.embedder.paid) - len(set(machine.embedder.paid))
    allowed = EMBEDDING_BATCH * (crashes + (case.mode == "pause"))
    if twice > allowed:
        problems.append(f"I4: {twice} texts paid twice, {allowed} allowed")
    machine.ledger.close()
    machine.cache.close()
    return Outcome(world.fired, tuple(world.trace), tuple(problems))


def _fail(
    machine: Machine, world: World, source: Lines, other: tuple[Lines, Availability]
) -> tuple[int, list[str], list[Callable[[], None]]]:
    newer, watch = other

    def overtake() -> None:
        watch.learn(newer)
        own = source.world, machine.embedder.world
        refused = machine.embedder.refused
        machine.run(copy.copy(newer), World(observe=watch))
        source.world, machine.embedder.world = own
        machine.embedder.refused = refused

    if "pause" in world.plan.values():
        world.while_paused = overtake
    try:
        machine.run(source, world)
    except Crash:
        return 1, [], world.late
    except FencedError:
        return 0, [], world.late
    return 0, [], world.late


def outcomes(
    stage: Stage, scenarios: Iterable[str] = SCENARIOS, is_meant: Callable[[Case], bool] = lambda _: True
) -> Iterator[tuple[Case, Outcome]]:
    """Every case of the scenarios that is meant and in which the fault really happened."""
    for scenario, then, mode in product(scenarios, THENS, MODES):
        for at in range(1, len(stage.effects(scenario)) + 1):
            case = Case(scenario, then, at, mode)
            if is_meant(case) and stage.may_happen(case):
                outcome = play(case, stage)
                if outcome.fired:
                    yield case, outcome


def random_faults(stage: Stage, count: int, seed: int, *, twice: bool = True) -> Iterator[tuple[Case, Outcome]]:
    """`count` faults; `twice`: a crash, and another one while the next run mends it."""
    dice = random.Random(seed)
    while count:
        case = Case(
            dice.choice(list(SCENARIOS)),
            dice.choice(THENS),
            dice.randint(1, 16),
            dice.choice(MODES[:4] if twice else MODES),
            dice.randint(1, 16) if twice else 0,
        )
        outcome = play(case, stage) if stage.may_happen(case) else None
        if outcome and outcome.fired:
            count -= 1
            yield case, outcome
