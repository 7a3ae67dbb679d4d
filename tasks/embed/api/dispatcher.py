"""Sends the requests of one account: as many at once as it stands, none over a limit, none lost."""

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from tasks.embed.api.account import Account, Bill, Ticket
from tasks.embed.api.concurrency import OPEN_SECONDS, Concurrency, RetryBudget, Throttle
from tasks.embed.api.jobs import NOTHING_YET, Job, Judge, Settled, batch_of
from tasks.embed.api.lanes import Flight, Landed, Lanes
from tasks.embed.api.outcomes import Answer, MalformedError, OutageError, RateLimitedError
from tasks.embed.backoff import LONG_SECONDS, PATIENCE_SECONDS, Clock, jitter
from tasks.errors import BudgetError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch

BEAT_SECONDS = 1.0  # at most so long the consumer hears nothing while nothing is on its way, so it can end the wait

_log = logging.getLogger("headrace")


class Dispatcher:
    """What it learns of the provider serves the next texts too, so it lives as long as the embedder."""

    def __init__(self, account: Account, lanes: Lanes, judge: Judge, clock: Clock, most_at_once: int) -> None:
        """Everything but the waiting for answers happens in the caller's thread."""
        self._account = account
        self._lanes = lanes
        self._judge = judge
        self._clock = clock
        self._concurrency = Concurrency(most_at_once)
        self._retries = RetryBudget(clock)
        self._throttle = Throttle(clock)
        self._sent = 0
        self._limits_in_a_row = 0
        self._closed_until = 0.0
        self._idle_until = 0.0
        self._success_at = 0.0

    def run(
        self, batches: Iterable[Sequence[int]], texts: Sequence[str], tokens: Sequence[int]
    ) -> Generator[EmbeddedBatch, None, None]:
        """Yield each answer as it comes, and an empty one now and then while nothing may be sent.

        After an error nothing more is sent, but what is on its way still comes, for it is paid; then the error is
        raised. The same for an error that the consumer throws in.
        """
        work = _Work(batches, texts, tokens)
        self._success_at = self._clock.now()
        try:
            while work.is_going:
                batch = self._step(work)
                if batch is None and self._idle_until:
                    batch = NOTHING_YET
                if batch is not None:
                    try:
                        yield batch
                    except HeadraceError as error:
                        work.stop(error)
        finally:
            self._abandon(work)
        if work.stopped_by:
            raise work.stopped_by

    def _step(self, work: "_Work") -> EmbeddedBatch | None:
        try:
            landed = self._landed(work, self._idle_left() or self._launch(work))
            return self._land(work, landed) if landed else None
        except Exception as error:  # what is on its way comes first
            work.stop(error)
            return None

    def _launch(self, work: "_Work") -> float | None:
        """Send what may be sent; the seconds until more may be, None: when something has landed."""
        while (job := work.next_job) is not None and work.flying < self._concurrency.window:
            now = self._clock.now()
            delay = max(max(job.not_before, self._closed_until) - now, self._throttle.wait())
            if delay > 0:
                return delay
            most = 1 if self._throttle.is_on else self._concurrency.window - work.flying
            with work.taken(now, most) as jobs:
                try:
                    claimed = self._account.claim(*(job.tokens(work.tokens) for job in jobs))
                except BudgetError:
                    if work.flying:  # what comes back may have cost less than was set aside for it
                        return None
                    if not jobs[0].can_be_halved:
                        raise
                    work.put_first(jobs.popleft().halves())  # the money left may do for some of the texts
                    continue
                if not isinstance(claimed, list):
                    return claimed
                for ticket in claimed:
                    self._send(work, jobs.popleft(), ticket)
        return None

    def _send(self, work: "_Work", job: Job, ticket: Ticket) -> None:
        self._sent += 1
        self._retries.sent()
        self._throttle.sent(ticket.tokens)
        work.flying += 1
        self._lanes.send(Flight(job, ticket, self._sent), job.texts(work.texts))

    def _landed(self, work: "_Work", delay: float | None) -> list[Landed]:
        """The next to land, and with it those that landed while the last were written down: one disk write for all."""
        found: list[Landed] = []
        if delay and not work.flying:
            self._idle(delay)
            delay = min(delay, BEAT_SECONDS)
        while (work.flying or not found) and (landed := self._lanes.wait(0.0 if found else delay)) is not None:
            work.flying -= 1
            found.append(landed)
        return found

    def _idle_left(self) -> float:
        """Seconds of a wait in which nobody need be asked again; 0 where there is none."""
        left = max(0.0, self._idle_until - self._clock.now())
        self._idle_until = self._idle_until if left else 0.0
        return left

    def _idle(self, delay: float) -> None:
        if not self._idle_until:
            self._idle_until = self._clock.now() + delay
            if delay >= LONG_SECONDS:
                _log.info("waiting for %.0f s: the provider asks for it, or its limits do", delay)

    def _land(self, work: "_Work", landed: Sequence[Landed]) -> EmbeddedBatch | None:
        billed, cost = self._settle(work, landed)
        parts: list[Settled] = []
        for flight, outcome in landed:
            try:
                settled = self._outcome(flight, outcome)
            except Exception as error:  # the others are paid too
                work.stop(error)
            else:
                work.add(settled.jobs)
                parts.append(settled)
        return batch_of(parts, billed, cost)

    def _outcome(self, flight: Flight, outcome: Answer | BaseException) -> Settled:
        match outcome:
            case Answer():
                self._succeeded(flight.ticket.tokens)
                return self._judge.answered(flight.job, outcome)
            case RateLimitedError():
                self._limited(flight, outcome)
                return Settled(jobs=(flight.job,))
            case HeadraceError():
                settled = self._judge.failed(flight.job, outcome)
                if isinstance(outcome, OutageError):
                    self._spare_the_server()
                return settled
            case _:
                raise outcome

    def _settle(self, work: "_Work", landed: Sequence[Landed]) -> tuple[int, float]:
        """Tokens and USD of the requests; trouble with the books must not cost a paid answer."""
        bills = [_bill(flight, outcome) for flight, outcome in landed]
        billed = sum(bill.tokens for bill in bills)
        try:
            return billed, self._account.settle(*bills)
        except HeadraceError as error:
            work.stop(error)
            return billed, sum(bill.ticket.usd for bill in bills)

    def _succeeded(self, tokens: int) -> None:
        self._concurrency.succeeded()
        self._throttle.succeeded(tokens)
        self._limits_in_a_row = 0
        self._success_at = self._clock.now()

    def _limited(self, flight: Flight, error: RateLimitedError) -> None:
        asked = error.delay_seconds or 0.0
        if self._clock.now() + asked - self._success_at > PATIENCE_SECONDS:
            raise ServiceError(
                f"{error}; nothing came through for {PATIENCE_SECONDS / 60:g} minutes, or would not;"
                " lower requests_per_minute or tokens_per_minute, or run again later"
            ) from error
        is_news = self._concurrency.limited(flight.number, self._sent)
        if is_news:
            asked += jitter(self._limits_in_a_row, self._clock)
            self._limits_in_a_row += 1
            if not self._account.knows_limits:
                self._throttle.limited()
        if asked:
            self._account.pause(asked)

    def _spare_the_server(self) -> None:
        if not self._retries.allows():
            self._closed_until = self._clock.now() + OPEN_SECONDS
            self._concurrency.collapse()

    def _abandon(self, work: "_Work") -> None:
        """Nobody takes the answers any more; what they cost is still written down."""
        while work.flying:
            landed = self._lanes.wait(None)
            if landed is not None:
                work.flying -= 1
                self._settle(work, [landed])


