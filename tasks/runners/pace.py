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
MOST_CHUNKS = 8192  # large commits suit a large ledger, and a workflow engine that is paid by the window
MOST_AT_FIRST = 2048  # in a short run the other stages would be idle while the first and the last window are on the way
PART = 8  # a window may hold this part of all that is done
LEFT = 4  # or this part of what is left: the last windows are short, for little else runs while they are written


class Pace:
    """Aims at 10 s of work a window: at any speed the cost of a workflow engine's task runs then stays small."""

    def __init__(self, most_at_first: int = MOST_AT_FIRST) -> None:
        """`most_at_first` bounds the chunks of a window from above until many are done."""
        self._most_at_first = most_at_first
        self._done = 0
        self._documents = FIRST_DOCUMENTS
        self._least = FIRST_DOCUMENTS
        self._is_informed = False

    def windows(self, refs: Sequence[DocumentRef]) -> Iterator[Refs]:
        """Cut `refs`, in order; each cut obeys what `finished` has learnt so far."""
        start = 0
        while start < len(refs):
            end, size = start, 0
            most = min(self._documents, max(self._least, (len(refs) - start) // LEFT))
            while end < len(refs) and self._has_room(end - start, size, most):
                size += refs[end].size_bytes
                end += 1
            yield Refs(refs[start:end])
            start = end

    def finished(self, documents: int, seconds: float, texts: int, chunks: int) -> None:
        """Learn from a window: `seconds` is what its slowest stage took; of its `chunks`, so many texts were embedded.

        The size grows at most fourfold at a time.
        """
        self._is_informed = True
        self._done += chunks
        fitting = int(documents * AIM_SECONDS / max(seconds, 0.001))
        least = math.ceil(LEAST_TEXTS * documents / texts) if texts else 1
        room = max(self._most_at_first, min(self._done // PART, MOST_CHUNKS))
        most = room * documents // chunks if chunks else MOST_DOCUMENTS
        wanted = max(least, min(fitting, self._documents * 4))
        self._documents = max(1, min(wanted, most, MOST_DOCUMENTS))
        self._least = max(least, FIRST_DOCUMENTS)

    def _has_room(self, documents: int, size: int, most: int) -> bool:
        if not documents:
            return True
        if size >= MOST_BYTES or documents >= MOST_DOCUMENTS:
            return False
        # Before anything is known, a window of small files gets as many as are likely to make enough chunks.
        return documents < most or (not self._is_informed and 0 < size < FIRST_BYTES)
