"""Sends the requests of one account: as many at once as it stands, none over a limit, none lost."""

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from tasks.embed.api.dispatch.account import Account, Reservation, Usage
from tasks.embed.api.dispatch.backoff import LONG_SECONDS, PATIENCE_SECONDS, Clock, jitter
from tasks.embed.api.dispatch.concurrency import OPEN_SECONDS, Concurrency, RetryBudget, Throttle
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError, OutageError, RateLimitedError
from tasks.embed.api.dispatch.requests import NOTHING_YET, OutcomePolicy, Request, Settled, batch_of
from tasks.embed.api.dispatch.transport import Completed, InFlight, Side, Transport
from tasks.errors import BudgetError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch

BEAT_SECONDS = 1.0  # at most so long the consumer hears nothing while nothing is on its way, so it can end the wait

_log = logging.getLogger("headrace")


class Dispatcher:
    """What it learns of the provider serves the next texts too, so it lives as long as the embedder."""

    def __init__(
        self, account: Account, transport: Transport, policy: OutcomePolicy, clock: Clock, most_at_once: int
    ) -> None:
        """Everything but the waiting for answers happens in the caller's thread."""
        self._account = account
        self._transport = transport
        self._policy = policy
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
        self,
        batches: Iterable[Sequence[int]],
        texts: Sequence[str],
        tokens: Sequence[int],
        side: Side = "document",
    ) -> Generator[EmbeddedBatch, None, None]:
        """Yield each answer as it comes, and an empty one now and then while nothing may be sent.

        After an error nothing more is sent, but what is on its way still comes, for it is paid; then the error is
        raised. The same for an error that the consumer throws in.
        """
        work = _Work(batches, texts, tokens, side)
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
            completed = self._completed(work, self._idle_left() or self._launch(work))
            return self._land(work, completed) if completed else None
        except Exception as error:  # what is on its way comes first
            work.stop(error)
            return None

    def _launch(self, work: "_Work") -> float | None:
        """Send what may be sent; the seconds until more may be, None: when something has completed."""
        while (request := work.next_request) is not None and work.in_flight < self._concurrency.window:
            now = self._clock.now()
            delay = max(max(request.not_before, self._closed_until) - now, self._throttle.wait())
            if delay > 0:
                return delay
            most = 1 if self._throttle.is_on else self._concurrency.window - work.in_flight
            with work.taken(now, most) as requests:
                try:
                    claimed = self._account.claim(*(request.tokens(work.tokens) for request in requests))
                except BudgetError:
                    if work.in_flight:  # what comes back may have cost less than was set aside for it
                        return None
                    if not requests[0].can_be_halved:
                        raise
                    work.put_first(requests.popleft().halves())  # the money left may do for some of the texts
                    continue
                if not isinstance(claimed, list):
                    return claimed
                for reservation in claimed:
                    self._send(work, requests.popleft(), reservation)
        return None

    def _send(self, work: "_Work", request: Request, reservation: Reservation) -> None:
        self._sent += 1
        self._retries.sent()
        self._throttle.sent(reservation.tokens)
        work.in_flight += 1
        self._transport.send(InFlight(request, reservation, self._sent, work.side), request.texts(work.texts))

    def _completed(self, work: "_Work", delay: float | None) -> list[Completed]:
        """The next to come back, with those that came while the last were written down: one disk write for all."""
        completed: list[Completed] = []
        if delay and not work.in_flight:
            self._idle(delay)
            delay = min(delay, BEAT_SECONDS)
        while (work.in_flight or not completed) and (
            one := self._transport.wait(0.0 if completed else delay)
        ) is not None:
            work.in_flight -= 1
            completed.append(one)
        return completed

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

    def _land(self, work: "_Work", completed: Sequence[Completed]) -> EmbeddedBatch | None:
        billed, cost = self._settle(work, completed)
        parts: list[Settled] = []
        for in_flight, outcome in completed:
            try:
                settled = self._outcome(in_flight, outcome)
            except Exception as error:  # the others are paid too
                work.stop(error)
            else:
                work.add(settled.requests)
                parts.append(settled)
        return batch_of(parts, billed, cost)

    def _outcome(self, in_flight: InFlight, outcome: Answer | BaseException) -> Settled:
        match outcome:
            case Answer():
                self._succeeded(in_flight.reservation.tokens)
                return self._policy.answered(in_flight.request, outcome)
            case RateLimitedError():
                self._limited(in_flight, outcome)
                return Settled(requests=(in_flight.request,))
            case HeadraceError():
                settled = self._policy.failed(in_flight.request, outcome)
                if isinstance(outcome, OutageError):
                    self._spare_the_server()
                return settled
            case _:
                raise outcome

    def _settle(self, work: "_Work", completed: Sequence[Completed]) -> tuple[int, float]:
        """Tokens and USD of the requests; trouble with the books must not cost a paid answer."""
        usages = [_usage(in_flight, outcome) for in_flight, outcome in completed]
        billed = sum(usage.tokens for usage in usages)
        try:
            return billed, self._account.settle(*usages)
        except HeadraceError as error:
            work.stop(error)
            return billed, sum(usage.reservation.usd for usage in usages)

    def _succeeded(self, tokens: int) -> None:
        self._concurrency.succeeded()
        self._throttle.succeeded(tokens)
        self._limits_in_a_row = 0
        self._success_at = self._clock.now()

    def _limited(self, in_flight: InFlight, error: RateLimitedError) -> None:
        asked = error.delay_seconds or 0.0
        if self._clock.now() + asked - self._success_at > PATIENCE_SECONDS:
            raise ServiceError(
                f"{error}; nothing came through for {PATIENCE_SECONDS / 60:g} minutes, or would not;"
                " lower requests_per_minute or tokens_per_minute, or run again later"
            ) from error
        is_news = self._concurrency.limited(in_flight.number, self._sent)
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
        while work.in_flight:
            completed = self._transport.wait(None)
            if completed is not None:
                work.in_flight -= 1
                self._settle(work, [completed])


