"""Bugs that a new store may well have, each planted into the toy: the check it breaks has to catch it."""

from collections.abc import Callable

from tests.contracts.store.toy import ToyStore
from tests.contracts.store.trial import Trial

Mutant = type[ToyStore]
MUTANTS: dict[str, tuple[Mutant, Callable[[Trial], None]]] = {}


def breaks(check: Callable[[Trial], None]) -> Callable[[Mutant], Mutant]:
    """Says which promise a mutant breaks."""

    def decorated(mutant: Mutant) -> Mutant:
        MUTANTS[mutant.__name__] = mutant, check
        return mutant

    return decorated
