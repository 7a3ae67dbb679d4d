"""Vectors at the border of a store: no store refuses all bad ones by itself, and some answer NaN for ever after."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.errors import DocumentError, ServiceError
from tasks.records import Point, Vector


def checked_rows(points: Sequence[Point], dimension: int | None) -> list[list[float]]:
    """The vectors as lists, all of them finite, not zero and of the collection's dimension; DocumentError otherwise."""
    if dimension is None:
        raise ServiceError("a store was written before its collection was ensured")
    for point in points:
        if point.vector.shape != (dimension,):
            raise _refusal(point, f"has shape {point.vector.shape}, expected ({dimension},)")
    if not points:
        return []
    matrix = np.stack([point.vector for point in points])
    norms = np.linalg.norm(matrix, axis=1)
    wrong = np.flatnonzero(~np.isfinite(norms) | (norms == 0.0))
    if len(wrong):
        raise _refusal(points[int(wrong[0])], "is zero or not finite, so it has no cosine similarity")
    rows: list[list[float]] = matrix.tolist()
    return rows


def as_vector(stored: Any) -> Vector:
    """A store's list of floats as our vector."""
    return np.asarray(stored, dtype=np.float32)


def _refusal(point: Point, what: str) -> DocumentError:
    document = point.payload.get("headrace", {}).get("document", "?")
    return DocumentError("bad-vector", f"{document}: the vector of point {point.id} {what}; nothing was written")
