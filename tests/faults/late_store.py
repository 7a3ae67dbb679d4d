"""A store whose writes show only some operations later, as those of a distributed store do."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tasks.records import PointId, Points, Sentinel
from tasks.upsert.base import VectorStore
from tasks.upsert.memory import MemoryStore

OPERATIONS = 2


class LateStore(MemoryStore):
    """Writes land in their order, each after so many more operations of any kind."""

    def __init__(self) -> None:
        super().__init__()
        self._coming: deque[tuple[int, Callable[[], None]]] = deque()
        self._operations = 0

    def upsert(self, points: Points, /) -> None:
        self._later(lambda: MemoryStore.upsert(self, points))

    def delete(self, ids: Sequence[PointId], /) -> None:
        self._later(lambda: MemoryStore.delete(self, ids))

    def mark(self, sentinel: Sentinel, pipeline: str = "", /) -> None:
        self._later(lambda: MemoryStore.mark(self, sentinel, pipeline))

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        self._tick()
        return super().present(ids)

    def flush(self) -> None:
        """Everything lands."""
        while self._coming:
            self._coming.popleft()[1]()

    def _later(self, write: Callable[[], None]) -> None:
        self._tick()
        self._coming.append((self._operations + OPERATIONS, write))

    def _tick(self) -> None:
        self._operations += 1
        while self._coming and self._coming[0][0] <= self._operations:
            self._coming.popleft()[1]()


def flush(store: VectorStore) -> None:
    """Let a late store catch up; others have nothing to catch up with."""
    late: Any = store
    if isinstance(late, LateStore):
        late.flush()
