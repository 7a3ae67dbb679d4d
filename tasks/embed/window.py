"""Pays for the texts of one window."""

import time
from collections.abc import Generator
from contextlib import closing

import numpy as np

from tasks.embed.base import Embedder, Fence, VectorCache
from tasks.errors import FencedError
from tasks.records import EmbeddedBatch, KeyedVectors
from tasks.windows import Deduped, Embedded, Spent

MOST_KEPT_BYTES = 32 << 20  # of vectors in one window, for the stage that writes them

Batches = Generator[EmbeddedBatch, None, None]


def embed_window(embedder: Embedder, cache: VectorCache, fence: Fence, deduped: Deduped, spent: Spent) -> Embedded:
    """Each batch is durable in the cache before the next thing happens, so a kill costs the batches in flight at most.

    Asking the cache again makes a retry of the window pay only for what the first attempt did not get. An overtaken run
    stops after the batches in flight: the newer run pays for the same texts. `spent` grows with each batch, whatever
    comes after it.
    """
    tally, before, started = deduped.tally, spent.texts_paid, time.perf_counter()
    try:
        return _embed(embedder, cache, fence, deduped, spent)
    finally:
        tally.texts_paid = spent.texts_paid - before
        tally.embed_seconds = time.perf_counter() - started
        spent.seconds += tally.embed_seconds


def _embed(embedder: Embedder, cache: VectorCache, fence: Fence, deduped: Deduped, spent: Spent) -> Embedded:
    embedded = Embedded(deduped)
    kept_bytes = 0
    missing = cache.missing(deduped.unpaid)
    keys = [key for key in deduped.unpaid if key in missing]
    texts = [deduped.unpaid[key][0] for key in keys]
    tokens = [deduped.unpaid[key][1] for key in keys]
    for batch in _until_overtaken(embedder.embed(texts, tokens), fence) if keys else ():
        counts = [tokens[row] for row in batch.rows]
        if batch.rows:
            paid = [keys[row] for row in batch.rows]
            spent.add(paid, counts)  # first: what cannot be kept was paid for all the same
            cache.put(paid, batch.vectors, counts)
            kept_bytes += batch.vectors.nbytes
            if kept_bytes <= MOST_KEPT_BYTES:
                embedded.vectors.append(KeyedVectors(paid, batch.vectors.astype(np.float32, copy=False)))
        embedded.rejected.update((keys[row], why) for row, why in batch.rejected.items())
    return embedded


def _until_overtaken(
    batches: Generator[EmbeddedBatch, None, None], fence: Fence
) -> Generator[EmbeddedBatch, None, None]:
    """The embedder hears of it, sends nothing more, hands over what is already paid, and raises the error itself."""
    with closing(batches):
        batch = next(batches, None)
        while batch is not None:
            yield batch
            try:
                fence.check()
                batch = next(batches, None)
            except FencedError as error:
                batch = batches.throw(error)
