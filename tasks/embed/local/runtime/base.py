"""What runs a model's weights, whichever library does it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.records import Vectors

if TYPE_CHECKING:
    from tokenizers import Encoding

Features = Mapping[str, NDArray[np.int64]]  # input_ids, attention_mask, token_type_ids, each (texts, longest)
NO_VECTOR = "the model answers a vector that is zero or not finite"
Span = tuple[int, int]  # from the first token to the one after the last
Spans = Sequence[Sequence[Span]]  # of each text of a batch: which of its tokens make one vector


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
    types = padded_ids([encoding.type_ids for encoding in encodings], 0)["input_ids"]
    return {**padded_ids([encoding.ids for encoding in encodings], padding), "token_type_ids": types}


def padded_ids(texts: Sequence[Sequence[int]], padding: int) -> Features:
    """The same of plain ids; a text alone has one type of tokens."""
    ids = np.full((len(texts), max(map(len, texts), default=0)), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, own in enumerate(texts):
        ids[row, : len(own)] = own
        mask[row, : len(own)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def unit_rows(vectors: Vectors, dimension: int, *, layer_norm: bool = False) -> Vectors:
    """The first `dimension` numbers of each row, at unit length; zero where they have no direction.

    `layer_norm`: rows that are shortened are centred before; how long they are then makes no difference.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if layer_norm and dimension < vectors.shape[1]:
            vectors = vectors - vectors.mean(axis=1, keepdims=True)
        rows = vectors[:, :dimension].astype(np.float32)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    unit[~np.isfinite(unit).all(axis=1)] = 0.0
    return unit
