"""The marks of runs, in the payload of one record, which an overtaken run leaves as the newer one wrote them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from qdrant_client import models

from tasks.errors import NoCollectionError
from tasks.records import Sentinel
from tasks.upsert.marks import read_mark
from tasks.upsert.qdrant_server.collection import SENTINEL, mark_name
from tasks.upsert.qdrant_server.errors import UnindexedError
from tasks.upsert.qdrant_server.server import Server


class Marks:
    """Those of one collection, as far as one run has seen and written them."""

    def __init__(self, server: Server, collection: str) -> None:
        """Nothing is asked yet."""
        self._server, self._collection = server, collection
        self.is_there = False
        self._seen: dict[str, Sentinel] = {}

    def read(self, pipeline: str) -> Sentinel | None:
        """The newest mark; None where that is somebody else's, or there is no collection."""
        records: list[models.Record] = []
        with suppress(NoCollectionError), self._server.asked() as client:
            records = client.retrieve(self._collection, [SENTINEL], with_payload=True)
        self.is_there = bool(records)
        for record in records:
            payload: Mapping[str, Any] = record.payload or {}
            with suppress(KeyError, TypeError, ValueError):
                self._seen[pipeline] = read_mark(payload[mark_name(pipeline)])
                return self._seen[pipeline]
        return None

    def write(self, sentinel: Sentinel, pipeline: str) -> models.UpdateResult:
        """Replace one mark; the server itself keeps the other pipelines', which may write at the same time.

        A mark of this ledger that is newer than what this run has seen stays: the run was overtaken, which its ledger
        will say. A server that filters by indexed fields alone takes no such condition, and the mark is replaced.
        """
        marks = {mark_name(pipeline): asdict(sentinel)}
        result = self._replace(marks, self._unless_newer(sentinel, pipeline)) if self.is_there else self._make(marks)
        self.is_there, self._seen[pipeline] = True, sentinel
        return result

    def _make(self, marks: dict[str, Any]) -> models.UpdateResult:
        record = models.PointStruct(id=SENTINEL, vector={}, payload=marks)
        with self._server.asked() as client:
            return client.upsert(self._collection, [record], wait=True)

    def _replace(self, marks: dict[str, Any], where: models.Filter) -> models.UpdateResult:
        with suppress(UnindexedError), self._server.asked() as client:
            return client.set_payload(self._collection, marks, points=where, wait=True)
        with self._server.asked() as client:
            return client.set_payload(self._collection, marks, points=[SENTINEL], wait=True)

    def _unless_newer(self, sentinel: Sentinel, pipeline: str) -> models.Filter:
        seen = self._seen.get(pipeline)
        newest = max(sentinel.epoch, seen.epoch if seen and seen.lineage == sentinel.lineage else 0)
        path = json.dumps(mark_name(pipeline), ensure_ascii=False)
        same = models.FieldCondition(key=f"{path}.lineage", match=models.MatchValue(value=sentinel.lineage))
        newer = models.FieldCondition(key=f"{path}.epoch", range=models.Range(gt=newest))
        return models.Filter(
            must=[models.HasIdCondition(has_id=[SENTINEL])], must_not=[models.Filter(must=[same, newer])]
        )
