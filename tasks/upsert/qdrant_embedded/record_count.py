"""How many records a collection has, known without opening it."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path


class RecordCount:
    """A note beside the shard: the count, and what its files looked like when the shard was closed.

    It is taken away before the shard is opened, so a process that dies leaves none; files that somebody else changed,
    lost or restored do not match it.
    """

    def __init__(self, generation: Path) -> None:
        """`generation` is the folder that holds `shard`."""
        self._note = generation / "records.json"
        self._shard = generation / "shard"

    def read(self) -> int | None:
        """The number in the note; None where only the engine can tell."""
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            return int(noted["records"]) if noted["files"] == self._looks() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self) -> None:
        """Drop the note, before the shard is opened."""
        self._note.unlink(missing_ok=True)

    def write(self, records: int) -> None:
        """Write the note, after the shard was closed; without it the next run asks the engine."""
        with suppress(OSError):
            self._note.write_text(json.dumps({"records": records, "files": self._looks()}) + "\n", encoding="utf-8")

    def _looks(self) -> str:
        """A digest of names, sizes and times."""
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(self._shard.rglob("*")):
            stat = path.stat()
            digest.update(f"{path.relative_to(self._shard)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()
