"""Limits and money of one provider's account, shared by every process that names the same database."""

import hashlib
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from tasks.database.database import Database, Transaction
from tasks.embed.api.dispatch.backoff import Clock, limit_of
from tasks.embed.api.dispatch.books import open_books
from tasks.embed.api.dispatch.bucket import Bucket
from tasks.errors import BudgetError

KINDS = ("requests", "tokens")

_PUT_BUCKET = (
    "INSERT INTO bucket (account, kind, per_minute, level, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, kind)"
    " DO UPDATE SET per_minute = excluded.per_minute, level = excluded.level, at = excluded.at"
)
_PUT_PAUSE = (
    "INSERT INTO pause (account, until) VALUES (?, ?) ON CONFLICT (account) DO UPDATE"
    " SET until = CASE WHEN pause.until > excluded.until THEN pause.until ELSE excluded.until END"
)
SPEND = (
    "INSERT INTO spending (account, day, usd) VALUES (?, ?, ?)"
    " ON CONFLICT (account, day) DO UPDATE SET usd = spending.usd + excluded.usd"
)
_SPENT = (
    "SELECT (SELECT coalesce(sum(usd), 0) FROM spending WHERE account = ? AND day = ?)"
    " + (SELECT coalesce(sum(usd), 0) FROM reservation WHERE account = ? AND day = ?)"
)


