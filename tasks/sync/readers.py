"""Who may read what could not be brought up to date: its old records get its new readers all the same.

A document that cannot be read, whose text is refused or withheld, or for which the money was not enough, is served as
it was. Were its readers those of before, too, a rule that was made stricter would have been in vain.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from config.labels import READERS
from tasks.dedupe.diff import diff_points, trusted_hint
from tasks.dedupe.identity import bookkeeping, payload_key
from tasks.keyed_vectors import KeyedVectors
from tasks.ledger.ledger import KnownDocument, KnownPoint
from tasks.ledger.lookup import known_of
from tasks.ledger.tables import LIVE, PENDING
from tasks.load.labels import Labelled, labels_in
from tasks.load.rules import Readers
from tasks.records import DocumentId, DocumentRef, EmbeddingKey, Payload, PointId
from tasks.session import Session
from tasks.slices import slices
from tasks.upsert.window import write_changes
from tasks.windows import DocumentChange, NewPoint, Quarantined

DOCUMENTS_AT_ONCE = 500
DOCUMENTS_A_SCAN = 20_000  # whose records are in memory together


def give_readers(session: Session, refs: Iterable[DocumentRef]) -> int:
    """Rewrite the records of all that is listed and served as it was, and has other readers now; how many documents.

    Nothing is embedded, and no document is read. Where the rule stands in the document itself, it is not known.
    """
    readers = _stale(session, refs)
    return sum(_give(session, {one: readers[one] for one in part}) for part in slices([*readers], DOCUMENTS_A_SCAN))


def _give(session: Session, readers: Mapping[DocumentId, Readers]) -> int:
    payloads: dict[DocumentId, dict[PointId, Payload]] = {}
    for point, payload in session.store.scan():
        book = bookkeeping(payload)
        rule = readers.get(book.document) if book else None
        if book and rule is not None and payload["metadata"].get(READERS) != [*rule]:
            payloads.setdefault(book.document, {})[point] = payload
    changed = 0
    for part in slices([*payloads], DOCUMENTS_AT_ONCE):
        known, points = known_of(session.ledger, part), session.ledger.points(part)
        changes = [
            change
            for one in part
            if (change := _change(one, known[one], points.get(one, []), _new_readers(payloads[one], readers[one])))
        ]
        _write(session, changes, _vectors(session, [payloads[document] for document in part]))
        changed += len(changes)
    return changed


def _stale(session: Session, refs: Iterable[DocumentRef]) -> dict[DocumentId, Readers]:
    """Readers by document, where they are known."""
    known, fingerprint = session.ledger.documents(), session.identity.fingerprint
    readers: dict[DocumentId, Readers] = {}
    for ref in refs:
        source, document = session.sources[ref.source], known.get(ref.id)
        if document is None or not isinstance(source, Labelled):
            continue
        if not ref.hint or document.hint != trusted_hint(fingerprint, ref.hint):
            rule = source.readers_of(ref)
            if rule is None and ref.hint and labels_in(ref.hint) != labels_in(document.hint):
                rule = ()  # it is another one than before, and cannot be read
            if rule is not None:
                readers[ref.id] = rule
    return readers


def _change(
    document: DocumentId, known: KnownDocument, points: Sequence[KnownPoint], payloads: Mapping[PointId, Payload]
) -> DocumentChange | None:
    """The document's records with their readers; to be read again by the next run, for no version vouches for it.

    What a killed run has half written goes.
    """
    live = {point.id: point.key for point in points if point.state == LIVE}
    by_key = {str(payload["headrace"]["key"]): payload for point, payload in payloads.items() if point in live}
    if not any(point.state in (LIVE, PENDING) for point in points if point.id in payloads):
        return None
    stay = [key for point, key in live.items() if point not in payloads]
    diff = diff_points([*by_key, *stay], points)
    put = tuple(NewPoint(point, key, _embedding(by_key[key]), 0, by_key[key], "") for key, point in diff.put.items())
    return DocumentChange(
        id=document,
        source=known.source,
        version=f"{known.version}-readers",
        hint="",
        put=put,
        doom=diff.doom,
        chunks=known.chunks,
        tokens=known.tokens,
        is_new=False,
        is_emptied=False,
        is_unchanged=False,
        remark=known.remark or "",
    )


def _new_readers(payloads: Mapping[PointId, Payload], readers: Readers) -> dict[PointId, Payload]:
    new = {
        point: {**payload, "metadata": {**payload["metadata"], READERS: [*readers]}}
        for point, payload in payloads.items()
    }
    return {
        point: {**payload, "headrace": {**payload["headrace"], "key": payload_key(payload)}}
        for point, payload in new.items()
    }


def _write(session: Session, changes: Sequence[DocumentChange], vectors: KeyedVectors) -> None:
    """What was in quarantine stays there."""
    entries = session.ledger.quarantine_entries()
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
