"""Pays for the texts of one window."""

import time

from tasks.embed.base import Embedder, Fence, VectorCache
from tasks.windows import Embedded, Planned


def embed_window(embedder: Embedder, cache: VectorCache, fence: Fence, planned: Planned) -> Embedded:
    """Each batch is durable in the cache before the next thing happens, so a kill costs the batches in flight at most.

    Asking the cache again makes a retry of the window pay only for what the first attempt did not get. An overtaken run
    stops after the batch in flight: the newer run pays for the same texts.
    """
    started = time.perf_counter()
    done = Embedded(planned)
    missing = cache.missing(planned.texts)
    keys = [key for key in planned.texts if key in missing]
    texts = [planned.texts[key][0] for key in keys]
    tokens = [planned.texts[key][1] for key in keys]
    for batch in embedder.embed(texts, tokens) if keys else ():
        counts = [tokens[row] for row in batch.rows]
        cache.put([keys[row] for row in batch.rows], batch.vectors, counts)
        fence.check()
        done.texts += len(batch.rows)
        done.tokens += sum(counts)
        done.cost_usd += batch.cost_usd
    done.embed_seconds = time.perf_counter() - started
    return done
