"""The checks of stores can fail: each bug that is planted into a sound store is caught by the check meant for it."""

from pathlib import Path

import pytest

from tests.contracts.store.mutants import disk, publishing, records, searches
from tests.contracts.store.mutants.breaks import MUTANTS
from tests.contracts.store.trial import Kind, Trial

CAUGHT = (Exception, pytest.fail.Exception)  # what a check fails with
MISTAKES = (AttributeError, NameError)  # of a mutant, rather than its bug


def test_there_are_enough_bugs_to_find() -> None:
    assert len(MUTANTS) >= 50
    modules = {module.__name__ for module in (disk, publishing, records, searches)}
    assert {mutant.__module__ for mutant, _ in MUTANTS.values()} == modules


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name: str, tmp_path: Path) -> None:
    mutant, check = MUTANTS[name]
    trial = Trial(Kind(mutant, is_durable=True, is_exclusive=True), str(tmp_path))
    with pytest.raises(CAUGHT) as caught:
        check(trial)
    trial.close()
    assert not isinstance(caught.value, MISTAKES)
