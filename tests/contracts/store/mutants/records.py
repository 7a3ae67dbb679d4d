"""Bugs of what is written, and of what it is read as."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tasks.errors import HeadraceError
from tasks.records import Payload, PointId, Points
from tests.contracts.store import payloads, records, refusals
from tests.contracts.store.mutants.breaks import breaks
from tests.contracts.store.toy import ToyStore


@breaks(records.an_upsert_of_a_held_id_replaces_payload_and_vector)
class OldPayloadKept(ToyStore):
    """A held id keeps what it has."""

    def apply(self, change: dict[str, Any]) -> None:
        new = [row for row in change.get("put", ()) if row[0] not in self.records]
        super().apply({**change, "put": new})


@breaks(records.an_upsert_of_a_held_id_replaces_payload_and_vector)
class OldVectorKept(ToyStore):
    """A held id gets the new payload alone."""

    def apply(self, change: dict[str, Any]) -> None:
        old = {row[0]: self.records[row[0]][0] for row in change.get("put", ()) if row[0] in self.records}
        super().apply(change)
        for point, vector in old.items():
            self.records[point] = (vector, self.records[point][1])


@breaks(records.an_upsert_is_idempotent)
class CountsWrites(ToyStore):
    """The count is of what was written, not of what is there."""

    written = 0

    def apply(self, change: dict[str, Any]) -> None:
        super().apply(change)
        self.written += len(change.get("put", ())) - len(change.get("delete", ()))

    def count(self, pipeline: str = "", /) -> int:
        return super().count(pipeline) and self.written


@breaks(records.a_delete_of_a_missing_id_is_no_error)
class MissingIdIsAnError(ToyStore):
    """A delete of what is not there fails."""

    def delete(self, ids: Sequence[PointId], /) -> None:
        if len(self.present(ids)) < len(set(ids)):
            raise KeyError(ids)
        super().delete(ids)


@breaks(records.a_delete_of_a_missing_id_is_no_error)
class DeleteStopsAtMissing(ToyStore):
    """A delete ends at the first id that is not there."""

    def delete(self, ids: Sequence[PointId], /) -> None:
        held = self.present(ids)
        known = [point in held for point in ids]
        super().delete(ids[: known.index(False)] if False in known else ids)


@breaks(records.a_delete_of_a_missing_id_is_no_error)
class RemembersPresence(ToyStore):
    """`present` answers from what this object has written."""

    def __init__(self, database: str, collection: str) -> None:
        super().__init__(database, collection)
        self.seen: set[PointId] = set()

    def upsert(self, points: Points, /) -> None:
        super().upsert(points)
        self.seen.update(points.ids)

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        self.opened()
        return self.seen & set(ids)


@breaks(records.a_scan_shows_what_was_written_since_the_last_one)
class ScanOfTheOpening(ToyStore):
    """A scan is remembered, and shows what was there at the first one."""

    first: list[tuple[PointId, Payload]] | None = None

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        if self.first is None:
            self.first = list(super().scan())
        yield from self.first


@breaks(records.many_records_at_once_are_all_there_and_scanned_once)
class FirstPageOnly(ToyStore):
    """A scan ends with the first page."""

    def scan(self) -> Iterator[tuple[PointId, Payload]]:
        yield from list(super().scan())[:1000]


@breaks(records.many_records_at_once_are_all_there_and_scanned_once)
class LargeBatchCut(ToyStore):
    """A request takes so many, and the rest is lost."""

    def upsert(self, points: Points, /) -> None:
        super().upsert(points[:2048])


@breaks(records.many_records_at_once_are_all_there_and_scanned_once)
class LargeDeleteCut(ToyStore):
    """A request takes so many, and the rest is lost."""

    def delete(self, ids: Sequence[PointId], /) -> None:
        super().delete(ids[:1000])


@breaks(refusals.a_bad_vector_is_refused_before_anything_is_written)
class BadVectorsTaken(ToyStore):
    """Anything is a vector."""

    def check(self, points: Points) -> None:
        return


@breaks(refusals.a_bad_vector_is_refused_before_anything_is_written)
class BadVectorsFoundLate(ToyStore):
    """The good records before a bad one are written."""

    def upsert(self, points: Points, /) -> None:
        for start in range(0, len(points), 500):
            super().upsert(points[start : start + 500])


@breaks(records.records_come_back_as_they_were_written)
class HalfPrecision(ToyStore):
    """Vectors lose their digits."""

    def apply(self, change: dict[str, Any]) -> None:
        put = [(point, np.float16(vector), payload) for point, vector, payload in change.get("put", ())]
        super().apply({**change, "put": put})


class _Payloads(ToyStore):
    """Payloads are not what they were."""

    def changed(self, payload: Payload) -> Payload:
        raise NotImplementedError

    def apply(self, change: dict[str, Any]) -> None:
        put = [(point, vector, self.changed(payload)) for point, vector, payload in change.get("put", ())]
        super().apply({**change, "put": put})


@breaks(payloads.an_odd_payload_comes_back_whole)
class NothingDropped(_Payloads):
    """Fields without a value are gone."""

    def changed(self, payload: Payload) -> Payload:
        kept = {key: value for key, value in payload.get("metadata", {}).items() if value not in (None, "", [])}
        return {**payload, "metadata": kept}


@breaks(payloads.an_odd_payload_comes_back_whole)
class NumbersAreFloats(_Payloads):
    """A database that knows one kind of number, as Pinecone does."""

    def changed(self, payload: Payload) -> Payload:
        numbers = {key: float(value) for key, value in payload.get("metadata", {}).items() if type(value) is int}
        return {**payload, "metadata": {**payload.get("metadata", {}), **numbers}}


@breaks(payloads.an_odd_payload_comes_back_whole)
class AsciiOnly(_Payloads):
    """What is not ASCII is replaced."""

    def changed(self, payload: Payload) -> Payload:
        return {**payload, "text": payload["text"].encode("ascii", "replace").decode()}


@breaks(payloads.an_odd_payload_comes_back_whole)
class LongTextsCut(_Payloads):
    """A column takes so many characters."""

    def changed(self, payload: Payload) -> Payload:
        return {**payload, "text": payload["text"][:65_535]}


@breaks(payloads.an_odd_payload_comes_back_whole)
class BookkeepingLost(_Payloads):
    """Only what searches show is kept."""

    def changed(self, payload: Payload) -> Payload:
        return {key: value for key, value in payload.items() if key != "headrace"} | {"headrace": {"document": "?"}}


@breaks(refusals.a_collection_that_was_not_ensured_is_empty_and_refuses_points)
class QuietlyMade(ToyStore):
    """A write makes the collection where none is."""

    def upsert(self, points: Points, /) -> None:
        self.ensure(points.vectors.shape[1])
        super().upsert(points)


@breaks(refusals.another_dimension_is_refused_even_while_the_collection_is_empty)
class AnyDimensionWhileEmpty(ToyStore):
    """Only records fix the dimension."""

    def ensure(self, dimension: int, /) -> None:
        if self.opened() and not self.records:
            self.dimension = dimension
        super().ensure(dimension)


@breaks(refusals.a_bad_vector_is_refused_before_anything_is_written)
class ForeignErrors(ToyStore):
    """What goes wrong is told in the words of a library."""

    def upsert(self, points: Points, /) -> None:
        try:
            super().upsert(points)
        except HeadraceError as error:
            raise RuntimeError(str(error)) from error


@breaks(records.calls_from_several_threads_are_all_carried_out)
class NotThreadSafe(ToyStore):
    """Two threads at once write over one another's change."""

    def upsert(self, points: Points, /) -> None:
        held = dict(self.records)
        time.sleep(0.001)
        super().upsert(points)
        self.records = held | {point: self.records[point] for point in points.ids}
