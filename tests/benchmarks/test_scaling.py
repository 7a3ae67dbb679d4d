"""The document on scaling says what the rates say, and the simulation says the same."""

from pathlib import Path

import pytest

from tests.benchmarks.scaling import PLANS, Plan, size_table, time_table

DOCUMENT = Path(__file__).parents[2] / "deploy" / "SCALING.md"


def test_the_document_has_the_tables_as_the_rates_make_them() -> None:
    text = DOCUMENT.read_text()
    assert time_table() in text
    assert size_table() in text


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_the_simulation_is_within_a_tenth_of_the_formula(plan: Plan) -> None:
    assert plan.simulated_hours() == pytest.approx(plan.hours, rel=0.1)
