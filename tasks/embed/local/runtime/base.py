"""What runs a model's weights, whichever library does it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.records import Vectors

if TYPE_CHECKING:
    from tokenizers import Encoding

Features = Mapping[str, NDArray[np.int64]]  # input_ids, attention_mask, token_type_ids, each (texts, longest)


class Runtime(Protocol):
    """Loaded weights. Safe to call from as many threads as it has lanes."""

    @property
    def name(self) -> str:
        """Library, precision and device, for a person."""
        ...

    @property
    def hardware(self) -> str:
        """What a passed self-test holds for, beside the name."""
        ...

    @property
    def lanes(self) -> int:
        """So many calls of `forward` at once keep the device busy."""
        ...

    def forward(self, features: Features, /) -> Vectors:
        """One batch, as the model makes it: shape (texts, the model's own dimension), of any length."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


def runtime_name(library: str, precision: str, devices: Sequence[str], attention: str = "") -> str:
    """Words for a person; other words decide nothing, and cost one more self-test."""
    return ", ".join(filter(None, [library, attention, precision, *devices]))


def padded(encodings: "Sequence[Encoding]", padding: int) -> Features:
    """Token ids as matrices; `padding` is the id of the padding token."""
    longest = max((len(encoding) for encoding in encodings), default=0)
    ids = np.full((len(encodings), longest), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        length = len(encoding)
        ids[row, :length] = encoding.ids
        types[row, :length] = encoding.type_ids
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def unit_rows(vectors: Vectors, dimension: int) -> Vectors:
    """The first `dimension` numbers of each row, at unit length; zero where they have no direction."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        rows = vectors[:, :dimension].astype(np.float32)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    unit[~np.isfinite(unit).all(axis=1)] = 0.0
    return unit
