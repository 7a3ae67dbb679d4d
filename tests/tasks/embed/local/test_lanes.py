"""Batches on their way to a device: every row once, smaller when memory runs out, larger while that pays."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.embed.local.batch_size import MEASURED, SETTLING, BatchSize
from tasks.embed.local.lanes import Call, Lanes
from tasks.records import Vectors

TOKENS = st.lists(st.integers(1, 300), min_size=1, max_size=120)


def answer(rows: Sequence[int]) -> Vectors:
    """A vector that tells its row."""
    return np.array([[row, 1] for row in rows], dtype=np.float32)


def all_good(vectors: Vectors) -> NDArray[np.bool_]:
    return np.ones(len(vectors), bool)


def collect(lanes: Lanes, tokens: Sequence[int], call: Call) -> list[int]:
    found: list[int] = []
    for rows, vectors, bad in lanes.run(tokens, call, all_good):
        assert ([int(vector[0]) for vector in vectors], bad) == (rows, [])
        found += rows
    return found


@given(TOKENS, st.integers(1, 4), st.integers(1, 3000), st.integers(1, 9))
def test_every_row_comes_once_however_little_memory_there_is(
    tokens: list[int], lanes: int, budget: int, most: int
) -> None:
    def small(rows: Sequence[int]) -> Vectors:
        if len(rows) > most:
            raise MemoryError
        return answer(rows)

    found = collect(Lanes(lanes, BatchSize(budget, grows=False)), tokens, small)
    assert sorted(found) == list(range(len(tokens)))


def test_as_many_calls_run_at_once_as_there_are_lanes() -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(rows: Sequence[int]) -> Vectors:
        together.wait()
        return answer(rows)

    assert len(collect(Lanes(3, BatchSize(10, grows=False)), [10] * 6, meet)) == 6


def test_rows_without_a_good_vector_are_done_again_alone_and_once_more_only() -> None:
    calls: list[list[int]] = []

    def never_three(rows: Sequence[int]) -> Vectors:
        """Row 1 has a vector when it is alone, row 3 never."""
        calls.append(sorted(rows))
        return answer(rows) * [[row != 3 and (row != 1 or len(rows) == 1)] for row in rows]

    batches = list(Lanes(1, BatchSize(100, grows=False)).run([10] * 4, never_three, lambda found: found[:, 1] > 0))
    assert calls[0] == [0, 1, 2, 3]
    assert sorted(calls[1:]) == [[1], [3]]
    assert sorted(row for rows, _, _ in batches for row in rows) == [0, 1, 2]
    assert [bad for _, _, bad in batches if bad] == [[3]]
    assert all([int(vector[0]) for vector in vectors] == rows for rows, vectors, _ in batches)


def test_nothing_more_begins_after_an_error_or_a_close() -> None:
    calls: list[int] = []

    def count(rows: Sequence[int]) -> Vectors:
        calls.append(len(rows))
        if len(calls) == 5:
            raise ValueError("broken")
        return answer(rows)

    with pytest.raises(ValueError, match="broken"):
        collect(Lanes(1, BatchSize(1, grows=False)), [1] * 50, count)
    assert len(calls) <= 7
    calls.clear()
    batches = Lanes(1, BatchSize(1, grows=False)).run([1] * 50, count, all_good)
    next(batches)
    batches.close()
    assert len(calls) <= 3


def grown(rates: dict[int, float]) -> BatchSize:
    """A size after many batches on a device of so many tokens per second, by the size of the batch."""
    now = [0.0]
    size = BatchSize(min(rates), grows=True, clock=lambda: now[0])
    for _ in range(100 * (SETTLING + MEASURED)):
        now[0] += size.tokens / rates[size.tokens]
        size.finished(size.tokens)
    return size


def test_batches_grow_while_that_pays() -> None:
    assert grown({1000: 10.0, 2000: 19.0, 4000: 30.0, 8000: 30.5, 16000: 99.0}).tokens == 4000
    assert grown({1000: 10.0, 2000: 9.0}).tokens == 1000


def test_small_batches_tell_nothing() -> None:
    size = BatchSize(1000, grows=True, clock=lambda: 1.0)
    for _ in range(100):
        size.finished(700)
    assert size.tokens == 1000


def test_memory_ends_the_growth() -> None:
    size = BatchSize(1000, grows=True)
    size.refused(900)
    for _ in range(100):
        size.finished(size.tokens)
    assert size.tokens == 450
