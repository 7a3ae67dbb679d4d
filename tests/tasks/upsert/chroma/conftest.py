"""Points with random directions."""

import uuid
from collections.abc import Callable

import numpy as np
import pytest

from tasks.records import PointId
from tests.points import Point


@pytest.fixture
def make_points() -> Callable[[int], list[Point]]:
    """So many, of 8 dimensions."""
    dice = np.random.default_rng(11)

    def make(count: int) -> list[Point]:
        rows = dice.normal(size=(count, 8)).astype(np.float32)
        payload = {"text": "hello", "metadata": {"document": "a"}, "headrace": {"document": "s:a"}}
        return [Point(PointId(str(uuid.uuid4())), row, payload) for row in rows]

    return make
