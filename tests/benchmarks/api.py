"""A paid API on the loopback, 100 ms away: how much of what its limits allow is really used, and how much is refused.

What a limit allows: the documented burst at once (10 s of the limit), then so much per second; and never more requests
at once than `concurrency`. The yield is the time that this takes at least over the time that it took, each answer being
committed to the embedding cache, as in a run.
"""

import math
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from config.embedders import OpenAIEmbedder as Config
from tasks.dedupe.cache import EmbeddingCache
from tasks.embed.api.dispatch.bucket import BURST_SECONDS
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.api.openai import OpenAIProvider
from tasks.records import EmbeddingKey
from tests.benchmarks.embedding_provider import Limits, Provider, running
from tests.benchmarks.harness import Gate, Measurement

GATE = Gate(0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Case:
    """`requests` of `texts` texts, each of `tokens` tokens; long texts are stand-ins, short ones have their length."""

    name: str
    limits: Limits
    requests: int
    texts: int
    tokens: int
    concurrency: int
    is_told: bool = False  # by the provider's headers alone, not by the configuration
    has_gate: bool = True


CASES = (
    Case("OpenAI tier 5, 10 M tokens/min", Limits(10_000, 10_000_000), 20, 2048, 139, 8),
    Case("30 M tokens/min", Limits(30_000, 30_000_000), 45, 2048, 139, 8),
    Case("30 M tokens/min, told by headers only", Limits(30_000, 30_000_000), 45, 2048, 139, 8, is_told=True),
    Case("OpenAI tier 1, 3,000 requests/min", Limits(3_000, 10**10), 1500, 34, 8191, 32),
    # From here on the processor binds, which has the SDK's own work to do for each request, or the latency: no gate.
    Case("OpenAI tier 5, 10,000 requests/min", Limits(10_000, 10**10), 3000, 34, 8191, 32, has_gate=False),
    Case("no limit, 8 requests of 34 texts at once", Limits(10**9, 10**12), 400, 34, 8191, 8, has_gate=False),
    Case("no limit, 8 requests of 2,048 texts at once", Limits(10**9, 10**12), 60, 2048, 139, 8, has_gate=False),
)


def measure() -> Iterator[Measurement]:
    for case in CASES:
        yield from _measured(case)


def _measured(case: Case) -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder, running(case.limits) as provider:
        embedder = _opened(case, provider, folder)
        cache = EmbeddingCache(f"sqlite:///{folder}/cache.db", embedder.space.dimension)
        texts = [_text(number, case.tokens) for number in range(case.requests * case.texts)]
        embedder.embed_query("1 warm")
        before, busy, started = provider.tally(), _busy_seconds(), time.perf_counter()
        rows = 0
        for batch in embedder.embed(texts, [case.tokens] * len(texts)):
            rows += len(batch.rows)
            cache.put(
                [EmbeddingKey(row.to_bytes(16)) for row in batch.rows], batch.vectors, [case.tokens] * len(batch.rows)
            )
        seconds, busy, seen = time.perf_counter() - started, _busy_seconds() - busy, provider.tally()
        embedder.close()
        cache.close()
    assert rows == len(texts)
    sent = seen.answered - before.answered
    refused = seen.refused - before.refused
    share = least_seconds(case, sent) / seconds
    detail = f"{60 * sent * case.texts * case.tokens / seconds / 1e6:,.0f} M tokens/min"
    detail += f", {1000 * busy / sent:.1f} ms of processor a request"
    if case.has_gate:
        yield Measurement(f"API at 100 ms, {case.name}: used of what is allowed", share, "", GATE, detail)
    else:
        detail += f"; {share:.2f} of what is allowed"
        yield Measurement(f"API at 100 ms, {case.name}", 60 * sent / seconds, "requests/min", None, detail)
    part = refused / (refused + sent)
    yield Measurement(f"API at 100 ms, {case.name}: refused", part, "", Gate(0.01, is_ceiling=True))


def least_seconds(case: Case, requests: int) -> float:
    """Until the last answer, if nothing were lost between the limit and us."""
    wanted = {"requests": requests, "tokens": requests * case.texts * case.tokens}
    allowed = {"requests": case.limits.requests / 60, "tokens": case.limits.tokens / 60}
    sent_at = max(max(0.0, wanted[kind] / allowed[kind] - BURST_SECONDS) for kind in wanted)
    latency = case.limits.latency_seconds
    return max(sent_at + latency, math.ceil(requests / case.concurrency) * latency)


def _opened(case: Case, provider: Provider, folder: str) -> PaidEmbedder:
    """As a user has it: limits from the account's page, and a budget that is watched."""
    limits = (
        {} if case.is_told else {"requests_per_minute": case.limits.requests, "tokens_per_minute": case.limits.tokens}
    )
    config = Config(
        kind="openai", api_key="sk-bench", base_url=provider.url, concurrency=case.concurrency,
        max_usd=1e9, max_usd_per_day=1e9, **limits,
    )  # fmt: skip
    return PaidEmbedder(config, OpenAIProvider(config), f"sqlite:///{folder}/budget.db")


def _text(number: int, tokens: int) -> str:
    """No two alike; four characters a token where that is a short text."""
    return f"{tokens} {number} ".ljust(4 * tokens if tokens < 1000 else 0, "x")


def _busy_seconds() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime
