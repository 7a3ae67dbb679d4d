"""Long sequences in parts."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Consecutive parts of `size` items, the last one shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
