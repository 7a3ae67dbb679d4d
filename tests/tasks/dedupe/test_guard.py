"""The guard withholds what might be a mistake, and lets through what was confirmed."""

import pytest

from config.schema import Deletions
from tasks.dedupe.guard import judge
from tasks.records import DocumentId

LIMITS = Deletions(max_count=10, max_fraction=0.1)


def ids(count: int) -> list[DocumentId]:
    return [DocumentId(f"s:{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("doomed", "known", "allowed"),
    [(0, 5, True), (10, 20, True), (11, 20, False), (11, 110, True), (12, 119, False), (100, 1000, True)],
)
def test_deletions_above_both_limits_are_withheld(doomed: int, known: int, *, allowed: bool) -> None:
    assert judge(ids(doomed), known, LIMITS, listed=1, confirmed=None).allowed is allowed


def test_an_empty_listing_is_not_believed() -> None:
    verdict = judge(ids(1), 1, LIMITS, listed=0, confirmed=None)
    assert not verdict.allowed
    assert judge(ids(1), 1, LIMITS, listed=0, confirmed=verdict.plan_hash).allowed


def test_a_confirmation_holds_for_exactly_these_documents() -> None:
    plan_hash = judge(ids(20), 20, LIMITS, listed=1, confirmed=None).plan_hash
    assert judge(reversed(ids(20)), 20, LIMITS, listed=1, confirmed=plan_hash).allowed
    assert not judge(ids(21), 21, LIMITS, listed=1, confirmed=plan_hash).allowed
