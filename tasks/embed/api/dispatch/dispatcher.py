"""Sends the requests of one account: as many at once as it stands, none over a limit, none lost."""

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from tasks.embed.api.dispatch.account import Account, Reservation
from tasks.embed.api.dispatch.backoff import LONG_SECONDS, PATIENCE_SECONDS, Clock, jitter
from tasks.embed.api.dispatch.billing import usage
from tasks.embed.api.dispatch.concurrency import OPEN_SECONDS, Concurrency, RetryBudget, Throttle
from tasks.embed.api.dispatch.outcomes import Answer, OutageError, RateLimitedError, TooLargeError
from tasks.embed.api.dispatch.requests import NOTHING_YET, OutcomePolicy, Request, Settled, batch_of
from tasks.embed.api.dispatch.sizes import Sizes
from tasks.embed.api.dispatch.transport import Completed, InFlight, Side, Transport
from tasks.errors import BudgetError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch

SLOW_SECONDS = 20.0  # an answer that is lost after so long is a proxy's time limit, and not an outage
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
        self._timed_out: set[int] = set()  # hashes of the texts: each is sent once more, in the whole run

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
        work = _Work(batches, texts, tokens, side, self._policy.sizes)
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
        while (request := work.next_request) is not None and (room := self._room(work)) > 0:
            now = self._clock.now()
            delay = max(max(request.not_before, self._closed_until) - now, self._throttle.wait())
            if delay > 0:
                return delay
            with work.taken(now, 1 if self._throttle.is_on else room) as requests:
                try:
                    claimed = self._account.claim(*(one.demand(work.tokens, work.side == "query") for one in requests))
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

    def _room(self, work: "_Work") -> int:
        """So many requests more may be on their way."""
        return (1 if self._account.goes_alone else self._concurrency.window) - work.in_flight

    def _send(self, work: "_Work", request: Request, reservation: Reservation) -> None:
        self._sent += 1
        self._retries.sent()
        self._throttle.sent(reservation.tokens)
        work.in_flight += 1
        seconds = self._policy.sizes.seconds(reservation.tokens)
        in_flight = InFlight(request, reservation, self._sent, work.side, self._clock.now(), seconds)
        self._transport.send(in_flight, request.texts(work.texts))

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
                settled = self._outcome(work, in_flight, outcome)
            except Exception as error:  # the others are paid too
                work.stop(error)
            else:
                work.add(settled.requests)
                parts.append(settled)
        work.fit()
        return batch_of(parts, billed, cost)

    def _outcome(self, work: "_Work", in_flight: InFlight, outcome: Answer | BaseException) -> Settled:
        took = (in_flight.landed_at or self._clock.now()) - in_flight.sent_at
        match outcome:
            case Answer():
                self._succeeded(in_flight, took)
                return self._policy.answered(in_flight.request, outcome)
            case RateLimitedError():
                self._limited(in_flight, outcome)
                return Settled(requests=(in_flight.request,))
            case OutageError() if outcome.timed_out or (outcome.may_be_billed and took >= SLOW_SECONDS):
                return self._slow(work, in_flight, max(took, in_flight.seconds if outcome.timed_out else 0.0))
            case HeadraceError():
                if isinstance(outcome, TooLargeError):
                    self._policy.too_large(outcome, len(in_flight.request.rows), in_flight.reservation.tokens)
                settled = self._policy.failed(in_flight.request, outcome)
                if isinstance(outcome, OutageError):
                    self._spare_the_server()
                return settled
            case _:
                raise outcome

    def _settle(self, work: "_Work", completed: Sequence[Completed]) -> tuple[int, float]:
        """Tokens and USD of the requests; trouble with the books must not cost a paid answer."""
        usages = [usage(in_flight, outcome) for in_flight, outcome in completed]
        billed = sum(one.tokens for one in usages)
        try:
            return billed, self._account.settle(*usages)
        except HeadraceError as error:
            work.stop(error)
            return billed, sum(one.reservation.usd for one in usages)

    def _slow(self, work: "_Work", in_flight: InFlight, seconds: float) -> Settled:
        """It was paid for, and will be again; so it is sent again once, in parts, one after the other.

        Before all else, for it shows whether the server can do so much at all.
        """
        request, tokens = in_flight.request, in_flight.reservation.tokens
        texts = {hash(text) for text in request.texts(work.texts)}
        again = self._policy.timed_out(request, tokens, seconds, is_second=not texts.isdisjoint(self._timed_out))
        self._timed_out |= texts
        self._concurrency.collapse()
        work.put_first(list(again.parts(self._policy.sizes, work.tokens)))
        return Settled()

    def _succeeded(self, in_flight: InFlight, seconds: float) -> None:
        tokens = in_flight.reservation.tokens
        self._policy.sizes.taken(len(in_flight.request.rows), tokens, seconds)
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
            if completed := self._transport.wait(None):
                work.in_flight -= 1
                self._settle(work, [completed])


class _Work:
    """What one call of `run` has still to do."""

    def __init__(
        self, batches: Iterable[Sequence[int]], texts: Sequence[str], tokens: Sequence[int], side: Side, sizes: Sizes
    ) -> None:
        self._sizes = sizes
        self.texts = texts
        self.tokens = tokens
        self.side: Side = side
        self.in_flight = 0
        self.stopped_by: Exception | None = None
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Request]] = []
        self._bound = sizes.bound
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
        """No larger than the server takes."""
        for request in requests:
            for part in request.parts(self._sizes, self.tokens):
                heapq.heappush(self._waiting, (part.not_before, next(self._order), part))

    def fit(self) -> None:
        """Divide what waits, where the server was seen to take less than was believed."""
        before, self._bound = self._bound, self._sizes.bound
        if self._bound != before:
            waiting, self._waiting = sorted(self._waiting), []
            self.add(request for _, _, request in waiting)

    def put_first(self, requests: Sequence[Request]) -> None:
        """Put it before all others that may be sent as early."""
        for request in reversed(requests):
            heapq.heappush(self._waiting, (request.not_before, -next(self._order), request))

    def stop(self, error: Exception) -> None:
        """The first error is the one that is told."""
        self.stopped_by = self.stopped_by or error
