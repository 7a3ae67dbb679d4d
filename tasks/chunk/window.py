"""Cuts one window of documents into chunks."""

import time

from tasks.chunk.base import Chunker
from tasks.windows import Chunked, Loaded


def chunk_window(chunker: Chunker, loaded: Loaded) -> Chunked:
    """All documents of the window in one call, so that the tokenizer works in large batches."""
    started = time.perf_counter()
    chunks = chunker.split(loaded.documents)
    loaded.tally.chunk_seconds = time.perf_counter() - started
    return Chunked(loaded, chunks)
