"""Vectors that are found by the key of what they were made from."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tasks.records import EmbeddingKey, Vector, Vectors

_NONE: Vectors = np.empty((0, 0), np.float32)


class KeyedVectors(Mapping[EmbeddingKey, Vector]):
    """Vectors by embedding key, in one matrix: row i belongs to `keys[i]`, each of which is there once."""

    def __init__(self, keys: Sequence[EmbeddingKey], vectors: Vectors) -> None:
        self._rows = {key: row for row, key in enumerate(keys)}
        self._vectors = vectors

    def __getitem__(self, key: EmbeddingKey) -> Vector:
        vector: Vector = self._vectors[self._rows[key]]
        return vector

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[EmbeddingKey]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def matrix(self, keys: Sequence[EmbeddingKey]) -> Vectors:
        """Their vectors in this order; KeyError for a key that is not held."""
        rows: Vectors = self._vectors[[self._rows[key] for key in keys]] if keys else self._vectors[:0]
        return rows

    @staticmethod
    def joined(parts: "Sequence[KeyedVectors]") -> "KeyedVectors":
        """One for all; ValueError where their vectors are not of one dimension."""
        filled = [part for part in parts if part]
        if len(filled) == 1:
            return filled[0]
        vectors = np.concatenate([part._vectors for part in filled]) if filled else _NONE
        return KeyedVectors([key for part in filled for key in part._rows], vectors)
