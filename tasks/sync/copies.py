"""Near-duplicates: which documents are copies, before any of their texts is paid for.

What a run does about them is worked out anew from the signatures of all documents, so it does not matter in which order
they came. Documents whose signature is not known are read for it; all others cost nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from config.copies import NearDuplicates
from tasks.dedupe.copies import Signed, originals, signature
from tasks.dedupe.diff import Changes, Copies, Known
from tasks.dedupe.identity import readers_mark
from tasks.ledger.copies import known_copies, remember_signatures, stored_signatures, widespread
from tasks.load.window import load_window
from tasks.records import Document, DocumentId, DocumentRef
from tasks.runners.pace import Pace
from tasks.session import Session
from tasks.windows import DocumentChange, Refs

MOST = 0.5  # of the documents: what more have is the frame of a page, not its content


def find_copies(session: Session, known: Known, changes: Changes) -> tuple[Known, Changes]:
    """Known copies, and with the changes those of documents that are treated otherwise from now on."""
    wanted, recorded = session.pipeline.near_duplicates, known_copies(session.ledger)
    if wanted is None and not recorded:
        return known, changes
    copies = _worked_out(session, changes, wanted) if wanted else Copies()
    affected = {
        ref.id
        for ref in changes.unchanged
        if recorded.get(ref.id) != copies.originals.get(ref.id)
        or (ref.id in recorded and bool(known.documents[ref.id].chunks) is copies.are_dropped)
    }
    return replace(known, copies=copies), replace(
        changes,
        unchanged=tuple(ref for ref in changes.unchanged if ref.id not in affected),
        to_read=(*changes.to_read, *(ref for ref in changes.unchanged if ref.id in affected)),
    )


def _worked_out(session: Session, changes: Changes, wanted: NearDuplicates) -> Copies:
    stored, missing = stored_signatures(session.ledger), {*changes.missing}
    unread = [ref for ref in changes.unchanged if ref.id not in stored]
    signed = _read(session, [*changes.to_read, *unread])
    aside = {ref.id for ref in (*changes.to_read, *changes.quarantined)} - signed.keys()
    documents = {
        document: Signed(one.signature, one.version.partition("/")[2])
        for document, one in stored.items()
        if document not in missing and (one.is_served or document not in aside)
    } | signed
    first = originals(documents, wanted.threshold)
    signatures = {document: one.signature for document, one in documents.items() if document in signed}
    signatures |= {original: documents[original].signature for original in first.values()}
    unsigned = {ref.id: signed[ref.id].signature for ref in unread if ref.id in signed}
    return Copies(wanted.action == "drop", first, signatures, unsigned)


def _read(session: Session, refs: Sequence[DocumentRef]) -> dict[DocumentId, Signed]:
    """Without those that cannot be read: the windows tell of them."""
    signed: dict[DocumentId, Signed] = {}
    for window in Pace().windows(refs):
        for document in load_window(session.sources, _Nothing(), Refs(window.refs)).documents:
            text = "" if document.image else document.text
            signed[document.ref.id] = Signed(signature(text), readers_mark(document))
    return signed


class _Nothing:
    """Every document is read."""

    def is_current(self, _document: Document, /) -> bool:
        return False


def remember(session: Session, copies: Copies) -> None:
    """Keep what the next run compares with; called with the lease."""
    if copies.unsigned:
        remember_signatures(session.ledger, copies.unsigned)


def without_original(session: Session, copies: Copies, changes: Sequence[DocumentChange]) -> set[DocumentId]:
    """Copies that are not to be left out now, for their original is not in the collection as it was compared."""
    stored = stored_signatures(session.ledger) if changes else {}
    there = {
        document
        for document, one in stored.items()
        if one.is_served and one.signature == copies.signatures.get(document)
    }
    return {change.id for change in changes if change.original not in there}


def frame_note(session: Session) -> str:
    """What most documents have in common, word by word; "" for nothing."""
    rows = widespread(session.ledger, MOST)
    if not rows:
        return ""
    document, count = rows[0]
    many = "1 chunk stands" if len(rows) == 1 else f"{len(rows):,} chunks stand"
    return f"{many} in more than half of the documents, one of {document} in {count:,}; its vector was paid for once"
