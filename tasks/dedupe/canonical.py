"""Values as text in one form, and the hash of it."""

import hashlib
import json
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def encode_json(value: Any) -> str:
    """Equal values give equal texts."""
    return _ENCODER.encode(value)


def hashed(canonical: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
