"""Packing texts into requests."""

from collections.abc import Iterator, Sequence

from tasks.slices import bounded


def by_sum(tokens: Sequence[int], most_rows: int, most_tokens: int) -> Iterator[list[int]]:
    """Rows in order, as many as fit both limits of a provider's request."""
    for part in bounded(tokens, most_rows, most_tokens):
        yield list(range(part.start, part.stop))
