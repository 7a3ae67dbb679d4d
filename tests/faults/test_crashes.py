"""No crash, torn or late write, and no overtaken run leaves the collection different from the source.

Each is healed without a divergence, without a moment in which a document could not be found, and without paying for
more than the batch on its way. Random ones take a few seconds each test here; `make faults` plays more than 10,000.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, takewhile
from pathlib import Path

import pytest

from tasks.database.database import Database
from tasks.ledger.tables import LEDGER, TABLES
from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.words.index import WordIndex
from tasks.upsert.words.store import WordedStore
from tests.contracts.store.kinds import DURABLE
from tests.contracts.store.mutants.disk import DeletesUnwritten
from tests.contracts.store.trial import Kind, Trial
from tests.faults.cases import MODES, SCENARIOS, THENS, Case, Outcome, Stage, outcomes, play, random_faults
from tests.faults.late_store import LateStore
from tests.faults.mutants import MUTANTS

SINGLE = 60  # faults of a scenario, at least
SEEDS = range(12)
DOUBLE = 590  # pairs of faults for a seed
LATE_SEEDS = range(4)
LATE = 300
ON_POSTGRESQL = 150
ON_DURABLE = 100  # for each kind of store that outlives its process
AT_LEAST = 6  # of those that are played as far as there is time
FAULT_SECONDS = float(os.environ.get("FAULT_SECONDS", "2"))  # `make faults` takes as long as all of them need
IS_WHOLE = FAULT_SECONDS > 60

# A case that notices the mutant late in the enumeration is tried first; the enumeration finds the others in seconds.
TELLING = {
    "late_cache": [Case("the first load", "stays", at, "before") for at in range(10, 18)],
    "partial_listing": [Case("a folder cannot be listed", "stays", 1, "before")],
    "half_a_document": [Case("a text is refused", "stays", 1, "before")],
    "text_only_version": [Case("only a title changes", "stays", 1, "before")],
}


def check(found: Iterator[tuple[Case, Outcome]]) -> int:
    """How many faults were healed; fails for the first few that were not."""
    healed, broken = 0, []
    for case, outcome in found:
        healed += 1
        if outcome.problems:
            broken.append((case, outcome.problems[:3]))
    assert not broken, broken[:5]
    return healed


def check_for_a_while(found: Iterator[tuple[Case, Outcome]]) -> None:
    """At least so many as count, then only those that begin before the time is up."""
    deadline, number = time.monotonic() + FAULT_SECONDS, count()
    healed = check(takewhile(lambda _: next(number) < AT_LEAST or time.monotonic() < deadline, found))
    assert healed >= AT_LEAST


def test_there_are_at_least_fifteen_mutants() -> None:
    assert len(MUTANTS) >= 15


def test_there_are_more_than_ten_thousand_faults() -> None:
    single = 2 * SINGLE * len(SCENARIOS)
    assert single + len(SEEDS) * DOUBLE + len(LATE_SEEDS) * LATE + ON_POSTGRESQL >= 10_000


@pytest.mark.parametrize("store", [MemoryStore, LateStore])
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_fault_at_every_effect_is_healed(scenario: str, store: type[MemoryStore]) -> None:
    """Each fourth, for either store another one; `make faults` has them all."""

    def is_meant(case: Case) -> bool:
        number = case.at + MODES.index(case.mode) + THENS.index(case.then) + 2 * (store is LateStore)
        return IS_WHOLE or number % 4 == 0

    assert check(outcomes(Stage(store), [scenario], is_meant)) >= (SINGLE if IS_WHOLE else SINGLE // 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_while_another_is_mended_is_healed(seed: int) -> None:
    check_for_a_while(random_faults(Stage(MemoryStore), DOUBLE, seed))


@pytest.mark.parametrize("seed", LATE_SEEDS)
def test_two_faults_over_a_store_whose_writes_land_late_are_healed(seed: int) -> None:
    check_for_a_while(random_faults(Stage(LateStore), LATE, seed))


@pytest.mark.parametrize("seed", range(3))
def test_faults_over_a_store_with_an_index_of_words_beside_it_are_healed(seed: int) -> None:
    def make() -> VectorStore:
        return WordedStore(MemoryStore(), WordIndex("sqlite://", "english"))

    check_for_a_while(random_faults(Stage(make), DOUBLE, seed, twice=False))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # runs that died left connections
def test_faults_over_a_ledger_on_postgresql_are_healed(postgres_url: str) -> None:
    _play_on_postgresql(postgres_url)
    gc.collect()


def _play_on_postgresql(postgres_url: str) -> None:
    with closing(Database(postgres_url, LEDGER, "faulty")) as database:

        def emptied() -> Database:
            with database.write() as transaction:
                names = ", ".join(table.name for table in TABLES)
                transaction.execute(f"TRUNCATE {names}")
            return database

        check_for_a_while(random_faults(Stage(MemoryStore, emptied), ON_POSTGRESQL, seed=5))


def faults_over(trial: Trial) -> Iterator[tuple[Case, Outcome]]:
    """Each in a collection of its own, which is opened again after the fault and before it is judged."""
    numbers = count()

    def make() -> VectorStore:
        trial.close()
        return trial.open(f"c{next(numbers)}")

    return random_faults(Stage(make, reopen=trial.reopen), ON_DURABLE, seed=11)


@pytest.mark.parametrize("name", DURABLE)
def test_faults_over_every_durable_store_are_healed(name: str, trial_of: Callable[[str], Trial]) -> None:
    check_for_a_while(faults_over(trial_of(name)))


def test_a_store_that_forgets_what_it_deleted_is_noticed(tmp_path: Path) -> None:
    with closing(Trial(Kind(DeletesUnwritten, is_durable=True, is_exclusive=True), str(tmp_path))) as trial:
        assert any(outcome.problems for _, outcome in faults_over(trial))


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_wrong_order_of_writes_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    stage = Stage(MemoryStore)
    first = ((case, play(case, stage)) for case in TELLING.get(name, []))
    for found in (first, outcomes(stage)):
        if any(outcome.problems for _, outcome in found):
            return
    pytest.fail(f"the enumeration did not notice {name}")
