"""Cuts one window of documents into chunks."""

import time
from collections.abc import Sequence

from tasks.chunk.base import Chunker
from tasks.errors import DocumentError
from tasks.records import Chunk, Document
from tasks.system.file_system import escaped
from tasks.windows import Chunked, Loaded, Quarantined


def chunk_window(chunker: Chunker, loaded: Loaded) -> Chunked:
    """All texts of the window in one call, so that the tokenizer works in large batches; a picture is one chunk.

    A document that the chunker refuses is set aside.
    """
    started = time.perf_counter()
    texts = iter(_split(chunker, [document for document in loaded.documents if not document.image]))
    chunks = [[Chunk(one.text, 0, 0)] if one.image else next(texts) for one in loaded.documents]
    cut = [(one, own) for one, own in zip(loaded.documents, chunks, strict=True) if not isinstance(own, DocumentError)]
    if len(cut) < len(chunks):
        refused = [
            Quarantined(one.ref.id, own.reason, escaped(str(own)), one.ref.hint)
            for one, own in zip(loaded.documents, chunks, strict=True)
            if isinstance(own, DocumentError)
        ]
        loaded = Loaded(loaded.tally, [one for one, _ in cut], loaded.touched, [*loaded.failures, *refused])
    loaded.tally.chunk_seconds = time.perf_counter() - started
    return Chunked(loaded, [own for _, own in cut])


def _split(chunker: Chunker, documents: Sequence[Document]) -> Sequence[list[Chunk] | DocumentError]:
    """Each alone where one of them is refused, to know which."""
    try:
        return chunker.split(documents)
    except DocumentError as error:
        if len(documents) == 1:
            return [error]
    return [chunks for document in documents for chunks in _split(chunker, [document])]
