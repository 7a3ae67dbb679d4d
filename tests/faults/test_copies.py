"""A fault at every effect of a run that leaves copies out, or brings them back: one of them is readable at any time."""

import random
from collections import defaultdict
from itertools import product

import pytest

from config.pipeline import Pipeline
from tasks.upsert.memory import MemoryStore
from tests.faults import cases, oracle, world
from tests.faults.cases import MODES, Case, Stage, play
from tests.faults.oracle import Availability, Record, held, version_of
from tests.faults.world import Lines, Machine


def page(seed: int) -> str:
    dice = random.Random(seed)
    return "\n".join(" ".join(f"w{dice.randrange(10**6)}" for _ in range(30)) for _ in range(3))


ONE, OTHER = page(1), page(2)
COPY, SECOND = f"{ONE} copied", f"{ONE} once more"
NEAR = {"b/1": ONE, "c/1": COPY, "d/1": OTHER}
SCENARIOS = {
    "the first load": ({}, NEAR),
    "a copy comes": ({"b/1": ONE, "d/1": OTHER}, NEAR),
    "a document becomes a copy": ({**NEAR, "c/1": page(3)}, NEAR),
    "an earlier one comes": (NEAR, {"a/1": SECOND, **NEAR}),
    "the original goes": (NEAR, {"c/1": COPY, "d/1": OTHER}),
    "the original changes": (NEAR, {**NEAR, "b/1": page(4)}),
    "the copy changes": (NEAR, {**NEAR, "c/1": page(5)}),
    "both change alike": (NEAR, {**NEAR, "b/1": f"{ONE} new", "c/1": f"{COPY} new"}),
    "the original goes elsewhere": (NEAR, {"c/1": COPY, "z/1": ONE, "d/1": OTHER}),
    "the original cannot be read": (NEAR, {**NEAR, "b/1": f"{ONE} unseen"}),
}
ALIKE = (ONE, COPY, SECOND, f"{ONE} new", f"{COPY} new")


def right_version(source: Lines, key: str) -> frozenset[Record]:
    """Nothing of a copy, of which an earlier document of the source is the original."""
    text = source.served.get(key, source.texts[key])
    before = [source.served.get(one, other) for one, other in source.texts.items() if one < key]
    is_copy = text in ALIKE and any(one in ALIKE for one in before)
    return frozenset() if is_copy else version_of(key, text, source.titles.get(key, ""))


class OneOfThem(Availability):
    """Once one of those that are alike is there, one of them stays there."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._was_there = False

    def __call__(self) -> None:
        have: dict[str, set[str]] = defaultdict(set)
        for key, _, text, _ in held(self._machine):
            have[key].add(text.split()[0])
        is_there = any(_firsts(ONE) <= firsts for firsts in have.values())
        if self._was_there and not is_there:
            self.holes.append("none of them is there")
        self._was_there = is_there


def _firsts(text: str) -> set[str]:
    return {line.split()[0] for line in text.split("\n")}


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_fault_among_copies_is_healed(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = world.PIPELINE.model_dump(exclude_unset=True)
    near = {**settings, "near_duplicates": {"threshold": 0.8, "action": "drop"}}
    monkeypatch.setattr(world, "PIPELINE", Pipeline.model_validate(near))
    monkeypatch.setitem(cases.SCENARIOS, scenario, SCENARIOS[scenario])
    monkeypatch.setitem(cases.UNREADABLE, "the original cannot be read", "b/1")
    monkeypatch.setattr(oracle, "right_version", right_version)
    monkeypatch.setattr(cases, "Availability", OneOfThem)
    stage, played = Stage(MemoryStore), 0
    for at, mode in product(range(1, len(stage.effects(scenario)) + 1), MODES):
        case = Case(scenario, "stays", at, mode)
        if (at + MODES.index(mode)) % 2 == 0 and stage.may_happen(case):
            outcome = play(case, stage)
            assert not outcome.problems, (case, outcome.effects[at - 1], outcome.problems[:3])
            played += outcome.fired
    assert played > 10
