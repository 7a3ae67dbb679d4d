"""What waits on disk, by shard, until a run comes to it."""

import pickle
import tempfile
import weakref
from typing import Generic, TypeVar

from tasks.records import DocumentId
from tasks.slices import shard_of

AT_A_TIME = 1000

Item = TypeVar("Item")


class Spool(Generic[Item]):
    """An unnamed temporary file, which is gone with the process and is for this account alone."""

    def __init__(self, shards: int) -> None:
        """OSError where the disk is full, here and when it is written to."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has it any more
        weakref.finalize(self, self._file.close)
        self._waiting: list[list[Item]] = [[] for _ in range(shards)]
        self._places: list[list[int]] = [[] for _ in range(shards)]

    def add(self, document: DocumentId, item: Item) -> None:
        """Keep what belongs to the document."""
        shard = shard_of(document, len(self._waiting))
        self._waiting[shard].append(item)
        if len(self._waiting[shard]) >= AT_A_TIME:
            self._places[shard].append(self._file.seek(0, 2))
            pickle.dump(self._waiting[shard], self._file, pickle.HIGHEST_PROTOCOL)
            self._waiting[shard] = []

    def read(self, shard: int) -> list[Item]:
        """All of a shard, as often as it is asked for."""
        items: list[Item] = []
        for place in self._places[shard]:
            self._file.seek(place)
            items += pickle.load(self._file)  # noqa: S301 - nobody else can write to the file
        return items + self._waiting[shard]
