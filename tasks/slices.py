"""Long sequences in parts."""

from collections.abc import Iterable, Iterator, Sequence
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


def shard_of(document: str, shards: int) -> int:
    """Which of so many shards a document is in, for ever: a hash of its name says it."""
    return crc32(document.encode("utf-8", "surrogatepass")) % shards
