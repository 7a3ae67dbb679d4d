"""Vectors at the border of a store: no store refuses all bad ones by itself, and some answer NaN for ever after."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.errors import DocumentError
from tasks.records import Payload, Point, Vector, Vectors


def checked_rows(points: Sequence[Point], dimension: int) -> Vectors:
    """The vectors as one matrix; DocumentError for one that is not finite, zero or not of the collection's dimension.

    Squares that overflow 32 bits count as not finite, and below the precision of 32 bits as zero: no store can bring
    such a vector to unit length.
    """
    for point in points:
        if point.vector.shape != (dimension,):
            raise _refusal(point, f"has the shape {point.vector.shape}, expected ({dimension},)")
    if not points:
        return np.empty((0, dimension), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.stack([point.vector for point in points]).astype(np.float32, copy=False)
        squares = np.einsum("ij,ij->i", rows, rows)
    wrong = np.flatnonzero(~np.isfinite(squares) | (squares < np.finfo(np.float32).eps))
    if len(wrong):
        raise _refusal(points[int(wrong[0])], "is zero or not finite, so it has no direction to compare")
    return rows


def as_vector(stored: Any) -> Vector:
    """A store's list of floats as our vector."""
    return np.asarray(stored, dtype=np.float32)


def document_name(payload: Payload) -> str:
    """The document to blame, for a message about one record."""
    return str(payload.get("headrace", {}).get("document", "an unnamed document"))


def _refusal(point: Point, what: str) -> DocumentError:
    return DocumentError(
        "bad-vector", f"{document_name(point.payload)}: the vector of point {point.id} {what}; nothing was written"
    )
