"""Pays for the texts of one window."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing

import numpy as np

from tasks.embed.base import Embedder, Fence, ImageEmbedder, VectorCache
from tasks.errors import FencedError
from tasks.image import Image
from tasks.keyed_vectors import KeyedVectors
from tasks.passages import Content, Passage
from tasks.records import EmbeddedBatch, EmbeddingKey
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
    unpaid = {key: asked for key, asked in deduped.unpaid.items() if key in missing}
    for keys, batch in _batches(embedder, unpaid, fence):
        if batch.rows:
            paid = [keys[row] for row in batch.rows]
            counts = [unpaid[key][1] for key in paid]
            spent.add(paid, counts)  # first: what cannot be kept was paid for all the same
            cache.put(paid, batch.vectors, counts)
            kept_bytes += batch.vectors.nbytes
            if kept_bytes <= MOST_KEPT_BYTES:
                embedded.vectors.append(KeyedVectors(paid, batch.vectors.astype(np.float32, copy=False)))
        embedded.rejected.update((keys[row], why) for row, why in batch.rejected.items())
    return embedded


def _batches(
    embedder: Embedder, unpaid: Mapping[EmbeddingKey, tuple[Content, int]], fence: Fence
) -> Iterator[tuple[list[EmbeddingKey], EmbeddedBatch]]:
    """Those of all texts, of chunks inside their documents, then of all pictures, each with the keys of its rows."""
    texts = {key: (content, tokens) for key, (content, tokens) in unpaid.items() if isinstance(content, str)}
    images = {key: content for key, (content, _) in unpaid.items() if isinstance(content, Image)}
    passages = {key: content for key, (content, _) in unpaid.items() if isinstance(content, Passage)}
    if passages and embedder.late:
        batches = embedder.late.embed([*passages.values()])
        yield from (([*passages], batch) for batch in _until_overtaken(batches, fence))
    if texts:
        batches = embedder.embed([text for text, _ in texts.values()], [tokens for _, tokens in texts.values()])
        yield from (([*texts], batch) for batch in _until_overtaken(batches, fence))
    if images and isinstance(embedder, ImageEmbedder):
        batches = embedder.embed_images([*images.values()])
        yield from (([*images], batch) for batch in _until_overtaken(batches, fence))
    elif images:
        rejected = dict.fromkeys(range(len(images)), f"the model {embedder.model!r} takes no pictures")
        yield [*images], EmbeddedBatch((), np.empty((0, 0), np.float32), rejected=rejected)


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
