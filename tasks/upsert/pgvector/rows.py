r"""Records as rows: what of a payload PostgreSQL cannot hold as it is, it holds in other words.

It takes no NUL, neither in a text nor in JSON, and forgets that 1e+16 was a float. So a NUL is written as \x1a0, \x1a
as itself twice, and a large float without its exponent; metadata from a document may have either.
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from pgvector import Vector as StoredVector

from tasks.records import Payload, Points
from tasks.upsert.vectors import unstorable

Row = tuple[bytes | None, ...]  # as COPY takes them in binary form: id, text, vector, metadata, bookkeeping, tenant

_PARTS = {"text", "metadata", "headrace"}
_ESCAPE = "\x1a"
_WRITTEN = re.compile("\x1a([\x1a0])")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|-?[\d.]+e\+\d+')
_JSONB_VERSION = b"\x01"
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def as_rows(points: Points, tenant: str = "") -> list[Row]:
    """One for each id, in their order: writers that share ids then wait for each other, and never in a circle.

    With a `tenant`, the text in that field of the metadata is the last of each, "" for what is none. DocumentError
    names the document whose payload cannot be stored.
    """
    rows: dict[str, Row] = {}
    for point, vector, payload in zip(points.ids, points.vectors, points.payloads, strict=True):
        try:
            if payload.keys() - _PARTS:
                raise ValueError(f"a payload has the parts {sorted(_PARTS)}, not {sorted(payload)}")
            text = payload.get("text")
            rows[point] = (
                UUID(point).bytes,
                None if text is None else escaped(text).encode(),
                StoredVector(vector).to_binary(),
                _jsonb(payload.get("metadata")),
                _jsonb(payload.get("headrace")),
                *([_tenant(payload, tenant)] if tenant else []),
            )
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise unstorable(payload, point, error) from error
    return [rows[point] for point in sorted(rows)]


def _tenant(payload: Payload, field: str) -> bytes:
    held = (payload.get("metadata") or {}).get(field)
    return escaped(held).encode() if isinstance(held, str) else b""


def as_payload(columns: Sequence[Any]) -> Payload:
    """The payload of text, metadata and bookkeeping; a record that is not ours may lack some."""
    text, metadata, book = columns
    parts = {"text": None if text is None else restored(text), "metadata": metadata, "headrace": book}
    return {name: part for name, part in parts.items() if part is not None}


def encoded(value: object) -> str:
    """JSON that PostgreSQL takes and keeps; ValueError for what is no plain JSON."""
    text = _encode(value)
    if "e+" in text or "\\u0000" in text or "\\u001a" in text:
        return _TOKENS.sub(_storable, text)
    return text


def decoded(stored: str | bytes) -> Any:
    """What `encoded` was given."""
    text = stored if isinstance(stored, str) else stored.decode()
    if "\\u001a" in text:
        text = _TOKENS.sub(lambda token: _encode(restored(json.loads(token[0]))), text)
    return json.loads(text)


def escaped(text: str) -> str:
    """The text without NUL."""
    if "\x00" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, 2 * _ESCAPE).replace("\x00", f"{_ESCAPE}0")
    return text


def restored(text: str) -> str:
    """What `escaped` was given."""
    return _WRITTEN.sub(lambda found: _ESCAPE if found[1] == _ESCAPE else "\x00", text) if _ESCAPE in text else text


def _storable(token: re.Match[str]) -> str:
    is_text = token[0].startswith('"')
    return _encode(escaped(json.loads(token[0]))) if is_text else f"{Decimal(token[0]):f}.0"


def _jsonb(value: object) -> bytes | None:
    return None if value is None else _JSONB_VERSION + encoded(value).encode()
