"""How large the next window is: sized by time, with enough chunks to sort by length, bounded by memory."""

import math
from collections.abc import Iterator, Sequence

from tasks.records import DocumentRef
from tasks.windows import Refs

AIM_SECONDS = 10.0
FIRST_DOCUMENTS = 64
MOST_DOCUMENTS = 2000
FIRST_BYTES = 1_000_000
MOST_BYTES = 8_000_000
# Texts are batched by length within their window: with 1,024 of them padding costs 3 %, with 256 it costs 9 %.
LEAST_TEXTS = 1024
MOST_CHUNKS = 2048  # larger windows leave the other stages idle at the start and the end of a run
MOST_CHUNKS_TRACKED = 8192  # where each window costs a workflow engine five task runs


class Pace:
    """Aims at 10 s of work a window: at any speed the cost of a workflow engine's task runs then stays small."""

    def __init__(self, most_chunks: int = MOST_CHUNKS) -> None:
        """`most_chunks` bounds a window from above."""
        self._most_chunks = most_chunks
        self._documents = FIRST_DOCUMENTS
        self._is_informed = False

    def windows(self, refs: Sequence[DocumentRef]) -> Iterator[Refs]:
        """Cut `refs`, in order; each cut obeys what `finished` has learnt so far."""
        start = 0
        while start < len(refs):
            end, size = start, 0
            while end < len(refs) and self._has_room(end - start, size):
                size += refs[end].size_bytes
                end += 1
            yield Refs(refs[start:end])
            start = end

    def finished(self, documents: int, seconds: float, texts: int, chunks: int) -> None:
        """Learn from a window: `seconds` is what its slowest stage took; of its `chunks`, so many texts were embedded.

        The size grows at most fourfold at a time.
        """
        self._is_informed = True
        fitting = int(documents * AIM_SECONDS / max(seconds, 0.001))
        least = math.ceil(LEAST_TEXTS * documents / texts) if texts else 1
        most = self._most_chunks * documents // chunks if chunks else MOST_DOCUMENTS
        wanted = max(least, min(fitting, self._documents * 4))
        self._documents = max(1, min(wanted, most, MOST_DOCUMENTS))

    def _has_room(self, documents: int, size: int) -> bool:
        if not documents:
            return True
        if size >= MOST_BYTES or documents >= MOST_DOCUMENTS:
            return False
        # Before anything is known, a window of small files gets as many as are likely to make enough chunks.
        return documents < self._documents or (not self._is_informed and 0 < size < FIRST_BYTES)
