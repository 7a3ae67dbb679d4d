"""What waits on disk, by shard, until a run comes to it."""

import json
import tempfile
import weakref
from typing import Any

AT_A_TIME = 1000


class Spool:
    """Rows of JSON in an unnamed temporary file, which is gone with the process and is for this account alone."""

    def __init__(self, shards: int) -> None:
        """OSError where the disk is full, here and when it is written to."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has it any more
        weakref.finalize(self, self._file.close)
        self._waiting: list[list[Any]] = [[] for _ in range(shards)]
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(shards)]

    @property
    def shards(self) -> int:
        """So many."""
        return len(self._waiting)

    def add(self, shard: int, row: Any) -> None:
        """Keep a row for the shard."""
        self._waiting[shard].append(row)
        if len(self._waiting[shard]) >= AT_A_TIME:
            start, text = self._file.seek(0, 2), json.dumps(self._waiting[shard]).encode()
            self._file.write(text)
            self._places[shard].append((start, len(text)))
            self._waiting[shard] = []

    def read(self, shard: int) -> list[Any]:
        """All rows of a shard, as often as it is asked for; what was a tuple may be a list."""
        rows: list[Any] = []
        for start, size in self._places[shard]:
            self._file.seek(start)
            rows += json.loads(self._file.read(size))
        return rows + self._waiting[shard]
