"""Records in requests that the server takes: it refuses one of more than 32 MB."""

import json
from collections.abc import Iterator
from uuid import UUID

import numpy as np
import orjson
from qdrant_client import models

from tasks.records import Points
from tasks.slices import bounded
from tasks.upsert.vectors import unstorable

MOST_BYTES = 8 << 20
MOST_POINTS = 500
_BYTES_OF_A_FLOAT = 20  # at most, with its comma, written as JSON
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # made once: `dumps` makes one for every call


def batches(points: Points, most: int = MOST_POINTS) -> Iterator[models.Batch]:
    """Bounded by count and by bytes; one record may be larger, and is then alone.

    DocumentError names the document whose payload cannot be stored, before the first batch.
    """
    sizes = [_size(points, row) for row in range(len(points))]
    for part in bounded(sizes, most, MOST_BYTES):
        yield _batch(points[part])


def _batch(points: Points) -> models.Batch:
    """Not looked at once more by the client's model: that takes as long as writing the JSON.

    Floats are written as short as 32 bits can be, which nearly halves a request.
    """
    vectors = orjson.loads(orjson.dumps(np.ascontiguousarray(points.vectors), option=orjson.OPT_SERIALIZE_NUMPY))
    return models.Batch.model_construct(ids=[*points.ids], vectors=vectors, payloads=[*points.payloads])


def _size(points: Points, row: int) -> int:
    payload = points.payloads[row]
    try:
        UUID(points.ids[row])
        return len(_encode(payload).encode()) + _BYTES_OF_A_FLOAT * int(points.vectors.shape[1])
    except (TypeError, ValueError, RecursionError) as error:
        raise unstorable(payload, points.ids[row], error) from error
