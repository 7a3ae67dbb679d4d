"""A payload in the form of a Chroma record, as LangChain and LlamaIndex read it, and back.

`text` is the document, and what Chroma can hold of `metadata` is the record's metadata. Chroma cannot hold all of it,
rounds some floats, and on a second upsert keeps the fields that are no longer there; so the field `headrace` holds the
payload without its text as one JSON text, and only that is read back.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tasks.records import Payload, PointId, Points
from tasks.upsert.vectors import unstorable

WHOLE = "headrace"
# Names of the metadata fields that a condition on Chroma's own fields cannot judge.
UNJUDGED = "headrace_unjudged"
_BITS_64 = range(-(2**63), 2**63)


class Record(NamedTuple):
    """What Chroma keeps beside id and vector; `size` in bytes, about."""

    document: str | None
    metadata: dict[str, Any]
    size: int


def as_record(point: PointId, payload: Payload) -> Record:
    """The record to write; DocumentError for a payload that is no plain JSON."""
    text = payload.get("text")
    rest = {name: value for name, value in payload.items() if name != "text" or not isinstance(text, str)}
    document = text if isinstance(text, str) else None
    try:
        whole = json.dumps(rest, separators=(",", ":"))
        size = len(whole) + len((document or "").encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise unstorable(payload, point, error, "plain JSON values") from error
    return Record(document, {**_own_fields(payload.get("metadata")), WHOLE: whole}, size)


def as_columns(points: Points, records: Sequence[Record]) -> dict[str, Any]:
    """The request that writes `points`, which `records` were made of."""
    rows = np.ascontiguousarray(points.vectors, dtype="<f4")
    return {
        "ids": list(points.ids),
        "embeddings": [base64.b64encode(row).decode() for row in rows],
        "documents": [record.document for record in records],
        "metadatas": [record.metadata for record in records],
    }


def as_payload(document: str | None, metadata: Mapping[str, Any] | None) -> Payload:
    """The payload as it was written; of a record that is not ours what can be read of it."""
    text: Payload = {} if document is None else {"text": document}
    try:
        rest = json.loads((metadata or {})[WHOLE])
    except (KeyError, TypeError, ValueError):
        rest = None
    return {**text, **(rest if isinstance(rest, dict) else {"metadata": dict(metadata or {})})}


def is_field(name: str) -> bool:
    """Whether Chroma can hold a metadata field of this name, and it is not one of ours."""
    return bool(name) and not name.startswith(("#", "$", "chroma:")) and name not in (WHOLE, UNJUDGED)


def _own_fields(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        return {}
    own = {name: value for name, value in metadata.items() if is_field(name) and _is_held(value)}
    unjudged = [name for name, value in metadata.items() if _is_comparable(value) and not _is_judged(own.get(name))]
    return {**own, UNJUDGED: unjudged} if unjudged else own


def _is_held(value: Any) -> bool:
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        return len(kinds) == 1 and kinds <= {str, bool, int, float} and all(_is_held(item) for item in value)
    if isinstance(value, float):
        return value - value == 0  # finite
    return isinstance(value, str) or (isinstance(value, int) and value in _BITS_64)


def _is_comparable(value: Any) -> bool:
    return value is not None and value != [] and not isinstance(value, dict)


def _is_judged(value: Any) -> bool:
    """Of lists, Chroma compares numbers by type and knows no ranges."""
    return value is not None and not (isinstance(value, list) and not isinstance(value[0], str | bool))
