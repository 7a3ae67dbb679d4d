"""What must change, as pure functions of what is and what should be: no clock, no file, no database."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from config.labels import NEAR
from tasks.dedupe.identity import point_id
from tasks.ledger.ledger import KnownDocument, KnownPoint
from tasks.ledger.quarantine import QuarantineEntry
from tasks.ledger.tables import LIVE, PENDING
from tasks.load.labels import without_rule
from tasks.records import Document, DocumentId, DocumentRef, FailedScope, PointId

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Changes:
    """`unchanged` are as the ledger knows them, `to_read` may have changed, `missing` were not listed.

    `ruled` would be unchanged, but for the rules that say who reads them: no other part of their hints differs.
    `unknown` were not listed either, but belong to a part of the source that could not be listed. `quarantined`
    have been so before, have not changed since, and are not due for another try.
    """

    unchanged: tuple[DocumentRef, ...]
    to_read: tuple[DocumentRef, ...]
    quarantined: tuple[DocumentRef, ...]
    missing: tuple[DocumentId, ...]
    unknown: tuple[DocumentId, ...]
    ruled: tuple[DocumentRef, ...] = ()

    @property
    def listed(self) -> int:
        """How many documents the sources list."""
        return len(self.unchanged) + len(self.to_read) + len(self.quarantined) + len(self.ruled)


@dataclass(frozen=True, slots=True)
class Copies:
    """The original of each near-duplicate, where they are looked for.

    `signatures` are those of documents that were read, and of all originals; `unsigned` documents are as the ledger
    knows them, but for the signature that it lacks.
    """

    are_dropped: bool = False  # left out of the collection
    originals: Mapping[DocumentId, DocumentId] = field(default_factory=dict[DocumentId, DocumentId])
    signatures: Mapping[DocumentId, bytes] = field(default_factory=dict[DocumentId, bytes])
    unsigned: Mapping[DocumentId, bytes] = field(default_factory=dict[DocumentId, bytes])

    def marked(self, document: Document) -> Document:
        """The document with the name of its original, where it has one; one that is left out has another version."""
        original = self.originals.get(document.ref.id)
        if original is None:
            return document
        left_out = {f"{NEAR}_left_out": True} if self.are_dropped else {}
        return replace(document, metadata={**document.metadata, NEAR: original, **left_out})


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knew when the run began, and samples of texts of which it has none."""

    documents: Mapping[DocumentId, KnownDocument]
    quarantine: Mapping[DocumentId, QuarantineEntry] = field(default_factory=dict[DocumentId, QuarantineEntry])
    samples: Mapping[DocumentId, bytes] = field(default_factory=dict[DocumentId, bytes])
    copies: Copies = field(default_factory=Copies)

    def of(self, wanted: Collection[DocumentId]) -> "Known":
        """The same of these documents alone."""

        def kept(part: Mapping[DocumentId, Item]) -> dict[DocumentId, Item]:
            return {document: part[document] for document in wanted if document in part}

        return Known(kept(self.documents), kept(self.quarantine), kept(self.samples), self.copies)

    def joined(self, other: "Known") -> "Known":
        """Both, of two shards: they have no document in common, and no copies."""
        documents, quarantine = {**self.documents, **other.documents}, {**self.quarantine, **other.quarantine}
        return Known(documents, quarantine, {**self.samples, **other.samples})


@dataclass(frozen=True, slots=True)
class PointDiff:
    """`put`: id by payload key, for every wanted point that is not LIVE. `doom`: ids that no longer belong."""

    put: Mapping[str, PointId]
    doom: tuple[PointId, ...]


def trusted_hint(fingerprint: str, hint: str) -> str:
    """The hint as it is stored: worth nothing once another identity would cut or embed the same text otherwise."""
    return f"{fingerprint}/{hint}" if hint else ""


def is_told_by_embeddings(before: KnownDocument, fingerprint: str) -> bool:
    """Whether they say what text it had: not where it was cut or embedded another way, or is half written."""
    return before.version is not None and (not before.hint or before.hint.startswith(fingerprint))


