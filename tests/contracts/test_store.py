"""Every vector store keeps what `VectorStore` promises."""

from collections.abc import Callable

import pytest

from tests.contracts.store.checks import CHECKS
from tests.contracts.store.kinds import KINDS, TOYS
from tests.contracts.store.trial import Check, Trial

CASES = [(name, one) for name, kind in (KINDS | TOYS).items() for one in CHECKS if one.concerns(kind)]


@pytest.mark.parametrize(("name", "one"), CASES, ids=[f"{name}: {one.name}" for name, one in CASES])
def test_a_store_keeps_its_contract(name: str, one: Check, trial_of: Callable[[str], Trial]) -> None:
    one.run(trial_of(name))
