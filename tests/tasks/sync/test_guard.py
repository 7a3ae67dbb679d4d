"""The guard withholds what might be a mistake, and lets through what was confirmed."""

import pytest

from config.pipeline import Deletions
from tasks.records import DocumentId
from tasks.sync.guard import Circumstances, judge

LIMITS = Deletions(max_count=10, max_fraction=0.1)


def ids(count: int) -> list[DocumentId]:
    return [DocumentId(f"s:{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("doomed", "known", "allowed"),
    [(0, 5, True), (10, 20, True), (11, 20, False), (11, 110, True), (12, 119, False), (100, 1000, True)],
)
def test_deletions_above_both_limits_are_withheld(doomed: int, known: int, *, allowed: bool) -> None:
    assert judge(ids(doomed), Circumstances(known, 1), LIMITS, None).allowed is allowed


def test_an_empty_listing_is_not_believed() -> None:
    verdict = judge(ids(1), Circumstances(1, 0), LIMITS, None)
    assert not verdict.allowed
    assert judge(ids(1), Circumstances(1, 0), LIMITS, verdict.plan_hash).allowed


def test_a_confirmation_holds_for_exactly_these_documents() -> None:
    plan_hash = judge(ids(20), Circumstances(20, 1), LIMITS, None).plan_hash
    assert judge(reversed(ids(20)), Circumstances(20, 1), LIMITS, plan_hash).allowed
    assert not judge(ids(21), Circumstances(21, 1), LIMITS, plan_hash).allowed


def test_what_has_only_moved_is_no_loss() -> None:
    assert judge(ids(40), Circumstances(50, 40, moved=30), LIMITS, None).allowed
    assert not judge(ids(40), Circumstances(50, 40, moved=29), LIMITS, None).allowed
    assert not judge(ids(40), Circumstances(40, 0, moved=40), LIMITS, None).allowed


def test_losses_that_add_up_within_a_week_are_withheld() -> None:
    """200 of 1,000 documents may go in seven days; ten a day are fine, and so is the first hundred at once."""
    assert judge(ids(100), Circumstances(1000, 900), LIMITS, None).allowed
    assert judge(ids(80), Circumstances(900, 820, recent=100), LIMITS, None).allowed
    slow = judge(ids(80), Circumstances(820, 740, recent=180), LIMITS, None)
    assert not slow.allowed
    assert "seven days" in slow.reason
    assert judge(ids(80), Circumstances(820, 740, recent=180), LIMITS, slow.plan_hash).allowed


def test_a_small_pipeline_may_lose_ten_documents_in_a_week() -> None:
    assert judge(ids(1), Circumstances(3, 2, recent=9), LIMITS, None).allowed
    assert not judge(ids(1), Circumstances(3, 2, recent=10), LIMITS, None).allowed
