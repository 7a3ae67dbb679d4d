"""Cuts one window of documents into chunks."""

import time

from tasks.chunk.base import Chunker
from tasks.records import Chunk
from tasks.windows import Chunked, Loaded


def chunk_window(chunker: Chunker, loaded: Loaded) -> Chunked:
    """All texts of the window in one call, so that the tokenizer works in large batches; a picture is one chunk."""
    started = time.perf_counter()
    texts = iter(chunker.split([document for document in loaded.documents if not document.image]))
    chunks = [[Chunk(one.text, 0, 0)] if one.image else next(texts) for one in loaded.documents]
    loaded.tally.chunk_seconds = time.perf_counter() - started
    return Chunked(loaded, chunks)
