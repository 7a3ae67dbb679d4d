"""Which documents are nearly the same as another one, by MinHash signatures of their texts.

The answer depends on the documents alone: of those that are nearly the same, the first by id is the original.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.errors import MissingExtraError
from tasks.records import DocumentId

PERMUTATIONS = 128  # an estimate is right to 0.03 at 0.9
WORDS = 3  # that follow each other, and are compared as one
# Signatures are looked up by so many numbers at a time: at a likeness of the first number, one of 100 is missed.
_BAND_WIDTHS = ((0.85, 8), (0.65, 4), (0.0, 2))
_WITHOUT_SPACES = re.compile("([\u0e01-\u0e2e\u3040-\u30ff\u3400-\u9fff])")


class Signed(NamedTuple):
    """A document's signature, and a mark that is equal for documents with the same readers."""

    signature: bytes
    readers: str


def signature(text: str) -> bytes:
    """512 bytes; none for a text without a word. MissingExtraError without the library."""
    try:
        from datasketch import MinHash
    except ImportError as error:
        raise MissingExtraError("near_duplicates", "near-duplicates") from error
    words = (text if text.isascii() else _WITHOUT_SPACES.sub(r" \1 ", text)).casefold().split()
    if not words:
        return b""
    parts = {" ".join(words[start : start + WORDS]) for start in range(max(1, len(words) - WORDS + 1))}
    minhash = MinHash(num_perm=PERMUTATIONS, seed=1)
    minhash.update_batch([part.encode("utf-8", "surrogatepass") for part in parts])
    return np.asarray(minhash.hashvalues).astype("<u4").tobytes()


def originals(documents: Mapping[DocumentId, Signed], threshold: float) -> dict[DocumentId, DocumentId]:
    """The original of each document that is nearly the same as one before it, and has the same readers."""
    ids = sorted(document for document, signed in documents.items() if signed.signature)
    if len(ids) < 2:
        return {}
    rows = np.frombuffer(b"".join(documents[one].signature for one in ids), dtype="<u4").reshape(len(ids), -1)
    groups = _groups(rows, threshold)
    first: dict[DocumentId, DocumentId] = {}
    kept: dict[tuple[int, int], list[int]] = {}  # by band and group, in order
    for row in np.flatnonzero((groups >= 0).any(axis=1)).tolist():
        places = [(band, group) for band, group in enumerate(groups[row].tolist()) if group >= 0]
        before = sorted({one for place in places for one in kept.get(place, ())})
        alike = [one for one in before if documents[ids[one]].readers == documents[ids[row]].readers]
        near = np.flatnonzero((rows[alike] == rows[row]).mean(axis=1) >= threshold).tolist() if alike else []
        if near:
            first[ids[row]] = ids[alike[near[0]]]
        else:
            for place in places:
                kept.setdefault(place, []).append(row)
    return first


def _groups(rows: NDArray[np.uint32], threshold: float) -> NDArray[np.int64]:
    """A number for each document and band, equal where they agree in the whole band; -1 where no other agrees."""
    width = next(width for least, width in _BAND_WIDTHS if threshold >= least)
    factors = np.uint64(0x9E3779B97F4A7C15) ** np.arange(1, width + 1, dtype=np.uint64)
    bands = (rows.reshape(len(rows), -1, width).astype(np.uint64) * factors).sum(axis=2, dtype=np.uint64)
    groups = np.empty(bands.shape, dtype=np.int64)
    for band in range(bands.shape[1]):
        _, group, counts = np.unique(bands[:, band], return_inverse=True, return_counts=True)
        groups[:, band] = np.where(counts[group] > 1, group, -1)
    return groups
