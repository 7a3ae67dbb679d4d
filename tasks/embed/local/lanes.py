"""One window of texts through a model: batches of similar length, several at a time, smaller when memory runs out."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.embed.local.batch_size import BatchSize
from tasks.embed.local.runtime.device import is_out_of_memory
from tasks.records import Vectors

Call = Callable[[Sequence[int]], Vectors]  # rows of the window -> their vectors
Test = Callable[[Vectors], NDArray[np.bool_]]  # which of the vectors are good


class Batch(NamedTuple):
    """`vectors[i]` belongs to `rows[i]`; `bad` are rows without a good vector, even where they were alone."""

    rows: list[int]
    vectors: Vectors
    bad: list[int]


class Lanes:
    """Threads that wait for the device: while it works, the next batch is tokenised and the last one is kept."""

    def __init__(self, count: int, size: BatchSize) -> None:
        """`count` calls at once, and one more ready to begin."""
        self._count = count
        self._size = size

    def run(self, tokens: Sequence[int], call: Call, test: Test) -> Generator[Batch, None, None]:
        """Yield each batch, in any order; rows whose vectors are not good are done again, each alone.

        Raises MemoryError when a single text is too much.
        """
        fresh = by_padded_tokens(tokens, lambda: self._size.tokens)
        again: deque[list[int]] = deque()
        going: dict[Future[Vectors], list[int]] = {}
        with ThreadPoolExecutor(self._count, "lane") as pool:
            try:
                while self._fill(pool, going, (again, fresh), call):
                    for future in wait(going, return_when=FIRST_COMPLETED).done:
                        rows = going.pop(future)
                        vectors = self._outcome(future, rows, tokens)
                        if vectors is None:
                            half = len(rows) // 2
                            again += [rows[:half], rows[half:]]
                            continue
                        batch = _tested(rows, vectors, test)
                        if len(rows) > 1:
                            again += [[row] for row in batch.bad]
                            batch = batch._replace(bad=[])
                        yield batch
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _fill(
        self,
        pool: ThreadPoolExecutor,
        going: dict[Future[Vectors], list[int]],
        waiting: tuple[deque[list[int]], Generator[list[int], None, None]],
        call: Call,
    ) -> bool:
        """Whether anything is on its way."""
        again, fresh = waiting
        while len(going) <= self._count:
            rows = again.popleft() if again else next(fresh, None)
            if rows is None:
                break
            going[pool.submit(call, rows)] = rows
        return bool(going)

    def _outcome(self, future: Future[Vectors], rows: Sequence[int], tokens: Sequence[int]) -> Vectors | None:
        """None when the device ran out of memory."""
        size = len(rows) * max(tokens[row] for row in rows)
        error = future.exception()
        if error is None:
            self._size.finished(size)
            return future.result()
        if not is_out_of_memory(error):
            raise error
        if len(rows) == 1:
            raise MemoryError from error
        self._size.refused(size)
        return None


def _tested(rows: Sequence[int], vectors: Vectors, test: Test) -> Batch:
    good = test(vectors)
    chosen = [row for row, is_good in zip(rows, good, strict=True) if is_good]
    return Batch(chosen, vectors[good], [row for row, is_good in zip(rows, good, strict=True) if not is_good])


def by_padded_tokens(tokens: Sequence[int], budget: Callable[[], int]) -> Generator[list[int], None, None]:
    """Rows of similar length, longest first, so that rows x longest stays within the budget of padded tokens.

    Sorting by tokens leaves a few percent of padding; sorting by characters, as is usual, leaves half. The longest
    batch comes first, so running out of memory shows at once. `budget` is asked anew for each batch.
    """
    order = sorted(range(len(tokens)), key=lambda row: -tokens[row])
    start = 0
    while start < len(order):
        rows = max(1, budget() // max(1, tokens[order[start]]))
        yield order[start : start + rows]
        start += rows
