"""Requests on their way, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tasks.embed.api.hunt import Hunt
from tasks.embed.api.outcomes import Answer, MalformedError, OutageError, RefusedError, TooLargeError
from tasks.embed.backoff import ATTEMPTS, PATIENCE_SECONDS, Clock, jitter
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch, Vector, Vectors

MALFORMED_ATTEMPTS = 2
PROBE = "hello"  # a text that nobody refuses


@dataclass(frozen=True)
class Job:
    """One request for some rows. `not_before` is on the clock; rate limits do not count as attempts.

    `is_second` marks rows whose vectors were no vectors. `refused` makes it a request for PROBE in place of the rows of
    a job that was refused before anything was ever taken.
    """

    rows: tuple[int, ...]
    attempts: int = 0
    not_before: float = 0.0
    hunt: Hunt | None = None
    is_second: bool = False
    refused: tuple[int, ...] = ()

    def texts(self, texts: Sequence[str]) -> list[str]:
        """What is sent."""
        return [PROBE] if self.refused else [texts[row] for row in self.rows]

    def tokens(self, tokens: Sequence[int]) -> int:
        """What it will be billed for."""
        return 1 if self.refused else sum(tokens[row] for row in self.rows)

    @property
    def can_be_halved(self) -> bool:
        """Not what a hunt has chosen."""
        return len(self.rows) > 1 and self.hunt is None

    def halves(self) -> "tuple[Job, Job]":
        """The same texts in two requests."""
        half = len(self.rows) // 2
        return replace(self, rows=self.rows[:half]), replace(self, rows=self.rows[half:])


@dataclass(frozen=True)
class Settled:
    """What came of a job: rows with vectors of unit length, rows refused for good, and what is still to be sent."""

    rows: tuple[int, ...] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    rejected: dict[int, str] = field(default_factory=dict[int, str])
    jobs: tuple[Job, ...] = ()


NOTHING_YET = EmbeddedBatch((), np.empty((0, 0), np.float32))


def batch_of(parts: Sequence[Settled], billed_tokens: int, cost_usd: float) -> EmbeddedBatch | None:
    """What the pipeline gets to see of requests that landed together. None where there is nothing to see."""
    found = [part for part in parts if part.rows]
    rejected = {row: why for part in parts for row, why in part.rejected.items()}
    if not (found or rejected or billed_tokens):
        return None
    rows = tuple(row for part in found for row in part.rows)
    vectors: Vectors = np.concatenate([part.vectors for part in found]) if found else np.empty((0, 0), np.float32)
    return EmbeddedBatch(rows, vectors, billed_tokens, cost_usd, rejected)


class Judge:
    """Decides what an outcome means; it raises where the run cannot go on."""

    def __init__(self, provider: str, dimension: int, clock: Clock) -> None:
        """`provider` is its name in messages; `dimension` is what its vectors must have."""
        self._provider = provider
        self._dimension = dimension
        self._clock = clock
        self._was_taken = False

    def answered(self, job: Job, answer: Answer) -> Settled:
        """A vector that is zero or not finite is asked for once more, then its row is rejected."""
        self._was_taken = True
        self._check_dimension(answer)
        if job.refused:
            return Settled(jobs=_hunting(Hunt(job.refused)))
        rows, vectors = _unit(job.rows, answer.vectors)
        bad = tuple(sorted({*job.rows}.difference(rows)))
        rejected: dict[int, str] = {}
        jobs: tuple[Job, ...] = ()
        if job.is_second:
            rejected = dict.fromkeys(bad, f"{self._provider} answers a vector that is zero or not finite")
        elif bad and not rows and len(bad) > 1:
            return self.failed(job, MalformedError(f"all {len(bad)} vectors are zero or not finite"))
        elif bad:
            jobs = (Job(bad, is_second=True),)
        if job.hunt:
            job.hunt.taken()
            jobs += _hunting(job.hunt)
        return Settled(rows, vectors, rejected, jobs)

    def failed(self, job: Job, error: HeadraceError) -> Settled:
        """Another attempt, smaller requests, or the search for the text that is to blame."""
        match error:
            case OutageError():
                asked = error.retry_after_seconds or 0.0
                if asked > PATIENCE_SECONDS:
                    raise ServiceError(f"{error} (it asks to wait for {asked / 60:.0f} minutes)") from error
                # Never reached at all: an address to be put right, not an outage to be waited for.
                last = ServiceError(str(error)) if error.is_unreachable and not self._was_taken else error
                return Settled(jobs=(self._again(job, last, ATTEMPTS, asked),))
            case MalformedError():
                return Settled(jobs=(self._again(job, ServiceError(f"{self._provider}: {error}"), MALFORMED_ATTEMPTS),))
            case TooLargeError() if job.hunt is None and not job.refused:
                return _halved(job, error)
            case RefusedError() | TooLargeError():
                return self._refused(job, error)
            case _:
                raise error

    def _check_dimension(self, answer: Answer) -> None:
        found = sorted({len(vector) for vector in answer.vectors} - {self._dimension})
        if found:
            raise ConfigError(
                f"{self._provider} answers vectors of {found[0]} dimensions, expected {self._dimension};"
                " check embedder.dimensions and embedder.model"
            )

    def _again(self, job: Job, error: HeadraceError, attempts: int, asked: float = 0.0) -> Job:
        if job.attempts + 1 >= attempts:
            raise error
        delay = asked + jitter(job.attempts, self._clock)
        return replace(job, attempts=job.attempts + 1, not_before=self._clock.now() + delay)

    def _refused(self, job: Job, error: RefusedError | TooLargeError) -> Settled:
        if job.refused:
            raise ServiceError(f"{error}; it refuses any text, so check the settings of the embedder") from error
        if not self._was_taken:
            return Settled(jobs=(Job((), refused=job.rows),))
        if job.hunt is None:
            # A text alone was already sent alone: there is nothing to look for.
            return Settled(rejected={job.rows[0]: str(error)}) if len(job.rows) == 1 else _hunt_for(job)
        culprit = job.hunt.refused()
        rejected = {} if culprit is None else {culprit: str(error)}
        return Settled(rejected=rejected, jobs=_hunting(job.hunt))


def _hunt_for(job: Job) -> Settled:
    return Settled(jobs=_hunting(Hunt(job.rows)))


def _hunting(hunt: Hunt) -> tuple[Job, ...]:
    """The next request of the hunt, or the one for what it left over."""
    if rows := hunt.next_rows:
        return (Job(rows, hunt=hunt),)
    return (Job(hunt.rest),) if hunt.rest else ()


def _halved(job: Job, error: TooLargeError) -> Settled:
    if len(job.rows) == 1:
        return Settled(rejected={job.rows[0]: str(error)})
    return Settled(jobs=job.halves())


def _unit(rows: tuple[int, ...], found: Sequence[Vector]) -> tuple[tuple[int, ...], Vectors]:
    """Of unit length, without those that have no direction."""
    vectors: Vectors = np.stack(found, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1)
    good = np.isfinite(norms) & (norms > 0)
    if not good.all():
        rows = tuple(row for row, is_good in zip(rows, good, strict=True) if is_good)
        vectors, norms = vectors[good], norms[good]
    vectors /= norms[:, None]
    return rows, vectors
