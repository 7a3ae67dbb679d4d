"""Who may read what could not be brought up to date: its old records get its new readers all the same.

A document that cannot be read, whose text is refused or withheld, or for which the money was not enough, is served as
it was. Were its readers those of before, too, a rule that was made stricter would have been in vain.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from config.labels import READERS
from tasks.dedupe.diff import Changes, Known, diff_points, trusted_hint
from tasks.dedupe.identity import bookkeeping, payload_key, version_with
from tasks.keyed_vectors import KeyedVectors
from tasks.ledger.ledger import KnownDocument, KnownPoint
from tasks.ledger.quarantine import QuarantineEntry
from tasks.ledger.tables import LIVE, PENDING
from tasks.load.labels import Labelled, Verdict, remark_with, rule_in
from tasks.load.rules import Readers
from tasks.records import DocumentId, DocumentRef, EmbeddingKey, Payload, PointId
from tasks.session import Session
from tasks.slices import bounded, slices
from tasks.upsert.window import write_changes
from tasks.windows import DocumentChange, NewPoint, Quarantined

DOCUMENTS_AT_ONCE = 500
CHUNKS_A_SCAN = 50_000  # whose records are in memory together
FEW = 0.05  # of all chunks: reading their documents again takes less than looking for them in the collection


class Grant(NamedTuple):
    """Who may read a document from now on; `hint` is the new one of a document that is otherwise as it was.

    Without a hint it is served as it was, since it cannot be brought up to date, and is read again by the next run.
    """

    known: KnownDocument
    verdict: Verdict
    hint: str = ""

    @property
    def version(self) -> str:
        """That of the same document with these readers."""
        return version_with(self.verdict.readers, str(self.known.version))

    @property
    def changes_records(self) -> bool:
        """Whether these are other readers than before."""
        return self.version != self.known.version


Grants = Mapping[DocumentId, Grant]


def find_grants(session: Session, known: Known, changes: Changes, aside: Container[DocumentId]) -> Grants:
    """Those of the documents whose rules alone changed; without any that is told by the document itself, or a few.

    What is in quarantine is `aside`.
    """
    fingerprint = session.identity.fingerprint
    if session.pipeline.near_duplicates:  # other readers make other copies
        return {}
    grants: dict[DocumentId, Grant] = {}
    for ref in changes.ruled:
        source, document = session.sources[ref.source], known.documents[ref.id]
        is_served = document.chunks and "/" in str(document.version) and ref.id not in aside
        verdict = source.verdict(ref) if isinstance(source, Labelled) and is_served else None
        if verdict is not None:
            grants[ref.id] = Grant(document, verdict, trusted_hint(fingerprint, ref.hint))
    chunks = sum(one.known.chunks for one in grants.values() if one.changes_records)
    are_few = chunks and chunks < FEW * session.store.count()
    return {document: one for document, one in grants.items() if not (are_few and one.changes_records)}


def foreseen(grants: Grants) -> Sequence[DocumentChange]:
    """What `grant` would do, without the records."""
    return [replace(_same(document, one), is_unchanged=not one.changes_records) for document, one in grants.items()]


def grant(session: Session, grants: Grants) -> Iterator[Sequence[DocumentChange]]:
    """Give documents their new readers, part by part; what no record was found for is left to be read again."""
    same = [_same(document, one) for document, one in grants.items() if not one.changes_records]
    if same:
        session.ledger.flip(same)
        yield same
    yield from _give(session, {document: one for document, one in grants.items() if one.changes_records})


def give_readers(session: Session, refs: Sequence[DocumentRef]) -> int:
    """Rewrite the records of all that is listed and served as it was, and has other readers now; how many documents.

    Nothing is embedded, and no document is read. Where the rule stands in the document itself, it is not known. What a
    killed run has written of a new document goes.
    """
    return sum(bool(change.put) for changes in _give(session, _stale(session, refs)) for change in changes)


def _give(session: Session, grants: Grants) -> Iterator[Sequence[DocumentChange]]:
    documents, sizes = [*grants], [one.known.chunks for one in grants.values()]
    entries = session.ledger.quarantine_entries() if grants else {}
    for scan in bounded(sizes, CHUNKS_A_SCAN, CHUNKS_A_SCAN):
        part = {document: grants[document] for document in documents[scan]}
        payloads = _payloads(session, part)
        for some in slices([*payloads], DOCUMENTS_AT_ONCE):
            points = session.ledger.points(some)
            changes = [
                change for one in some if (change := _change(one, part[one], points.get(one, []), payloads[one]))
            ]
            _write(session, changes, _vectors(session, [payloads[document] for document in some]), entries)
            yield changes


def _payloads(session: Session, grants: Grants) -> dict[DocumentId, dict[PointId, Payload]]:
    """The records that are to be replaced."""
    payloads: dict[DocumentId, dict[PointId, Payload]] = {}
    for point, payload in session.store.scan():
        one = grants.get(_document(payload))
        if one is None or payload["metadata"].get(READERS) == [*one.verdict.readers]:
            continue
        book = bookkeeping(payload)  # a hash of all of it, which most records can be spared
        if book and (book.is_intact or not one.hint):
            payloads.setdefault(book.document, {})[point] = payload
    return payloads


def _document(payload: Payload) -> DocumentId:
    """Whose record it says it is; "" for none of ours."""
    record = payload.get("headrace")
    if not isinstance(record, dict) or not isinstance(payload.get("metadata"), dict):
        return DocumentId("")
    return DocumentId(str(record.get("document")))


def _stale(session: Session, refs: Sequence[DocumentRef]) -> Grants:
    """By document other readers than before, where they are known: to find records takes a look at all there are."""
    known, fingerprint = session.ledger.documents([ref.id for ref in refs]), session.identity.fingerprint
    grants: dict[DocumentId, Grant] = {}
    for ref in refs:
        source, document = session.sources[ref.source], known.get(ref.id)
        if document is None or not isinstance(source, Labelled):
            continue
        if not ref.hint or document.hint != trusted_hint(fingerprint, ref.hint):
            verdict = source.verdict(ref)
            if verdict is None and ref.hint and rule_in(ref.hint) != rule_in(document.hint):
                verdict = Verdict(())  # it is another one than before, and cannot be read
            if verdict is not None and (one := Grant(document, verdict)).changes_records:
                grants[ref.id] = one
    return grants


def _same(document: DocumentId, one: Grant) -> DocumentChange:
    """Nothing but the hint of the document is new, and perhaps why nobody may read it."""
    known = one.known
    return DocumentChange(
        id=document,
        source=known.source,
        version=one.version,
        hint=one.hint,
        chunks=known.chunks,
        tokens=known.tokens,
        is_unchanged=True,
        remark=remark_with(known.remark or "", one.verdict),
    )


def _change(
    document: DocumentId, one: Grant, points: Sequence[KnownPoint], former: Mapping[PointId, Payload]
) -> DocumentChange | None:
    """The document's records with their readers; None where the collection has not got them as they should be.

    What a killed run has half written goes.
    """
    payloads = _new_readers(former, one.verdict.readers)
    live = {point.id: point.key for point in points if point.state == LIVE}
    by_key = {str(payload["headrace"]["key"]): payload for point, payload in payloads.items() if point in live}
    if not any(point.state in (LIVE, PENDING) for point in points if point.id in payloads):
        return None
    stay = [key for point, key in live.items() if point not in payloads]
    if one.hint and (stay or len(by_key) != one.known.chunks):
        return None
    diff = diff_points([*by_key, *stay], points)
    put = tuple(NewPoint(point, key, _embedding(by_key[key]), 0, by_key[key], "") for key, point in diff.put.items())
    return replace(_same(document, one), put=put, doom=diff.doom, is_unchanged=False)


def _new_readers(payloads: Mapping[PointId, Payload], readers: Readers) -> dict[PointId, Payload]:
    new = {
        point: {**payload, "metadata": {**payload["metadata"], READERS: [*readers]}}
        for point, payload in payloads.items()
    }
    return {
        point: {**payload, "headrace": {**payload["headrace"], "key": payload_key(payload)}}
        for point, payload in new.items()
    }


def _write(
    session: Session,
    changes: Sequence[DocumentChange],
    vectors: KeyedVectors,
    entries: Mapping[DocumentId, QuarantineEntry],
) -> None:
    """What was in quarantine stays there."""
    write_changes(session.store, session.ledger, _Stored(vectors), changes)
    again = [
        Quarantined(change.id, entry.reason, entry.message, entry.hint, entry.version)
        for change in changes
        if (entry := entries.get(change.id))
    ]
    if again:
        session.ledger.quarantine(again)


class _Stored(NamedTuple):
    """Vectors as the store has them: the cache may have been thrown away."""

    vectors: KeyedVectors

    def get(self, _keys: Iterable[EmbeddingKey], /) -> KeyedVectors:
        return self.vectors


def _vectors(session: Session, payloads: Iterable[Mapping[PointId, Payload]]) -> KeyedVectors:
    embeddings = {point: _embedding(payload) for records in payloads for point, payload in records.items()}
    vectors = {embeddings[point]: vector for point, vector in session.store.vectors([*embeddings]).items()}
    return KeyedVectors([*vectors], np.stack([*vectors.values()]) if vectors else np.empty((0, 0), np.float32))


def _embedding(payload: Payload) -> EmbeddingKey:
    return EmbeddingKey(bytes.fromhex(payload["headrace"]["embedding"]))
