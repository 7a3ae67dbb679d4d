"""A model's own files may change its query's prompt: a ledger keeps what it first saw."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.ledger.lease import leased
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import own_space, remember_mark
from tasks.records import Sentinel, VectorSpace

SPACE = VectorSpace("local", "Bert", "1", 384, 256, frozen_query_prefix="query: ")
LATER = replace(SPACE, frozen_query_prefix="search: ")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    is_file = request.param == "sqlite"
    made = Ledger(f"sqlite:///{tmp_path}/l.db" if is_file else request.getfixturevalue("postgres_url"), "trial")
    yield made
    made.close()


def mark(ledger: Ledger, space: VectorSpace) -> None:
    remember_mark(ledger, space, Sentinel("line", 1, space.fingerprint))


def test_a_space_stays_what_it_was_when_the_ledger_first_saw_the_model(ledger: Ledger) -> None:
    assert own_space(ledger, LATER) == LATER
    with leased(ledger, wait=False):
        mark(ledger, SPACE)
        mark(ledger, own_space(ledger, LATER))
        mark(ledger, LATER)
    assert own_space(ledger, LATER) == own_space(ledger, SPACE) == SPACE
    assert own_space(ledger, LATER).fingerprint == SPACE.fingerprint != LATER.fingerprint


@pytest.mark.parametrize("change", [{"revision": "2"}, {"dimension": 64}, {"document_prefix": "passage: "}])
def test_another_model_is_another_space_as_ever(ledger: Ledger, change: dict[str, object]) -> None:
    with leased(ledger, wait=False):
        mark(ledger, SPACE)
    other = replace(LATER, **change)
    assert own_space(ledger, other) == other
    assert own_space(ledger, other).fingerprint != SPACE.fingerprint