@dataclass(frozen=True)
class Terms:
    """What the configuration allows and what a token costs; None: no limit.

    `tokens_factor` is how many tokens may be billed for one that is counted here, until the provider has told. The
    model of queries may have another price, None: it has not. A provider may count each text as a request.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_usd: float | None = None
    max_usd_per_day: float | None = None
    usd_per_million_tokens: float = 0.0
    tokens_factor: float = 1.0
    query_usd_per_million_tokens: float | None = None
    texts_count_as_requests: bool = False

    def usd_per_token(self, demand: "Demand") -> float:
        """The price of the model that is asked."""
        own = self.query_usd_per_million_tokens if demand.is_query else None
        return (self.usd_per_million_tokens if own is None else own) / 1e6


@dataclass(frozen=True)
class Demand:
    """A request that is to be sent."""

    tokens: int
    texts: int = 1
    is_query: bool = False


@dataclass(frozen=True)
class Reservation:
    """Leave to send one request. `usd` is set aside for it until it is settled."""

    id: str
    day: str
    tokens: int
    usd: float
    usd_per_token: float


@dataclass(frozen=True)
class Usage:
    """What came of a request: the tokens that it is billed for, and the headers of the answer."""

    reservation: Reservation
    tokens: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Account:
    """Money is set aside before a request and settled after it, so no limit is ever passed, by all processes together.

    What a killed process had set aside counts as spent: it may have been billed.
    """

    def __init__(self, url: str, names: tuple[str, ...], terms: Terms, clock: Clock) -> None:
        """`url` is the shared database; `names` tell accounts apart (provider, server, key), and are kept hashed."""
        self._url = url
        self._id = hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
        self._terms = terms
        self._clock = clock
        self._factor = terms.tokens_factor
        self._billed = 0.0  # tokens for one that was counted here, at most so far
        self._told: dict[str, float] = {}
        self.spent_usd = 0.0  # by this run, requests on their way included

    @property
    def tokens_per_minute(self) -> float | None:
        """The smaller of what is configured and what the provider said."""
        return self._limit("tokens", self._told.get("tokens"))

    @property
    def knows_limits(self) -> bool:
        """Whether the provider told them."""
        return bool(self._told)

    @property
    def goes_alone(self) -> bool:
        """Whether a request waits for the one before: money is limited, and none has told yet what tokens it bills."""
        has_limit = self._terms.max_usd is not None or self._terms.max_usd_per_day is not None
        return has_limit and not self._billed

    def claim(self, *demands: Demand) -> list[Reservation] | float:
        """Reservations for the first of these requests, as many as may go now; if none, the seconds to wait.

        BudgetError where already the first would pass a money limit. All in one transaction, for each waits for a disk.
        """
        now = self._now()
        with self._alone() as transaction:
            state = State(self._buckets(transaction, now), self._pause(transaction) - now)
            state.usd_today = self._spent(transaction, day_of(now)) if self._terms.max_usd_per_day is not None else 0.0
            wait = self._grant(state, demands, now)
            if state.reservations:
                self._put(transaction, state.buckets)
                rows = [
                    (reservation.id, self._id, reservation.day, reservation.usd) for reservation in state.reservations
                ]
                transaction.many("INSERT INTO reservation (id, account, day, usd) VALUES (?, ?, ?, ?)", rows)
        self.spent_usd += state.usd
        return state.reservations or wait

    def settle(self, *usages: Usage) -> float:
        """What the requests cost, in USD; learns the limits that the answers' headers name."""
        usd: dict[str, float] = {}
        for usage in usages:
            if usage.tokens and usage.reservation.tokens:
                self._factor = max(1.0, self._billed, usage.tokens / usage.reservation.tokens)
                self._billed = self._factor
            cost = usage.tokens * usage.reservation.usd_per_token
            usd[usage.reservation.day] = usd.get(usage.reservation.day, 0.0) + cost
        total = sum(usd.values())
        self.spent_usd += total - sum(usage.reservation.usd for usage in usages)
        with self._alone() as transaction:
            transaction.many("DELETE FROM reservation WHERE id = ?", [(usage.reservation.id,) for usage in usages])
            transaction.many(SPEND, [(self._id, day, cost) for day, cost in usd.items() if cost])
            self._learn(transaction, [usage.headers for usage in usages])
        return total

    def pause(self, seconds: float) -> None:
        """Nobody sends anything for so long."""
        with self._database.write() as transaction:
            transaction.execute(_PUT_PAUSE, (self._id, self._now() + seconds))

    def close(self) -> None:
        """Drop the connection; it opens again when needed."""
        if "_database" in self.__dict__:
            self.__dict__.pop("_database").close()

    @contextmanager
    def _alone(self) -> Generator[Transaction, None, None]:
        """No other process reads or changes this account meanwhile."""
        with self._database.write() as transaction:
            if self._database.is_shared:
                transaction.execute("SELECT pg_advisory_xact_lock(?)", (int(self._id[:15], 16),))
            yield transaction

    @cached_property
    def _database(self) -> Database:
        return open_books(self._url)

    @cached_property
    def _ahead(self) -> float:
        return self._database.now() - self._clock.now() if self._database.is_shared else 0.0

    def _now(self) -> float:
        """The time of the clock that all users of the database share."""
        return self._clock.now() + self._ahead

    def _limit(self, kind: str, told: float | None) -> float | None:
        own = self._terms.requests_per_minute if kind == "requests" else self._terms.tokens_per_minute
        return min((limit for limit in (own, told) if limit is not None), default=None)

    def _grant(self, state: "State", demands: Sequence[Demand], now: float) -> float:
        """Add reservations to the state as long as they may go; the seconds until the next may, 0 after the last."""
        try:
            for demand in demands:
                price = self._terms.usd_per_token(demand)
                usd = demand.tokens * self._factor * price
                self._check_run(usd, state)
                requests = demand.texts if self._terms.texts_count_as_requests else 1
                wanted = {"requests": requests, "tokens": demand.tokens}
                wait = max(state.paused_seconds, *(state.buckets[kind].wait(wanted[kind], now) for kind in KINDS))
                if wait > 0:
                    return wait
                self._check_day(usd, state, day_of(now))
                state.reservations.append(Reservation(uuid.uuid4().hex, day_of(now), demand.tokens, usd, price))
                state.buckets = {kind: state.buckets[kind].taken(wanted[kind], now) for kind in KINDS}
        except BudgetError:
            if not state.reservations:
                raise
        return 0.0

    def _buckets(self, transaction: Transaction, now: float) -> dict[str, Bucket]:
        found = {kind: Bucket.full(self._limit(kind, None), now) for kind in KINDS}
        rows = transaction.execute("SELECT kind, per_minute, level, at FROM bucket WHERE account = ?", (self._id,))
        for kind, per_minute, level, at in rows:
            if per_minute is not None:
                self._told[kind] = float(per_minute)
            found[kind] = Bucket(self._limit(kind, per_minute), float(level), float(at))
        return found

    def _put(self, transaction: Transaction, buckets: Mapping[str, Bucket]) -> None:
        known = [(kind, bucket) for kind, bucket in buckets.items() if bucket.per_minute is not None]
        rows = [(self._id, kind, self._told.get(kind), bucket.level, bucket.at) for kind, bucket in known]
        transaction.many(_PUT_BUCKET, rows)

    def _pause(self, transaction: Transaction) -> float:
        found = transaction.execute("SELECT until FROM pause WHERE account = ?", (self._id,)).scalar()
        return float(found or 0.0)

    def _spent(self, transaction: Transaction, day: str) -> float:
        return float(transaction.execute(_SPENT, (self._id, day) * 2).scalar())

    def _learn(self, transaction: Transaction, answers: Sequence[Mapping[str, str]]) -> None:
        said = [(kind, *limit_of(headers, kind)) for headers in answers for kind in KINDS]
        if all(limit is None for _, limit, _ in said):
            return
        now = self._now()
        buckets = self._buckets(transaction, now)
        for kind, limit, remaining in said:
            if limit is not None:
                self._told[kind] = limit
                buckets[kind] = buckets[kind].learned(self._limit(kind, limit), remaining, now)
        self._put(transaction, buckets)

    def _check_run(self, usd: float, state: "State") -> None:
        limit = self._terms.max_usd
        spent = self.spent_usd + state.usd
        if limit is not None and spent + usd > limit:
            raise BudgetError(
                f"max_usd is {limit:g}: {_dollars(spent)} are spent, the next request costs {_dollars(usd)}"
            )

    def _check_day(self, usd: float, state: "State", day: str) -> None:
        limit = self._terms.max_usd_per_day
        spent = state.usd_today + state.usd
        if limit is not None and spent + usd > limit:
            raise BudgetError(
                f"max_usd_per_day is {limit:g}: {_dollars(spent)} are spent on {day} (UTC) by all runs with this"
                f" account, the next request costs {_dollars(usd)}"
            )


@dataclass
class State:
    """The state of an account within one transaction; `usd_today` is without the reservations given in it."""

    buckets: dict[str, Bucket]
    paused_seconds: float
    usd_today: float = 0.0
    reservations: list[Reservation] = field(default_factory=list[Reservation])

    @property
    def usd(self) -> float:
        """The sum of its reservations."""
        return sum(reservation.usd for reservation in self.reservations)


def _dollars(usd: float) -> str:
    """So that no cost looks like none, and none takes a line."""
    return f"${usd:.6f}" if usd == 0 or 1e-6 <= usd < 1e9 else f"${usd:.2g}"


def day_of(now: float) -> str:
    """The day (UTC) of a time."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()
