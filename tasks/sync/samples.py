"""Samples of texts, taken from the records in the collection: all that is left of them where the ledger has none."""

from collections.abc import Container

from tasks.dedupe.identity import bookkeeping
from tasks.dedupe.near import joined, pairs_in, sample
from tasks.records import DocumentId
from tasks.upsert.base import VectorStore


def stored_samples(store: VectorStore, documents: Container[DocumentId]) -> dict[DocumentId, bytes]:
    """Those of these documents, in one pass over all records."""
    samples: dict[DocumentId, bytes] = {}
    for _, payload in store.scan():
        book = bookkeeping(payload)
        if book and book.document in documents:
            text, picture = str(payload.get("text", "")), payload["headrace"].get("image", "")
            known = samples.get(book.document, b"")
            samples[book.document] = joined(known, sample(pairs_in(text, picture)))
    return samples
