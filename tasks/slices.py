"""Long sequences in parts."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from zlib import crc32

Item = TypeVar("Item")


def slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Consecutive parts of `size` items, the last one shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def bounded(sizes: Iterable[int], most_items: int, most_size: int) -> Iterator[slice]:
    """Consecutive parts within both limits; an item that is larger by itself is a part alone."""
    start = end = total = 0
    for size in sizes:
        if end > start and (end - start >= most_items or total + size > most_size):
            yield slice(start, end)
            start, total = end, 0
        end += 1
        total += size
    if end > start:
        yield slice(start, end)


def batched(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    """So many at a time, each asked for when its part's turn comes."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def interleaved(parts: Iterable[Iterator[Item]]) -> Iterator[Item]:
    """The first of each part, then the second of each, until all are at their end."""
    left = deque(parts)
    while left:
        part = left.popleft()
        for item in islice(part, 1):
            yield item
            left.append(part)


def shard_of(document: str, shards: int) -> int:
    """Which of so many shards a document is in, for ever: a hash of its name says it."""
    return crc32(document.encode("utf-8", "surrogatepass")) % shards