def find_changes(
    listed: Iterable[DocumentRef], known: Known, failed: Sequence[FailedScope], fingerprint: str
) -> Changes:
    """Sort every document, listed or known.

    listed | known | hint                             | result
    -------|-------|----------------------------------|-------------------------------
    yes    | any   | as when quarantined, and not due | quarantined
    yes    | no    | any                              | to_read
    yes    | dirty | any                              | to_read
    yes    | yes   | empty, or differs                | to_read
    yes    | yes   | differs behind the last +        | ruled
    yes    | yes   | equal, same identity             | unchanged
    no     | yes   | in a failed scope                | unknown (nothing happens to it)
    no     | yes   | in no failed scope               | missing (to be deleted, if the guard agrees)
    """
    unchanged: list[DocumentRef] = []
    to_read: list[DocumentRef] = []
    quarantined: list[DocumentRef] = []
    ruled: list[DocumentRef] = []
    seen: set[DocumentId] = set()
    for ref in listed:
        seen.add(ref.id)
        hint = trusted_hint(fingerprint, ref.hint)
        entry, document = known.quarantine.get(ref.id), known.documents.get(ref.id)
        if hint and entry is not None and entry.hint == hint and not entry.is_due:
            quarantined.append(ref)
        elif hint and document is not None and document.version is not None and document.hint == hint:
            unchanged.append(ref)
        elif document is not None and document.version and _same_but_rule(document.hint, hint):
            ruled.append(ref)
        else:
            to_read.append(ref)
    absent = [document for document in known.documents if document not in seen]
    unknown = within(absent, failed)
    hidden = set(unknown)
    missing = tuple(document for document in absent if document not in hidden)
    return Changes(tuple(unchanged), tuple(to_read), tuple(quarantined), missing, unknown, tuple(ruled))


def without_ruled(changes: Changes, granted: Container[DocumentId]) -> Changes:
    """The same where none is ruled but these; the others are to be read."""
    rest = tuple(ref for ref in changes.ruled if ref.id not in granted)
    ruled = tuple(ref for ref in changes.ruled if ref.id in granted)
    return replace(changes, to_read=changes.to_read + rest, ruled=ruled)


def _same_but_rule(before: str, hint: str) -> bool:
    return bool(rest := without_rule(hint)) and rest == without_rule(before)


def within(documents: Iterable[DocumentId], failed: Sequence[FailedScope]) -> tuple[DocumentId, ...]:
    """Those that lie in a part of a source that could not be listed."""
    prefixes = tuple(scope.prefix for scope in failed)
    return tuple(document for document in documents if document.startswith(prefixes)) if prefixes else ()


def diff_points(wanted: Sequence[str], points: Sequence[KnownPoint]) -> PointDiff:
    """Compare a document's wanted payload keys with its points in the ledger.

    wanted | state            | result
    -------|------------------|----------------------------------------------------------
    yes    | LIVE             | stays
    yes    | PENDING          | put again under the same id: same id means same content
    yes    | DOOMED, GONE     | put under the next life: a late delete may still hit the old id
    yes    | absent           | put, life 0
    no     | LIVE, PENDING    | doom
    no     | DOOMED, GONE     | already on its way out
    """
    live = {point.key: point.id for point in points if point.state == LIVE}
    pending = {point.key: point.id for point in points if point.state == PENDING}
    used = {point.id for point in points}
    put: dict[str, PointId] = {}
    for key in wanted:
        if key not in live:
            put[key] = pending.get(key) or _free_id(key, used)
    keep = {*put.values(), *(live[key] for key in wanted if key in live)}
    doom = tuple(p.id for p in points if p.state in (LIVE, PENDING) and p.id not in keep)
    return PointDiff(put, doom)


def _free_id(key: str, used: set[PointId]) -> PointId:
    life = 0
    while (candidate := point_id(key, life)) in used:
        life += 1
    return candidate
