"""Records in requests that the server takes: it refuses one of more than 32 MB."""

import json
from collections.abc import Iterator
from uuid import UUID

from qdrant_client import models

from tasks.errors import DocumentError
from tasks.records import Points
from tasks.upsert.vectors import document_name

MOST_BYTES = 8 << 20
MOST_POINTS = 500
_BYTES_OF_A_FLOAT = 24  # at most, with its comma, written as JSON
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # made once: `dumps` makes one for every call


def batches(points: Points) -> Iterator[models.Batch]:
    """Bounded by count and by bytes; one record may be larger, and is then alone.

    DocumentError names the document whose payload cannot be stored, before the first batch.
    """
    sizes = [_size(points, row) for row in range(len(points))]
    start = size = 0
    for row, record in enumerate(sizes):
        if row > start and (size + record > MOST_BYTES or row - start >= MOST_POINTS):
            yield _batch(points[start:row])
            start, size = row, 0
        size += record
    yield _batch(points[start:])


def _batch(points: Points) -> models.Batch:
    """Not looked at once more by the client's model: that takes as long as writing the JSON."""
    return models.Batch.model_construct(ids=[*points.ids], vectors=points.vectors.tolist(), payloads=[*points.payloads])


def _size(points: Points, row: int) -> int:
    payload = points.payloads[row]
    try:
        UUID(points.ids[row])
        return len(_encode(payload).encode()) + _BYTES_OF_A_FLOAT * int(points.vectors.shape[1])
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(
            "bad-payload",
            f"{document_name(payload)}: point {points.ids[row]} cannot be stored: {error}; expected a UUID and plain"
            " JSON values",
        ) from error
