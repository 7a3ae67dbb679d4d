"""Search as a server does it that keeps coarse vectors in memory, where there is no server to be asked."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from tasks.evaluate.exact import unit_vectors
from tasks.records import Hit, Payload, PointId, Query, Vectors
from tasks.session import Session
from tasks.upsert.base import VectorStore

OVERSAMPLING = {"int8": 2, "binary": 4}  # candidates for each that is asked for, as the server is asked
_QUANTILE = 0.99  # of the numbers lies between the first and the last of the 128 steps


def coarse(session: Session, precision: str) -> Session:
    """The same index, whose nearest are first looked for by coarse vectors, then compared by whole ones."""
    return replace(session, store=cast("VectorStore", _Coarse(session, precision)))


class _Coarse:
    """Asks the store for all but nearness."""

    def __init__(self, session: Session, precision: str) -> None:
        self._session = session
        self._precision = precision

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session.store, name)

    def search(self, query: Query, /) -> list[Hit]:
        if query.words or query.conditions:
            return self._session.store.search(query)
        ids, whole, low, high = self._vectors
        asked = np.asarray(query.vector / np.linalg.norm(query.vector), np.float32)[None, :]
        end = query.offset + query.limit
        likely = (self._rough @ self._rounded(asked, low, high)[0]).argsort()[::-1]
        first = likely[: end * OVERSAMPLING[self._precision]]
        scores = whole[first] @ asked[0]
        best = scores.argsort()[::-1][query.offset : end]
        return [Hit(ids[first[at]], float(scores[at]), self._payloads[ids[first[at]]]) for at in best]

    @cached_property
    def _vectors(self) -> tuple[Sequence[PointId], Vectors, float, float]:
        """With the bounds of the steps."""
        ids, whole = unit_vectors(self._session)
        tail = (1 - _QUANTILE) / 2
        low, high = np.quantile(whole, (tail, 1 - tail)) if whole.size else (0.0, 1.0)
        return ids, whole, float(low), float(high)

    @cached_property
    def _payloads(self) -> dict[PointId, Payload]:
        return dict(self._session.store.scan())

    @cached_property
    def _rough(self) -> Vectors:
        _, whole, low, high = self._vectors
        return self._rounded(whole, low, high)

    def _rounded(self, vectors: Vectors, low: float, high: float) -> Vectors:
        if self._precision == "binary":
            return np.where(vectors > 0, np.float32(1), np.float32(-1))
        step = (high - low) / 127 or 1.0
        steps: Vectors = np.round((np.clip(vectors, low, high) - low) / step)
        return (steps * step + low).astype(np.float32)
