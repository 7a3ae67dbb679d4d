"""README's table of stores is the one that `make matrix` writes: no store or feature is missing or made up."""

from tests.contracts.store.checks import CHECKS
from tests.matrix import FAULTS, FEATURES, README, UNPROVED, Results, listed, rows_of, table

header, *ROWS = rows_of(README.read_text())


def test_the_table_has_every_store_and_every_feature() -> None:
    assert header == ["store", *(one.title for one in FEATURES), "proved against"]
    assert [(row[0], row[-1]) for row in ROWS] == [(name, kind.proof) for name, kind in listed().items()]


def test_a_cell_says_what_the_kind_promises_or_that_it_is_not_proved() -> None:
    for name, *cells, _ in ROWS:
        for cell, feature in zip(cells, FEATURES, strict=True):
            assert cell in (feature.cell(listed()[name]), UNPROVED), (name, feature.title)


def test_every_check_counts_for_a_feature() -> None:
    modules = {check.run.__module__.rpartition(".")[2] for check in CHECKS}
    assert modules | {FAULTS} == {one.proofs for one in FEATURES}


def test_without_a_result_nothing_is_said_to_be_kept() -> None:
    assert "yes" not in table(Results())
