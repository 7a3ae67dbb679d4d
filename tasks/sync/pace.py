"""How large the next window is: sized by time, bounded by memory."""

from collections.abc import Iterator, Sequence

from tasks.records import DocumentRef
from tasks.windows import Refs

AIM_SECONDS = 10.0
FIRST_DOCUMENTS = 64
MOST_DOCUMENTS = 2000
MOST_BYTES = 16_000_000


class Pace:
    """Aims at 10 s of work a window: at any speed the cost of a workflow engine's task runs then stays small."""

    def __init__(self) -> None:
        self._documents = FIRST_DOCUMENTS

    def windows(self, refs: Sequence[DocumentRef]) -> Iterator[Refs]:
        """Cut `refs`, in order; each cut obeys what `finished` has learnt so far."""
        start = 0
        while start < len(refs):
            end, size = start, 0
            while end < len(refs) and end - start < self._documents and (end == start or size < MOST_BYTES):
                size += refs[end].size_bytes
                end += 1
            yield Refs(refs[start:end])
            start = end

    def finished(self, documents: int, seconds: float) -> None:
        """Learn from a window: `seconds` is what its slowest stage took. The size grows at most fourfold at a time."""
        fitting = int(documents * AIM_SECONDS / max(seconds, 0.001))
        self._documents = max(FIRST_DOCUMENTS // 4, min(fitting, self._documents * 4, MOST_DOCUMENTS))
