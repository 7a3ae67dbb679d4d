"""No crash, torn or late write, and no overtaken run leaves the collection different from the source."""

from pathlib import Path

import pytest

from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.qdrant import QdrantStore
from tests.faults.cases import Case, double_faults, outcomes, play
from tests.faults.mutants import MUTANTS

FEWEST_CASES = 1000
# A case that notices the mutant late in the enumeration is tried first; the enumeration finds the others in seconds.
TELLING = {
    "late_cache": [Case("the first load", "stays", at, "before") for at in range(10, 18)],
    "text_only_version": [Case("only a title changes", "stays", 1, "before")],
}


def test_every_fault_at_every_effect_is_healed() -> None:
    found = [*outcomes(MemoryStore), *double_faults(MemoryStore, 400, seed=7)]
    broken = [(case, outcome.problems[:3]) for case, outcome in found if outcome.problems]
    assert not broken, broken[:5]
    assert len(found) >= FEWEST_CASES


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_wrong_order_of_writes_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    first = ((case, play(case, MemoryStore)) for case in TELLING.get(name, []))
    for found in (first, outcomes(MemoryStore)):
        if any(outcome.problems for _, outcome in found):
            return
    pytest.fail(f"the enumeration did not notice {name}")


def test_faults_over_the_real_engine_are_healed(tmp_path: Path) -> None:
    opened: list[QdrantStore] = []

    def make() -> VectorStore:
        for store in opened[-1:]:
            store.close()
        opened.append(QdrantStore(str(tmp_path), f"c{len(opened)}"))
        return opened[-1]

    found = list(double_faults(make, 80, seed=11))
    broken = [(case, outcome.problems[:3]) for case, outcome in found if outcome.problems]
    assert not broken, broken[:5]
    assert len(found) >= 40
