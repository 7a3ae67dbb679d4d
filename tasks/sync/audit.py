"""Ledger against store: every id, every record's bookkeeping, and a sample of the vectors are read back."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.identity import bookkeeping
from tasks.errors import MissingTextIndexError, NoTextIndexError
from tasks.ledger.ledger import Owned, Row, Stray
from tasks.ledger.tables import GONE, LIVE, PENDING
from tasks.records import Payload, PointId, Query, Vector
from tasks.session import Session
from tasks.slices import slices
from tasks.upsert.base import VectorStore
from tasks.upsert.vectors import cosine, has_direction
from tasks.upsert.words.index import state
from tasks.upsert.words.store import WordedStore

POINTS_AT_A_TIME = 1000
LEAST_COSINE = 0.999  # what quantisation and rounding in a store may cost

_WRONG = (
    "missing", "unfinished", "orphaned", "stale", "duplicate", "wrong_space", "wrong_vector", "disputed",
    "damaged_cache", "unworded",
)  # fmt: skip


@dataclass
class Findings:
    """Points by what is wrong with them; `foreign` records are not this pipeline's, `owners` names whose they are."""

    missing: list[Owned] = field(default_factory=list[Owned])
    unfinished: list[Owned] = field(default_factory=list[Owned])
    orphaned: list[Stray] = field(default_factory=list[Stray])
    stale: list[Owned] = field(default_factory=list[Owned])
    duplicate: list[Owned] = field(default_factory=list[Owned])
    wrong_space: list[Owned] = field(default_factory=list[Owned])
    wrong_vector: list[Owned] = field(default_factory=list[Owned])
    disputed: list[Owned] = field(default_factory=list[Owned])
    unworded: list[Owned] = field(default_factory=list[Owned])
    damaged_cache: list[Owned] = field(default_factory=list[Owned])
    foreign: list[PointId] = field(default_factory=list[PointId])
    owners: set[str] = field(default_factory=set[str])
    records: int = 0
    sampled: int = 0

    @property
    def ok(self) -> bool:
        """Foreign records are somebody else's concern."""
        return not any(getattr(self, name) for name in _WRONG)

    def as_json(self) -> dict[str, Any]:
        """The counts that `verify --json` promises."""
        counts = {name: len(getattr(self, name)) for name in (*_WRONG, "foreign")}
        return {"ok": self.ok, **counts, "records": self.records, "sampled": self.sampled}


def audit(session: Session, sample: int, *, anybodys: bool = False) -> Findings:
    """Read the whole collection back; `sample` vectors are compared with the cache.

    `anybodys`: records of other pipelines count as ours.

    missing        the ledger says LIVE, the store has not got it
    unfinished     a run was to write it, but did not come so far: it died, or its document cannot be read
    orphaned       ours, but the ledger does not know it
    stale          the record's content is not what the ledger says was written under this id
    duplicate      a second record for one place in one document
    wrong_space    a vector of another model
    wrong_vector   no vector, or another than the check sum of the cached one proves to be right
    disputed       another vector than the cached one, which has no check sum: either may be wrong
    damaged_cache  the cached vector is damaged, so nothing says what is right
    unworded       the index of words lacks the record, or has another text; all records where there is no index
    """
    pipeline = None if anybodys else session.pipeline.name
    words = session.store.states() if isinstance(session.store, WordedStore) else None
    if words is None and _lacks_words(session):
        words = {}
    one = Audit(session.ledger.rows(), pipeline, session.space.fingerprint, words)
    one.read_records(session.store.scan())
    one.read_vectors(session.store, session.cache, sample)
    return one.findings


