"""Packing texts into requests."""

from collections.abc import Iterator, Sequence


def by_sum(tokens: Sequence[int], most_rows: int, most_tokens: int) -> Iterator[list[int]]:
    """Rows in order, as many as fit both limits of a provider's request."""
    batch: list[int] = []
    total = 0
    for row, count in enumerate(tokens):
        if batch and (len(batch) == most_rows or total + count > most_tokens):
            yield batch
            batch, total = [], 0
        batch.append(row)
        total += count
    if batch:
        yield batch
