"""A provider in virtual time: limits per minute, faults, latency; the real dispatcher flies in it.

It stands in for the threads alone. Everything that decides is real: account and buckets on a database, retries,
concurrency, the verdict on every answer.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tasks.embed.api.dispatch.account import Account, Terms
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.dispatcher import Dispatcher
from tasks.embed.api.dispatch.outcomes import Answer, OutageError, RateLimitedError
from tasks.embed.api.dispatch.requests import PROBE, OutcomePolicy
from tasks.embed.api.dispatch.transport import Completed, InFlight
from tasks.records import EmbeddedBatch

DIMENSION = 4


@dataclass
class Time:
    """Moves when somebody waits."""

    now: float = 1_000_000.0
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.pass_, chance=self.dice.random)

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Provider:
    """Counts a minute's requests and tokens in buckets of its own, failed requests included, as OpenAI does."""

    def __init__(self, time: Time, requests: float, tokens: float, *, tells: bool = True) -> None:
        """`tells` its limits in headers."""
        self.limits = {"requests": requests, "tokens": tokens}
        self.faults: list[str] = []  # "429", "500" or "drop", taken by random requests
        self.fault_share = 0.1
        self.tells = tells
        self.asks = 0.0  # Retry-After of a 429
        self.sent = self.limited = self.served_tokens = self.lost_tokens = 0
        self.paid: Counter[str] = Counter()
        self._time = time
        self._level = dict(self.limits)
        self._at = time.now

    def answer(self, texts: list[str], tokens: int) -> Answer | Exception:
        self.sent += 1
        elapsed, self._at = self._time.now - self._at, self._time.now
        wanted = {"requests": 1.0, "tokens": float(tokens)}
        for kind, limit in self.limits.items():
            self._level[kind] = min(limit, self._level[kind] + elapsed * limit / 60)
        if any(self._level[kind] < wanted[kind] for kind in wanted):
            self.limited += 1
            return RateLimitedError("too fast", self.asks or None, self._headers())
        for kind, amount in wanted.items():
            self._level[kind] -= amount
        if self.faults and self._time.dice.random() < self.fault_share:
            return self._fault(self.faults.pop(), tokens)
        self.served_tokens += tokens
        self.paid.update(text for text in texts if text != PROBE)
        vectors = [np.full(DIMENSION, len(text), dtype=np.float32) for text in texts]
        return Answer(vectors, tokens, self._headers())

    def _fault(self, kind: str, tokens: int) -> Exception:
        if kind == "429":
            self.limited += 1
            return RateLimitedError("too fast", self.asks or None, {})
        if kind == "500":
            return OutageError("answered 500")
        self.lost_tokens += tokens
        return OutageError("the connection was cut", may_be_billed=True)

    def _headers(self) -> dict[str, str]:
        if not self.tells:
            return {}
        limits = {f"x-ratelimit-limit-{kind}": f"{limit:.0f}" for kind, limit in self.limits.items()}
        left = {f"x-ratelimit-remaining-{kind}": f"{self._level[kind]:.0f}" for kind in self.limits}
        return {**limits, **left}


class Sky:
    """Requests land after their latency; `wait` moves the time there."""

    def __init__(self, time: Time, provider: Provider, tokens_of: Callable[[list[str]], int]) -> None:
        self._time = time
        self._provider = provider
        self._tokens_of = tokens_of
        self._flying: list[tuple[float, int, Completed]] = []
        self.at_once = 0
        self.latency_spread = 0.6

    def send(self, in_flight: InFlight, texts: list[str]) -> None:
        outcome = self._provider.answer(texts, self._tokens_of(texts))
        lands_at = self._time.now + 0.2 + self.latency_spread * self._time.dice.random()
        heapq.heappush(self._flying, (lands_at, in_flight.number, (in_flight, outcome)))
        self.at_once = max(self.at_once, len(self._flying))

    def wait(self, seconds: float | None) -> Completed | None:
        if self._flying and (seconds is None or self._flying[0][0] <= self._time.now + seconds):
            lands_at, _, completed = heapq.heappop(self._flying)
            self._time.now = max(self._time.now, lands_at)
            return completed
        self._time.pass_(seconds or 0.0)
        return None

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Trial:
    """One simulated run over `texts`, each of so many tokens, so many in a request."""

    provider: Provider
    time: Time
    sky: Sky
    dispatcher: Dispatcher
    account: Account
    texts: list[str]
    tokens: list[int]
    batches: list[list[int]]

    def run(self, on_batch: Callable[[EmbeddedBatch], None] = lambda _: None) -> tuple[Counter[int], float]:
        """How often each row came back, and the seconds that passed."""
        rows: Counter[int] = Counter()
        started = self.time.now
        for batch in self.dispatcher.run(self.batches, self.texts, self.tokens):
            assert not batch.rejected
            rows.update(batch.rows)
            on_batch(batch)
        return rows, self.time.now - started


def trial(url: str, provider: Provider, time: Time, terms: Terms, *, requests: int, most_at_once: int = 16) -> Trial:
    """`requests` batches of two texts, of 10,000 to 60,000 tokens each."""
    texts = [f"text {number}" for number in range(2 * requests)]
    tokens = [time.dice.randint(10_000, 60_000) for _ in texts]
    counted = {PROBE: 1, **dict(zip(texts, tokens, strict=True))}
    sky = Sky(time, provider, lambda sent: sum(counted[text] for text in sent))
    account = Account(url, ("simulated", url, "key"), terms, time.clock)
    dispatcher = Dispatcher(account, sky, OutcomePolicy("It", DIMENSION, time.clock), time.clock, most_at_once)
    batches = [[2 * number, 2 * number + 1] for number in range(requests)]
    return Trial(provider, time, sky, dispatcher, account, texts, tokens, batches)
