"""The SHA-256 of large files, worked out again only when a file has changed: 0.1 s for each 100 MB of weights.

A digest is noted below the user's cache beside the file's size, times and number. The time of the last change of status
is one of them: no program can set it back.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tasks.system.file_system import RACY_NANOSECONDS, user_cache

BLOCK_BYTES = 1 << 22

Stamp = tuple[int, ...]


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits; OSError where the file cannot be read."""
    return _remembered(path.resolve(), _stamp(path))


@lru_cache(maxsize=256)
def _remembered(path: Path, stamp: Stamp) -> str:
    note = user_cache() / "digests" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["stamp"] == list(stamp):
            return str(noted["sha256"])
    digest = _computed(path)
    is_racy = time.time_ns() - max(stamp[1:3]) < RACY_NANOSECONDS
    if not is_racy and _stamp(path) == stamp:
        with suppress(OSError):
            _write(note, json.dumps({"stamp": stamp, "sha256": digest}))
    return digest


def _stamp(path: Path) -> Stamp:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def _computed(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _write(note: Path, text: str) -> None:
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = note.with_suffix(f".{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(note)
