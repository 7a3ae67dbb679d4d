"""Ledger against store: every id, every record's bookkeeping, and a sample of the vectors are read back."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from tasks.dedupe.identity import bookkeeping
from tasks.ledger.ledger import Owned, Row
from tasks.ledger.tables import GONE, LIVE, PENDING
from tasks.records import Bookkeeping, PointId, Vector
from tasks.session import Session

BATCH = 1000
LEAST_COSINE = 0.999  # what quantisation and rounding in a store may cost

_WRONG = ("missing", "unfinished", "orphaned", "stale", "duplicate", "wrong_space", "wrong_vector")

Item = TypeVar("Item")


@dataclass
class Findings:
    """By what is wrong with them; `foreign` records are not this pipeline's, and `owners` names whose they are."""

    missing: list[Owned] = field(default_factory=list[Owned])
    unfinished: list[Owned] = field(default_factory=list[Owned])
    orphaned: list[tuple[PointId, Bookkeeping]] = field(default_factory=list[tuple[PointId, Bookkeeping]])
    stale: list[Owned] = field(default_factory=list[Owned])
    duplicate: list[Owned] = field(default_factory=list[Owned])
    wrong_space: list[Owned] = field(default_factory=list[Owned])
    wrong_vector: list[Owned] = field(default_factory=list[Owned])
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


def audit(session: Session, sample: int) -> Findings:
    """Read the whole collection back; `sample` vectors are held against the cache.

    missing       the ledger says LIVE, the store has not got it
    unfinished    a run was to write it, but did not come so far: it died, or its document cannot be read
    orphaned      ours, but the ledger does not know it
    stale         the record's content is not what the ledger says was written under this id
    duplicate     a second record for one place in one document
    wrong_space   a vector of another model
    wrong_vector  not the vector that was paid for
    """
    rows = session.ledger.rows()
    found = Findings()
    held: set[PointId] = set()
    places: dict[tuple[str, int], PointId] = {}
    for point, payload in session.store.scan():
        held.add(point)
        found.records += 1
        book = bookkeeping(payload)
        if book is None or book.pipeline != session.pipeline.name:
            found.foreign.append(point)
            found.owners.update([book.pipeline] if book else [])
            continue
        row = rows.get(point)
        _judge(found, session, (point, book), row)
        place = (book.document, book.position)
        if row is not None and row.state == LIVE and places.setdefault(place, point) != point:
            found.duplicate.append((row.document, point))
    absent = [(point, row) for point, row in rows.items() if point not in held]
    found.missing = [(row.document, point) for point, row in absent if row.state == LIVE]
    found.unfinished = [(row.document, point) for point, row in absent if row.state == PENDING]
    _check_vectors(found, session, rows, _sample([point for point in held if point in rows], sample))
    return found


def _judge(found: Findings, session: Session, record: tuple[PointId, Bookkeeping], row: Row | None) -> None:
    point, book = record
    if row is None or row.state == GONE:
        found.orphaned.append((point, book))
    elif book.space != session.embedder.space.fingerprint:
        found.wrong_space.append((row.document, point))
    elif not book.is_intact or book.key != row.key:
        found.stale.append((row.document, point))


def _sample(points: Sequence[PointId], size: int) -> Sequence[PointId]:
    return points if len(points) <= size else random.sample(points, size)


def _check_vectors(found: Findings, session: Session, rows: Mapping[PointId, Row], sample: Sequence[PointId]) -> None:
    """What the cache does not hold can only be checked for being a direction at all."""
    for part in slices(sample):
        stored = session.store.vectors(part)
        paid = session.cache.get([rows[point].embedding for point in stored])
        found.sampled += len(stored)
        for point, vector in stored.items():
            if not _agrees(vector, paid.get(rows[point].embedding)):
                found.wrong_vector.append((rows[point].document, point))


def _agrees(stored: Vector, paid: Vector | None) -> bool:
    length = float(np.linalg.norm(stored))
    if not np.isfinite(length) or length == 0:
        return False
    if paid is None:
        return True
    return stored.shape == paid.shape and float(stored @ paid) >= LEAST_COSINE * length * float(np.linalg.norm(paid))


def repair(session: Session, found: Findings) -> int:
    """Mark what is wrong, so that the windows of this run write it again; returns how many points that are.

    Vectors of orphaned points were paid for: they go to the cache, so a ledger rebuilt from the store costs no tokens.
    """
    wrong = dict.fromkeys([*found.missing, *found.stale, *found.duplicate, *found.wrong_space, *found.wrong_vector])
    for part in slices(list(wrong)):
        session.ledger.suspect(part, [])
    for strays in slices(found.orphaned):
        _keep_vectors(session, strays)
        session.ledger.suspect([], strays)
    return len(wrong) + len(found.orphaned)


def _keep_vectors(session: Session, strays: Sequence[tuple[PointId, Bookkeeping]]) -> None:
    space = session.embedder.space.fingerprint
    wanted = {point: book.embedding for point, book in strays if book.space == space and book.is_intact}
    vectors = {point: vector for point, vector in session.store.vectors(list(wanted)).items() if _agrees(vector, None)}
    if vectors:
        keys = [wanted[point] for point in vectors]
        session.cache.put(keys, np.stack(list(vectors.values())), [0] * len(keys))


def slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Parts of at most BATCH items."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