class Audit:
    """One reading of a collection against `rows`, the points that the ledger knows."""

    def __init__(
        self,
        rows: Mapping[PointId, Row],
        pipeline: str | None,
        space: str,
        words: Mapping[PointId, bytes] | None = None,
    ) -> None:
        """Records of another `pipeline` are foreign, where one is named; `space` is the fingerprint of ours.

        `words` are the states of records in an index of words, None where the store keeps that right by itself.
        """
        self._words = words
        self.findings = Findings()
        self._rows = rows
        self._pipeline = pipeline
        self._space = space
        self._stored: set[PointId] = set()
        self._places: dict[tuple[str, int], PointId] = {}

    def read_records(self, records: Iterable[tuple[PointId, Payload]]) -> None:
        """Every record that the store holds, then what the ledger knows beside them."""
        for point, payload in records:
            self._stored.add(point)
            self._read_record(point, payload)
        absent = [(point, row) for point, row in self._rows.items() if point not in self._stored]
        self.findings.records = len(self._stored)
        self.findings.missing = [(row.document, point) for point, row in absent if row.state == LIVE]
        self.findings.unfinished = [(row.document, point) for point, row in absent if row.state == PENDING]

    def _read_record(self, point: PointId, payload: Payload) -> None:
        book, row = bookkeeping(payload), self._rows.get(point)
        if book is None and row is not None and row.state != GONE:  # our id, so somebody has changed our record
            self.findings.stale.append((row.document, point))
            return
        if book is None or self._pipeline not in (None, book.pipeline):
            self.findings.foreign.append(point)
            self.findings.owners.update([book.pipeline] if book else [])
            return
        if row is None or row.state == GONE:
            self.findings.orphaned.append(Stray(point, book))
        elif book.space != self._space:
            self.findings.wrong_space.append((row.document, point))
        elif not book.is_intact or book.key != row.key:
            self.findings.stale.append((row.document, point))
        if row is not None and self._words is not None and self._words.get(point) != state(payload):
            self.findings.unworded.append((row.document, point))
        place = (book.document, book.position)
        if row is not None and row.state == LIVE and self._places.setdefault(place, point) != point:
            self.findings.duplicate.append((row.document, point))

    def read_vectors(self, store: VectorStore, cache: EmbeddingCache, sample: int) -> None:
        """What the cache does not hold can only be checked for being a direction at all."""
        points = [point for point in self._stored if point in self._rows]
        chosen = points if len(points) <= sample else random.sample(points, sample)
        for part in slices(chosen, POINTS_AT_A_TIME):
            stored = store.vectors(part)
            held = cache.held([self._rows[point].embedding for point in stored])
            self.findings.sampled += len(stored)
            for point, vector in stored.items():
                row = self._rows[point]
                if row.embedding in held.damaged:
                    self.findings.damaged_cache.append((row.document, point))
                elif not agrees(vector, held.proven.get(row.embedding)):
                    self.findings.wrong_vector.append((row.document, point))
                elif not agrees(vector, held.unproven.get(row.embedding)):
                    self.findings.disputed.append((row.document, point))


def _lacks_words(session: Session) -> bool:
    """Whether the store's own index of words is gone; one that has none by its kind lacks nothing."""
    try:
        session.store.search(Query(np.zeros(session.space.dimension, np.float32), 1, words="word"))
    except MissingTextIndexError:
        return True
    except NoTextIndexError:
        pass
    return False


def agrees(stored: Vector, right: Vector | None) -> bool:
    """Whether the stored vector is a direction at all, and the right one where that is known."""
    if not has_direction(stored):
        return False
    return right is None or (stored.shape == right.shape and cosine(stored, right) >= LEAST_COSINE)


def repair(session: Session, findings: Findings, settled: Sequence[Owned] = ()) -> int:
    """Mark what is wrong, so that the windows of this run write it again; returns how many points that are.

    `settled` are disputed points that the model has decided about.

    Vectors of orphaned points were paid for: they go to the cache, so a ledger rebuilt from the store costs no tokens.
    """
    ledger, space = session.ledger, session.space.fingerprint
    wrong = [*findings.missing, *findings.stale, *findings.duplicate, *findings.wrong_space, *findings.wrong_vector]
    wrong += settled
    points = list(dict.fromkeys(wrong))
    for part in slices(points, POINTS_AT_A_TIME):
        ledger.mark_for_repair(part)
    for strays in slices(findings.orphaned, POINTS_AT_A_TIME):
        _keep_vectors(session.store, session.cache, [stray for stray in strays if stray.book.space == space])
        ledger.adopt(strays)
    if findings.unworded and isinstance(session.store, WordedStore):
        session.store.restore()
    elif findings.unworded:
        session.store.expect(0)  # `ensure` has made the index, or the embedded engine does it now
    return len(points) + len(findings.orphaned) + len(findings.unworded)


def _keep_vectors(store: VectorStore, cache: EmbeddingCache, strays: Sequence[Stray]) -> None:
    keys = {stray.id: stray.book.embedding for stray in strays if stray.book.is_intact}
    vectors = {point: vector for point, vector in store.vectors(list(keys)).items() if agrees(vector, None)}
    if vectors:
        cache.missing(keys[point] for point in vectors)  # meets the damaged ones, so that they are replaced
        cache.put([keys[point] for point in vectors], np.stack(list(vectors.values())), [0] * len(vectors))