class _Work:
    """What one call of `run` has still to do."""

    def __init__(
        self, batches: Iterable[Sequence[int]], texts: Sequence[str], tokens: Sequence[int], side: Side
    ) -> None:
        self.texts = texts
        self.tokens = tokens
        self.side: Side = side
        self.in_flight = 0
        self.stopped_by: Exception | None = None
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Request]] = []
        self.add(Request(tuple(rows)) for rows in batches)

    @property
    def is_going(self) -> bool:
        return bool(self.in_flight or self.next_request)

    @property
    def next_request(self) -> Request | None:
        """The one that may be sent first; none after an error."""
        return self._waiting[0][2] if self._waiting and self.stopped_by is None else None

    @contextmanager
    def taken(self, now: float, most: int) -> Generator[deque[Request], None, None]:
        """The first that may be sent now; those that are left when the block ends come back to their places."""
        entries: deque[tuple[float, int, Request]] = deque()
        while self._waiting and len(entries) < most and self._waiting[0][0] <= now:
            entries.append(heapq.heappop(self._waiting))
        requests = deque(request for _, _, request in entries)
        try:
            yield requests
        finally:
            for entry in list(entries)[len(entries) - len(requests) :]:
                heapq.heappush(self._waiting, entry)

    def add(self, requests: Iterable[Request]) -> None:
        for request in requests:
            heapq.heappush(self._waiting, (request.not_before, next(self._order), request))

    def put_first(self, requests: Sequence[Request]) -> None:
        """Put it before all others that may be sent as early."""
        for request in reversed(requests):
            heapq.heappush(self._waiting, (request.not_before, -next(self._order), request))

    def stop(self, error: Exception) -> None:
        """The first error is the one that is told."""
        self.stopped_by = self.stopped_by or error


def _usage(in_flight: InFlight, outcome: Answer | BaseException) -> Usage:
    """Tokens as told, or else as counted here. An answer that was lost may have been billed."""
    counted = in_flight.reservation.tokens
    match outcome:
        case Answer():
            told = outcome.billed_tokens
            return Usage(in_flight.reservation, counted if told is None else told, outcome.headers)
        case RateLimitedError():
            return Usage(in_flight.reservation, 0, outcome.headers)
        case MalformedError():
            return Usage(in_flight.reservation, counted)
        case OutageError() if outcome.may_be_billed:
            return Usage(in_flight.reservation, counted)
        case _:
            return Usage(in_flight.reservation, 0)
