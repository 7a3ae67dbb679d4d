"""Records as Pinecone keeps them: flat metadata, a text beside it, and as JSON text whatever it cannot hold.

A text that is too large for a record is there with its beginning, and the JSON text says how many parts are elsewhere.

A reader such as LangChain's PineconeVectorStore finds the text under `text` and the metadata's own fields beside it.
Numbers are floats there, so a whole one comes back as an integer, unless the JSON text says otherwise.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import orjson  # the SDK's own encoder, so a size that is measured is the size that is sent
from pinecone import Vector as Record

from tasks.errors import DocumentError
from tasks.records import Payload, PointId, Points
from tasks.slices import bounded
from tasks.upsert.vectors import document_name, unstorable

TEXT, BOOK, ODD = "text", "headrace", "headrace_odd"
PARTS = "parts"  # of a text that has no room in its record: how many there are elsewhere
MOST_METADATA_BYTES = 40 * 1024
_PART_BYTES = 40_000
_MOST_PARTS = 10**6
MOST_RECORDS = 1000  # of a request that writes
MOST_BYTES = 2_000_000  # of a request
ROUND_BYTES, NAMES_BYTES = 1000, 100  # of the request round its records, and of the names of a record's parts
_LONGEST_ID = 512
_PARTS = {"text", "metadata", "headrace"}
_EXACT = 2**53  # from here on a float is no longer every integer


def is_field(name: str) -> bool:
    """Whether Pinecone takes this name for a field, and we do not need it ourselves."""
    return bool(name) and not name.startswith("$") and name not in (TEXT, BOOK, ODD)


def as_records(points: Points) -> tuple[list[Record], dict[str, list[str]]]:
    """One for each id, the last where an id is there twice, and the parts of texts that have no room in their record.

    DocumentError names the document that cannot be stored.
    """
    # Numbers that are written as floats of 32 bits take little more than half the room.
    matrix = orjson.loads(orjson.dumps(np.ascontiguousarray(points.vectors), option=orjson.OPT_SERIALIZE_NUMPY))
    records: dict[str, Record] = {}
    rests: dict[str, list[str]] = {}
    for point, values, payload in zip(points.ids, matrix, points.payloads, strict=True):
        metadata, rest = _metadata(point, payload)
        records[point] = Record(point, values, metadata=metadata)
        rests[point] = rest
    return list(records.values()), {point: rest for point, rest in rests.items() if rest}


def batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Records in batches of what Pinecone takes in one request, by number and by bytes."""
    sizes = (len(orjson.dumps([one.id, one.values, one.metadata])) + NAMES_BYTES for one in records)
    for part in bounded(sizes, MOST_RECORDS, MOST_BYTES - ROUND_BYTES):
        yield records[part]


def as_payload(metadata: Mapping[str, Any] | None) -> Payload:
    """What `as_records` was given; a record that is not ours comes back as far as it can be told."""
    fields = {name: _whole(value) for name, value in (metadata or {}).items() if is_field(name)}
    stored = metadata or {}
    payload: Payload = {"text": stored[TEXT]} if TEXT in stored else {}
    book = book_of(stored)
    if fields or "metadata" in book:
        payload["metadata"] = fields | book.get("metadata", {})
    if "headrace" in book:
        payload["headrace"] = book["headrace"]
    return payload


def book_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the JSON text; nothing where it is not ours."""
    try:
        book = json.loads(metadata[BOOK])
    except (KeyError, TypeError, ValueError):
        return {}
    return book if isinstance(book, dict) else {}


def _metadata(point: PointId, payload: Payload) -> tuple[dict[str, Any], list[str]]:
    """What is kept in the record, and the parts of its text that are kept elsewhere."""
    rest: list[str] = []
    try:
        stored = _flat(payload)
        if len(orjson.dumps(stored)) > MOST_METADATA_BYTES and stored.get(TEXT):
            bare = len(orjson.dumps(_flat({**payload, "text": ""}, _MOST_PARTS)))
            first, *rest = _pieces(payload["text"], MOST_METADATA_BYTES - bare)
            stored = _flat({**payload, "text": first}, len(rest))
        size = len(orjson.dumps(stored))
        if not point.isascii() or not 0 < len(point) <= _LONGEST_ID:
            raise ValueError(f"an id has 1 to {_LONGEST_ID} ASCII characters")
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise unstorable(payload, point, error, "plain JSON values") from error
    if size > MOST_METADATA_BYTES:
        raise DocumentError(
            "too-large",
            f"{document_name(payload)}: the metadata of point {point} takes {size:,} bytes, and Pinecone keeps"
            f" {MOST_METADATA_BYTES:,} a record; exclude the document; nothing was written",
        )
    return stored, rest


def _pieces(text: str, room: int) -> Iterator[str]:
    """The text in parts, the first of `room` bytes as JSON has them, where a character takes six at most."""
    while text:
        lengths = [max(room // size, 1) for size in (1, 2, 3, 6)]
        length = next((one for one in lengths if len(orjson.dumps(text[:one])) - 2 <= room), lengths[-1])
        yield text[:length]
        text, room = text[length:], _PART_BYTES


def _flat(payload: Payload, parts: int = 0) -> dict[str, Any]:
    if payload.keys() - _PARTS:
        raise ValueError(f"a payload has the parts {sorted(_PARTS)}, not {sorted(payload)}")
    book: dict[str, Any] = {PARTS: parts} if parts else {}
    book |= {name: payload[name] for name in ("headrace",) if name in payload}
    stored: dict[str, Any] = {}
    if "metadata" in payload:
        metadata: dict[str, Any] = payload["metadata"]
        stored = {name: value for name, value in metadata.items() if is_field(name) and _is_plain(value)}
        odd = [name for name, value in metadata.items() if name not in stored and _is_comparable(value)]
        book["metadata"] = {n: value for n, value in metadata.items() if n not in stored or _whole(value) is not value}
        stored |= {ODD: odd} if odd else {}
    if "text" in payload:
        if not isinstance(payload["text"], str):
            raise ValueError(f"a text is a {type(payload['text']).__name__}")
        stored[TEXT] = payload["text"]
    stored[BOOK] = json.dumps(book, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return stored


def _is_plain(value: object) -> bool:
    """Whether Pinecone keeps the value, and compares it as we do."""
    match value:
        case bool() | str():
            return True
        case int():
            return abs(value) <= _EXACT
        case float():
            return isfinite(value)
        case list():
            return bool(value) and all(isinstance(item, str) for item in value)
        case _:
            return False


def _is_comparable(value: object) -> bool:
    """Whether some condition may hold for it."""
    return isinstance(value, str | int | float) or (isinstance(value, list) and bool(value))


def _whole(value: Any) -> Any:
    """A float without a fraction as the integer that it most likely was."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
