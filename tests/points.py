"""Records one by one, as tests like to make them, and the columns that a store takes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.records import Payload, PointId, Points, Vector


class Point(NamedTuple):
    """One record."""

    id: PointId
    vector: Vector
    payload: Payload


def columns(*points: Point) -> Points:
    """The same in columns; the vectors must be of one shape."""
    vectors = np.stack([point.vector for point in points]) if points else np.empty((0, 8), np.float32)
    return Points([point.id for point in points], vectors, [point.payload for point in points])


def records(points: Points) -> Sequence[Point]:
    """The same one by one."""
    return [Point(*record) for record in zip(points.ids, points.vectors, points.payloads, strict=True)]
