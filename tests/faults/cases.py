"""Every numbered effect of a run, in every fault mode, over scenarios that cover what a source can do."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.errors import FencedError
from tasks.upsert.base import VectorStore
from tests.faults.oracle import Availability, divergence, uncovered
from tests.faults.world import EMBEDDING_BATCH, GRACE, Crash, Lines, Machine, World

START = {
    "a/1": "alpha\nbeta\ngamma",
    "a/2": "shared\nbeta",
    "b/1": "shared\nuno\ndos\ntres",
    "b/2": "x\nx\nx",
    "c/1": "kill me",
    "c/2": "stay",
}
MODES = ("before", "after", "torn", "late", "pause")


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
}


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
    """`fired` says whether the plan came to its fault; `effects` counts the effects of the faulty run."""

    fired: bool
    effects: int
    problems: tuple[str, ...]


def sources(case: Case) -> tuple[Lines, Lines, Lines]:
    """The source before the faulty run, during it, and after it."""
    before, during = SCENARIOS[case.scenario]
    titles = dict.fromkeys([*before, *during], "T")
    first = Lines(before, titles)
    second = Lines(during, dict.fromkeys(titles, "T2") if before == during else titles)
    if case.then == "stays":
        return first, second, second
    last = before if before else edited(a__1="changed again", c__2=None)
    return first, second, Lines(last, dict.fromkeys(last, "T"))


def play(case: Case, make_store: Callable[[], VectorStore]) -> Outcome:
    """Load, fail, recover, let late writes land, wait out the grace time; then everything must be right."""
    machine = Machine(make_store())
    first, second, third = sources(case)
    watch = Availability(machine)
    watch.learn(first)
    machine.run(first)
    watch()
    watch.learn(second)
    world = World({case.at: case.mode}, watch)
    crashes, problems, late = _fail(machine, world, second, (third, watch))
    if world.fired and not world.late and case.mode != "pause":
        problems += [f"I1: not in the ledger: {point}" for point in uncovered(machine)]
    if case.second and world.fired:
        again = World({case.second: case.mode}, watch)
        more, _, later = _fail(machine, again, second, (third, watch))
        crashes, late = crashes + more, late + later
    watch.learn(third)
    machine.run(third, World(observe=watch))
    for effect in late:
        effect()
    for _ in range(int(GRACE) + 1):
        machine.run(third)
    problems += divergence(machine, third) + watch.holes
    twice = len(machine.embedder.paid) - len(set(machine.embedder.paid))
    allowed = EMBEDDING_BATCH * (crashes + (case.mode == "pause"))
    if twice > allowed:
        problems.append(f"I4: {twice} texts paid twice, {allowed} allowed")
    return Outcome(world.fired, world.n, tuple(problems))


def _fail(
    machine: Machine, world: World, source: Lines, other: tuple[Lines, Availability]
) -> tuple[int, list[str], list[Callable[[], None]]]:
    newer, watch = other

    def overtake() -> None:
        watch.learn(newer)
        own = source.world, machine.embedder.world
        machine.run(Lines(newer.texts, newer.titles), World(observe=watch))
        source.world, machine.embedder.world = own

    if "pause" in world.plan.values():
        world.while_paused = overtake
    try:
        machine.run(source, world)
    except Crash:
        return 1, [], world.late
    except FencedError:
        return 0, [], world.late
    return 0, [], world.late


def outcomes(make_store: Callable[[], VectorStore]) -> Iterator[tuple[Case, Outcome]]:
    """Every case in which the fault really happened."""
    for scenario in SCENARIOS:
        for then in ("stays", "changes"):
            for mode in MODES:
                yield from _along(scenario, then, mode, make_store)


def _along(
    scenario: str, then: str, mode: str, make_store: Callable[[], VectorStore]
) -> Iterator[tuple[Case, Outcome]]:
    at = 1
    while True:
        case = Case(scenario, then, at, mode)
        outcome = play(case, make_store)
        if not outcome.fired and at > outcome.effects:
            return
        if outcome.fired:
            yield case, outcome
        at += 1


def double_faults(make_store: Callable[[], VectorStore], count: int, seed: int) -> Iterator[tuple[Case, Outcome]]:
    """A crash, and another one while the next run mends it."""
    dice = random.Random(seed)
    for _ in range(count):
        case = Case(
            dice.choice(list(SCENARIOS)),
            "stays",
            dice.randint(1, 12),
            dice.choice(MODES[:4]),
            dice.randint(1, 12),
        )
        outcome = play(case, make_store)
        if outcome.fired:
            yield case, outcome
