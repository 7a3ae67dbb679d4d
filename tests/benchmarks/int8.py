"""How near int8 stays to its model: the nearest neighbours of each of 8,000 chunks, found by either's vectors."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.records import Vectors
from tests.benchmarks.embedding import Run, chunks, least_cosine
from tests.benchmarks.harness import Gate, Measurement
from tests.tasks.embed.local.local_model import local

CHUNKS = 8000
NEIGHBOURS = 10
ROWS = 1000  # compared with all others at once


def measure() -> Iterator[Measurement]:
    texts = [chunk.text for chunk in chunks(CHUNKS)]
    exact, coarse = (embedded(precision, texts) for precision in ("float32", "int8"))
    pairs = zip(nearest(exact), nearest(coarse), strict=True)
    kept = sum(len(np.intersect1d(one, other)) for one, other in pairs) / (NEIGHBOURS * CHUNKS)
    mean = float(np.einsum("ij,ij->i", exact, coarse).mean())
    detail = f"cosine {mean:.4f} on average, {least_cosine(exact, coarse):.4f} at least"
    what = f"int8: kept of {NEIGHBOURS} nearest neighbours among {CHUNKS:,} chunks"
    yield Measurement(what, kept, "", Gate(0.95), detail)


def embedded(precision: str, texts: list[str]) -> Vectors:
    run = Run(local(precision=precision), texts)
    run()
    return run.vectors


def nearest(vectors: Vectors) -> NDArray[np.intp]:
    """Of each vector but itself, in no order; shape (vectors, NEIGHBOURS)."""
    found: list[NDArray[np.intp]] = []
    for start in range(0, len(vectors), ROWS):
        near = vectors[start : start + ROWS] @ vectors.T
        near[np.arange(len(near)), np.arange(start, start + len(near))] = -2.0
        found.append(np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS])
    return np.concatenate(found)
