"""Records, and a collection of 8 dimensions on the session's server."""

import uuid
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tasks.records import PointId
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import Point

MakePoints = Callable[..., list[Point]]


@pytest.fixture
def make_points() -> MakePoints:
    """So many, each in a direction of its own."""
    dice = np.random.default_rng(7)

    def make(number: int, dimension: int = 8) -> list[Point]:
        vectors = dice.normal(size=(number, dimension)).astype(np.float32)
        return [
            Point(
                PointId(str(uuid.uuid4())),
                vector / np.linalg.norm(vector),
                {"text": f"text {row}", "metadata": {"row": row}, "headrace": {"document": f"s:{row}"}},
            )
            for row, vector in enumerate(vectors)
        ]

    return make


@pytest.fixture
def store(postgres_url: str) -> Iterator[PgvectorStore]:
    made = PgvectorStore(postgres_url, "c")
    made.ensure(8)
    yield made
    made.close()
