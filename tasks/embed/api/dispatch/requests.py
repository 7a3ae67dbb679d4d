"""Requests on their way, and what becomes of them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.embed.api.dispatch.account import Demand
from tasks.embed.api.dispatch.backoff import ATTEMPTS, LOST_ATTEMPTS, PATIENCE_SECONDS, Clock, jitter
from tasks.embed.api.dispatch.bisect import Bisection
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError, OutageError, RefusedError, TooLargeError
from tasks.embed.api.dispatch.sizes import Sizes
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch, Vector, Vectors

MALFORMED_ATTEMPTS = 2
PROBE = "hello"  # a text that nobody refuses


@dataclass(frozen=True)
class Request:
    """One request for some rows. `not_before` is on the clock; rate limits do not count as attempts.

    `is_second` marks rows whose vectors were no vectors. `refused` makes it a request for PROBE in place of the rows of
    a request that was refused before anything was ever taken.
    """

    rows: tuple[int, ...]
    attempts: int = 0
    not_before: float = 0.0
    bisection: Bisection | None = None
    is_second: bool = False
    refused: tuple[int, ...] = ()

    def texts(self, texts: Sequence[str]) -> list[str]:
        """What is sent."""
        return [PROBE] if self.refused else [texts[row] for row in self.rows]

    def tokens(self, tokens: Sequence[int]) -> int:
        """What it will be billed for."""
        return 1 if self.refused else sum(tokens[row] for row in self.rows)

    def parts(self, sizes: Sizes, tokens: Sequence[int]) -> "Iterator[Request]":
        """The same texts in requests of a size that the server takes."""
        if not self.can_be_halved:
            yield self
            return
        for part in sizes.parts([tokens[row] for row in self.rows]):
            yield replace(self, rows=self.rows[part])

    def demand(self, tokens: Sequence[int], is_query: bool) -> Demand:
        """What the account is asked for."""
        return Demand(self.tokens(tokens), len(self.rows) or 1, is_query)

    @property
    def can_be_halved(self) -> bool:
        """Not what a bisection has chosen."""
        return len(self.rows) > 1 and self.bisection is None

    def halves(self) -> "tuple[Request, Request]":
        """The same texts in two requests."""
        half = len(self.rows) // 2
        return replace(self, rows=self.rows[:half]), replace(self, rows=self.rows[half:])


@dataclass(frozen=True)
class Settled:
    """What came of a request: rows with vectors of unit length, rows refused for good, and what is still to be sent."""

    rows: tuple[int, ...] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    rejected: dict[int, str] = field(default_factory=dict[int, str])
    requests: tuple[Request, ...] = ()


NOTHING_YET = EmbeddedBatch((), np.empty((0, 0), np.float32))


def batch_of(parts: Sequence[Settled], billed_tokens: int, cost_usd: float) -> EmbeddedBatch | None:
    """What the pipeline gets to see of requests that completed together. None where there is nothing to see."""
    found = [part for part in parts if part.rows]
    rejected = {row: why for part in parts for row, why in part.rejected.items()}
    if not (found or rejected or billed_tokens):
        return None
    rows = tuple(row for part in found for row in part.rows)
    vectors: Vectors = np.concatenate([part.vectors for part in found]) if found else np.empty((0, 0), np.float32)
    return EmbeddedBatch(rows, vectors, billed_tokens, cost_usd, rejected)


class OutcomePolicy:
    """Decides what an outcome means; it raises where the run cannot go on."""

    def __init__(self, provider: str, dimension: int, clock: Clock) -> None:
        """`provider` is its name in messages; `dimension` is what its vectors must have."""
        self._provider = provider
        self._dimension = dimension
        self._clock = clock
        self._was_taken = False
        self.sizes = Sizes()

    def answered(self, request: Request, answer: Answer) -> Settled:
        """A vector that is zero or not finite is asked for once more, then its row is rejected."""
        self._was_taken = True
        self._check_dimension(answer)
        if request.refused:
            return Settled(requests=_hunting(Bisection(request.refused)))
        rows, vectors = _unit(request.rows, answer.vectors)
        bad = tuple(sorted({*request.rows}.difference(rows)))
        rejected: dict[int, str] = {}
        requests: tuple[Request, ...] = ()
        if request.is_second:
            rejected = dict.fromkeys(bad, f"{self._provider} answers a vector that is zero or not finite")
        elif bad and not rows and len(bad) > 1:
            return self.failed(request, MalformedError(f"all {len(bad)} vectors are zero or not finite"))
        elif bad:
            requests = (Request(bad, is_second=True),)
        if request.bisection:
            if refused := request.bisection.taken():
                self.sizes.refused(refused, sys.maxsize)
            requests += _hunting(request.bisection)
        return Settled(rows, vectors, rejected, requests)

    def failed(self, request: Request, error: HeadraceError) -> Settled:
        """Another attempt, smaller requests, or the search for the text that is to blame."""
        match error:
            case OutageError():
                asked = error.retry_after_seconds or 0.0
                if asked > PATIENCE_SECONDS:
                    raise ServiceError(f"{error} (it asks to wait for {asked / 60:.0f} minutes)") from error
                # Never reached at all: an address to be put right, not an outage to be waited for.
                is_misnamed = error.is_unreachable and not self._was_taken
                few = is_misnamed or error.may_be_billed
                return Settled(requests=(self._again(request, error, LOST_ATTEMPTS if few else ATTEMPTS, asked),))
            case MalformedError():
                said = MalformedError(f"{self._provider}: {error}; check embedder.base_url and embedder.model")
                return Settled(requests=(self._again(request, said, MALFORMED_ATTEMPTS),))
            case TooLargeError() if request.can_be_halved:
                return _smaller(request, error)
            case RefusedError() | TooLargeError():
                return self._refused(request, error)
            case _:
                raise error

    def timed_out(self, request: Request, tokens: int, seconds: float, *, is_second: bool) -> Request:
        """The same texts once more in small requests; ServiceError where one of them `is_second`."""
        texts = max(1, len(request.rows))
        if is_second:
            remedy = (
                f"set embedder.batch_texts to fewer than {texts} and embedder.concurrency to 1, or take a faster server"
                if texts > 1
                else "take a faster server, or smaller chunks"
            )
            raise ServiceError(
                f"{self._provider} needs more than {seconds:.0f} s for a request of {texts} texts ({tokens} tokens);"
                f" these had taken too long before. What came back is kept, and nothing more is sent; {remedy}"
            )
        self.sizes.timed_out(texts, tokens)
        return Request(request.bisection.left) if request.bisection else request

    def too_large(self, error: TooLargeError, texts: int, tokens: int) -> None:
        """Remember for all later requests what the server does not take."""
        if most := error.most_texts(texts):
            self.sizes.told(most)
        elif not error.is_one_text and texts > 1:
            self.sizes.refused(texts, tokens)

    def _check_dimension(self, answer: Answer) -> None:
        found = sorted({len(vector) for vector in answer.vectors} - {self._dimension})
        if found:
            raise ConfigError(
                f"{self._provider} answers vectors of {found[0]} dimensions, expected {self._dimension};"
                " check embedder.dimensions and embedder.model"
            )

    def _again(self, request: Request, error: HeadraceError, attempts: int, asked: float = 0.0) -> Request:
        if request.attempts + 1 >= attempts:
            # Not a TransientError any more: whoever tries again would multiply what was tried here.
            raise ServiceError(f"{error}; tried {attempts} times") from None
        delay = asked + jitter(request.attempts, self._clock)
        return replace(request, attempts=request.attempts + 1, not_before=self._clock.now() + delay)

    def _refused(self, request: Request, error: RefusedError | TooLargeError) -> Settled:
        if request.refused:
            raise ServiceError(f"{error}; it refuses any text, so check the settings of the embedder") from error
        if not self._was_taken:
            return Settled(requests=(Request((), refused=request.rows),))
        if request.bisection is None:
            # A text alone was already sent alone: there is nothing to look for.
            return Settled(rejected={request.rows[0]: str(error)}) if len(request.rows) == 1 else _hunt_for(request)
        culprit = request.bisection.refused()
        rejected = {} if culprit is None else {culprit: str(error)}
        return Settled(rejected=rejected, requests=_hunting(request.bisection))


def _hunt_for(request: Request) -> Settled:
    return Settled(requests=_hunting(Bisection(request.rows)))


def _hunting(bisection: Bisection) -> tuple[Request, ...]:
    """The next request of the bisection, or the one for what it left over."""
    if rows := bisection.next_rows:
        return (Request(rows, bisection=bisection),)
    return (Request(bisection.rest),) if bisection.rest else ()


def _smaller(request: Request, error: TooLargeError) -> Settled:
    """As many parts as the server says, which whoever sends them makes, or halves."""
    return Settled(requests=(request,) if error.most_texts(len(request.rows)) else request.halves())


def _unit(rows: tuple[int, ...], found: Sequence[Vector]) -> tuple[tuple[int, ...], Vectors]:
    """The vectors at unit length, without those that have no direction."""
    vectors: Vectors = np.stack(found, dtype=np.float32)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(vectors, axis=1)
    good = np.isfinite(norms) & (norms > 0)
    if not good.all():
        rows = tuple(row for row, is_good in zip(rows, good, strict=True) if is_good)
        vectors, norms = vectors[good], norms[good]
    vectors /= norms[:, None]
    return rows, vectors
