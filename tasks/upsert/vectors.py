"""Vectors at the border of a store: no store refuses all bad ones by itself, and some answer NaN for ever after."""

from typing import Any

import numpy as np

from tasks.errors import CollectionError, DocumentError
from tasks.records import Payload, PointId, Points, Vector, Vectors


def check_vectors(points: Points, dimension: int) -> None:
    """Raise DocumentError for a vector that is not finite, zero or not of the collection's dimension.

    Squares that overflow 32 bits count as not finite, and below the precision of 32 bits as zero: no store can bring
    such a vector to unit length.
    """
    if not points:
        return
    rows = points.vectors
    if rows.shape != (len(points), dimension):
        raise _refusal(points, 0, f"comes in a matrix of the shape {rows.shape}, expected ({len(points)}, {dimension})")
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows)
    wrong = np.flatnonzero(~np.isfinite(squares) | (squares < np.finfo(np.float32).eps))
    if len(wrong):
        raise _refusal(points, int(wrong[0]), "is zero or not finite, so it has no direction to compare")


def check_precision(name: str, held: str, asked: str) -> None:
    """Raise CollectionError where a collection keeps vectors otherwise than they are to be kept."""
    if held != asked:
        raise CollectionError(
            f"{name} keeps vectors as {held}, and `precision` under `store` is {asked}; run `headrace rebuild` to"
            f" build a new generation beside it from the cache, or set `precision: {held}`"
        )


def fit_for_halves(vectors: Vectors) -> Vectors:
    """The same directions at unit length: floats of 16 bits end at 65504."""
    units: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


def as_vector(stored: Any) -> Vector:
    """A store's list of floats as our vector."""
    return np.asarray(stored, dtype=np.float32)


def cosine(one: Vector, other: Vector) -> float:
    """The similarity of two directions, whatever their lengths."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def has_direction(vector: Vector) -> bool:
    """Whether it can be compared with others: it is finite, and not zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = float(np.linalg.norm(vector))
    return bool(np.isfinite(length)) and length > 0


def document_name(payload: Payload) -> str:
    """The document to blame, for a message about one record."""
    return str(payload.get("headrace", {}).get("document", "an unnamed document"))


def unstorable(
    payload: Payload, point: PointId, why: object, expected: str = "a UUID and plain JSON values"
) -> DocumentError:
    """The error for a payload that a store cannot hold."""
    return DocumentError(
        "bad-payload", f"{document_name(payload)}: point {point} cannot be stored: {why}; expected {expected}"
    )


def _refusal(points: Points, row: int, what: str) -> DocumentError:
    return DocumentError(
        "bad-vector",
        f"{document_name(points.payloads[row])}: the vector of point {points.ids[row]} {what}; nothing was written",
    )