class _Work:
    """What one call of `run` has still to do."""

    def __init__(self, batches: Iterable[Sequence[int]], texts: Sequence[str], tokens: Sequence[int]) -> None:
        self.texts = texts
        self.tokens = tokens
        self.flying = 0
        self.stopped_by: Exception | None = None
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Job]] = []
        self.add(Job(tuple(rows)) for rows in batches)

    @property
    def is_going(self) -> bool:
        return bool(self.flying or self.next_job)

    @property
    def next_job(self) -> Job | None:
        """The one that may be sent first; none after an error."""
        return self._waiting[0][2] if self._waiting and self.stopped_by is None else None

    @contextmanager
    def taken(self, now: float, most: int) -> Generator[deque[Job], None, None]:
        """The first that may be sent now; those that are left when the block ends come back to their places."""
        entries: deque[tuple[float, int, Job]] = deque()
        while self._waiting and len(entries) < most and self._waiting[0][0] <= now:
            entries.append(heapq.heappop(self._waiting))
        jobs = deque(job for _, _, job in entries)
        try:
            yield jobs
        finally:
            for entry in list(entries)[len(entries) - len(jobs) :]:
                heapq.heappush(self._waiting, entry)

    def add(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            heapq.heappush(self._waiting, (job.not_before, next(self._order), job))

    def put_first(self, jobs: Sequence[Job]) -> None:
        """Before all others that may be sent as early."""
        for job in reversed(jobs):
            heapq.heappush(self._waiting, (job.not_before, -next(self._order), job))

    def stop(self, error: Exception) -> None:
        """The first error is the one that is told."""
        self.stopped_by = self.stopped_by or error


def _bill(flight: Flight, outcome: Answer | BaseException) -> Bill:
    """Tokens as told, or else as counted here. An answer that was lost may have been billed."""
    counted = flight.ticket.tokens
    match outcome:
        case Answer():
            told = outcome.billed_tokens
            return Bill(flight.ticket, counted if told is None else told, outcome.headers)
        case RateLimitedError():
            return Bill(flight.ticket, 0, outcome.headers)
        case MalformedError():
            return Bill(flight.ticket, counted)
        case OutageError() if outcome.may_be_billed:
            return Bill(flight.ticket, counted)
        case _:
            return Bill(flight.ticket, 0)
