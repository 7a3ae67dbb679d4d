"""Bugs of files, locks, names and the end."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from tasks.records import PointId, Points, Sentinel
from tasks.upsert.filters import PIPELINE
from tests.contracts.store import durability, records, sharing
from tests.contracts.store.mutants.breaks import breaks
from tests.contracts.store.toy import ReadableToy, ToyStore


@breaks(sharing.a_second_process_that_writes_is_refused_until_the_first_is_done)
class NoLock(ToyStore):
    """Several processes write to one file."""

    def hold(self) -> None:
        return


@breaks(sharing.closing_lets_others_in_and_a_closed_store_stays_out)
class LockKept(ToyStore):
    """Closing lets nobody in."""

    def close(self) -> None:
        self.is_closed = True
        if self.file is not None:
            self.file.close()


@breaks(sharing.others_read_what_the_one_process_that_writes_has_written)
class ReadsOnce(ReadableToy):
    """Who reads sees for ever what was there at first."""

    def read(self) -> None:
        if self.at == 0 or self.lock.file is not None:
            super().read()


@breaks(sharing.whoever_reads_gives_way_to_whoever_writes)
class ReaderInTheWay(ReadableToy):
    """Who reads keeps the lock until it is closed."""

    def read(self) -> None:
        ToyStore.hold(self)
        super().read()


@breaks(durability.what_was_acknowledged_outlives_a_killed_process)
class Unflushed(ToyStore):
    """An acknowledged write waits in this process."""

    def write(self, change: dict[str, Any]) -> None:
        assert self.file is not None
        self.file.write(json.dumps(change) + "\n")
        self.apply(change)


@breaks(durability.what_was_acknowledged_outlives_a_killed_process)
class WrittenAtTheEnd(ToyStore):
    """Nothing is on disk before the store is closed."""

    def __init__(self, database: str, collection: str) -> None:
        super().__init__(database, collection)
        self.waiting: list[dict[str, Any]] = []

    def write(self, change: dict[str, Any]) -> None:
        self.waiting.append(change)
        self.apply(change)

    def close(self) -> None:
        if self.file is not None:
            self.file.writelines(json.dumps(change) + "\n" for change in self.waiting)
        super().close()


class _Unwritten(ToyStore):
    """Some changes stay in memory."""

    lost = ""

    def write(self, change: dict[str, Any]) -> None:
        if self.lost in change:
            self.apply(change)
        else:
            super().write(change)


@breaks(durability.the_sentinel_is_there_after_opening_again)
class SentinelUnwritten(_Unwritten):
    """The mark is never on disk."""

    lost = "mark"


@breaks(durability.records_are_there_after_closing_and_opening_again)
class DeletesUnwritten(_Unwritten):
    """What was deleted is back in the next run."""

    lost = "delete"


@breaks(durability.the_dimension_is_there_after_opening_again)
class DimensionUnwritten(_Unwritten):
    """The next run takes any dimension."""

    lost = "dimension"

    def ensure(self, dimension: int, /) -> None:
        if self.opened() and self.dimension is None:
            self.dimension = dimension
        super().ensure(dimension)

    def check(self, points: Points) -> None:
        self.dimension = self.dimension or points.vectors.shape[1]
        super().check(points)


@breaks(records.the_sentinel_is_no_record)
class FirstSentinelStays(ToyStore):
    """A newer mark does not replace the older one."""

    def apply(self, change: dict[str, Any]) -> None:
        if "mark" not in change or not self.sentinels:
            super().apply(change)


@breaks(records.the_sentinel_is_no_record)
class SentinelIsARecord(ToyStore):
    """The mark lies among the records, and is counted."""

    def apply(self, change: dict[str, Any]) -> None:
        super().apply(change)
        if "mark" in change:
            self.records[PointId("mark")] = (np.ones(8, np.float32), {"text": "", "metadata": {}, "headrace": {}})


@breaks(durability.a_process_killed_while_it_writes_leaves_whole_records_and_a_sound_collection)
class TornLineInTheWay(ToyStore):
    """A line that a killed process left half written makes the rest unreadable."""

    def write(self, change: dict[str, Any]) -> None:
        assert self.file is not None
        line = json.dumps(change) + "\n"
        self.file.write(line[: len(line) // 2])
        self.file.flush()
        time.sleep(0.03)  # an unlucky moment, made likely
        self.file.write(line[len(line) // 2 :])
        self.file.flush()
        self.apply(change)

    def read(self) -> None:
        assert self.file is not None
        for line in self.file:
            self.apply(json.loads(line))


@breaks(durability.a_process_killed_while_it_writes_leaves_whole_records_and_a_sound_collection)
class TornLineKept(TornLineInTheWay):
    """It is passed over, and the next line is written right behind it."""

    def read(self) -> None:
        assert self.file is not None
        for line in self.file:
            try:
                self.apply(json.loads(line))
            except ValueError:
                continue


@breaks(durability.a_process_killed_while_it_writes_leaves_whole_records_and_a_sound_collection)
class HalfABatch(TornLineInTheWay):
    """A batch goes in in two parts, and a record may be there without its vector."""

    def write(self, change: dict[str, Any]) -> None:
        if "put" in change:
            bare = [(point, [0.0] * len(vector), {}) for point, vector, _ in change["put"]]
            ToyStore.write(self, {"put": bare})
            time.sleep(0.03)
        ToyStore.write(self, change)

    read = ToyStore.read


@breaks(sharing.collections_of_one_database_keep_apart)
class OneFileForAll(ToyStore):
    """Two collections of a database are one."""

    def file_of(self, database: str, collection: str) -> Path:
        return Path(database, "records.jsonl")


@breaks(sharing.collections_of_one_database_keep_apart)
class NamesThatMeet(ToyStore):
    """What a file name should not hold is replaced, so two names become one."""

    def file_of(self, database: str, collection: str) -> Path:
        return super().file_of(database, collection.replace("-", "_").replace(".", "_"))


@breaks(sharing.collections_of_one_database_keep_apart)
class ShortNames(ToyStore):
    """A database that takes names of up to 63 characters and cuts the rest off, as PostgreSQL does."""

    def file_of(self, database: str, collection: str) -> Path:
        return super().file_of(database, "a" if len(collection) > 63 else collection)


@breaks(durability.a_closed_store_refuses_every_call)
class UsableAfterClose(ToyStore):
    """A call after the end opens the collection again."""

    def close(self) -> None:
        super().close()
        self.is_closed = False
        self.forget()


@breaks(durability.closing_twice_is_no_error)
class ClosedTwice(ToyStore):
    """A second end is an error."""

    def close(self) -> None:
        if self.is_closed:
            raise ValueError("closed twice")
        super().close()


@breaks(durability.a_closed_store_refuses_every_call)
class MarkedFromAfar(ToyStore):
    """A store that is closed can still leave its mark."""

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        self.is_closed = False
        super().mark(sentinel, pipeline)


@breaks(sharing.every_pipeline_has_a_mark_of_its_own)
class OneMark(ToyStore):
    """The last one to mark has marked for all."""

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        super().mark(sentinel)

    def sentinel(self, pipeline: str = "", /) -> Sentinel | None:
        return super().sentinel()


@breaks(sharing.every_pipeline_has_a_mark_of_its_own)
class OthersMarksLost(ToyStore):
    """A mark takes the place of all others."""

    def apply(self, change: dict[str, Any]) -> None:
        if "mark" in change:
            self.sentinels.clear()
        super().apply(change)


@breaks(sharing.a_count_of_one_pipeline_leaves_out_the_others_records)
class CountsAll(ToyStore):
    """A count is of all records, whoever asks."""

    def count(self, pipeline: str = "", /) -> int:
        return super().count()


@breaks(sharing.a_count_of_one_pipeline_leaves_out_the_others_records)
class CountsBeginnings(ToyStore):
    """A pipeline whose name begins alike is counted, too."""

    def count(self, pipeline: str = "", /) -> int:
        self.opened()
        owners = [payload.get("metadata", {}).get(PIPELINE, "") for _, payload in self.records.values()]
        return sum(str(owner).startswith(pipeline) for owner in owners)
