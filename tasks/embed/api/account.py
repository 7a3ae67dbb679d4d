"""Limits and money of one provider's account, shared by every process that names the same database."""

import hashlib
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from tasks.database.database import Database, Transaction
from tasks.embed.api.bucket import Bucket
from tasks.embed.api.tables import BUDGET
from tasks.embed.backoff import Clock, limit_of
from tasks.errors import BudgetError

KINDS = ("requests", "tokens")
SCHEMA = "headrace_budget"

_PUT_BUCKET = (
    "INSERT INTO bucket (account, kind, per_minute, level, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, kind)"
    " DO UPDATE SET per_minute = excluded.per_minute, level = excluded.level, at = excluded.at"
)
_PUT_PAUSE = (
    "INSERT INTO pause (account, until) VALUES (?, ?) ON CONFLICT (account) DO UPDATE"
    " SET until = CASE WHEN pause.until > excluded.until THEN pause.until ELSE excluded.until END"
)
_SPEND = (
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

    `tokens_factor` is how many tokens may be billed for one that is counted here, until the provider has told.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_usd: float | None = None
    max_usd_per_day: float | None = None
    usd_per_million_tokens: float = 0.0
    tokens_factor: float = 1.0


@dataclass(frozen=True)
class Ticket:
    """Leave to send one request. `usd` is set aside for it until it is settled."""

    id: str
    day: str
    tokens: int
    usd: float


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

    def claim(self, tokens: int) -> Ticket | float:
        """A ticket, or the seconds to wait before asking again. BudgetError where it would pass a money limit."""
        usd = tokens * self._factor * self._terms.usd_per_million_tokens / 1e6
        self._check_run(usd)
        now = self._now()
        with self._alone() as transaction:
            buckets = {kind: self._bucket(transaction, kind, now) for kind in KINDS}
            wanted = {"requests": 1, "tokens": tokens}
            waits = [buckets[kind].wait(wanted[kind], now) for kind in KINDS]
            wait = max(*waits, self._pause(transaction) - now)
            if wait > 0:
                return wait
            ticket = Ticket(uuid.uuid4().hex, _day(now), tokens, usd)
            self._check_day(transaction, ticket)
            for kind in KINDS:
                self._put(transaction, kind, buckets[kind].taken(wanted[kind], now))
            row = (ticket.id, self._id, ticket.day, usd)
            transaction.execute("INSERT INTO reservation (id, account, day, usd) VALUES (?, ?, ?, ?)", row)
        self.spent_usd += usd
        return ticket

    def settle(self, ticket: Ticket, billed_tokens: int, headers: Mapping[str, str] | None = None) -> float:
        """What the request cost, in USD; learns the limits that the answer's headers name."""
        usd = billed_tokens * self._terms.usd_per_million_tokens / 1e6
        if billed_tokens and ticket.tokens:
            self._factor = max(1.0, self._billed, billed_tokens / ticket.tokens)
            self._billed = self._factor
        self.spent_usd += usd - ticket.usd
        with self._alone() as transaction:
            transaction.execute("DELETE FROM reservation WHERE id = ?", (ticket.id,))
            if usd:
                transaction.execute(_SPEND, (self._id, ticket.day, usd))
            self._learn(transaction, headers or {})
        return usd

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
        return Database(self._url, BUDGET, SCHEMA)

    @cached_property
    def _ahead(self) -> float:
        return self._database.now() - self._clock.now() if self._database.is_shared else 0.0

    def _now(self) -> float:
        """Of the clock that all users of the database share."""
        return self._clock.now() + self._ahead

    def _limit(self, kind: str, told: float | None) -> float | None:
        own = self._terms.requests_per_minute if kind == "requests" else self._terms.tokens_per_minute
        return min((limit for limit in (own, told) if limit is not None), default=None)

    def _bucket(self, transaction: Transaction, kind: str, now: float) -> Bucket:
        sql = "SELECT per_minute, level, at FROM bucket WHERE account = ? AND kind = ?"
        row = transaction.execute(sql, (self._id, kind)).one_or_none()
        if row is None:
            return Bucket.full(self._limit(kind, None), now)
        if row[0] is not None:
            self._told[kind] = float(row[0])
        return Bucket(self._limit(kind, row[0]), float(row[1]), float(row[2]))

    def _put(self, transaction: Transaction, kind: str, bucket: Bucket) -> None:
        if bucket.per_minute is not None:
            row = (self._id, kind, self._told.get(kind), bucket.level, bucket.at)
            transaction.execute(_PUT_BUCKET, row)

    def _pause(self, transaction: Transaction) -> float:
        found = transaction.execute("SELECT until FROM pause WHERE account = ?", (self._id,)).scalar()
        return float(found or 0.0)

    def _learn(self, transaction: Transaction, headers: Mapping[str, str]) -> None:
        now = self._now()
        for kind in KINDS:
            limit, remaining = limit_of(headers, kind)
            if limit is None:
                continue
            bucket = self._bucket(transaction, kind, now)
            self._told[kind] = limit
            self._put(transaction, kind, bucket.learned(self._limit(kind, limit), remaining, now))

    def _check_run(self, usd: float) -> None:
        limit = self._terms.max_usd
        if limit is not None and self.spent_usd + usd > limit:
            raise BudgetError(
                f"max_usd is {limit:g}: ${self.spent_usd:.6f} are spent, the next request costs ${usd:.6f}"
            )

    def _check_day(self, transaction: Transaction, ticket: Ticket) -> None:
        limit = self._terms.max_usd_per_day
        if limit is None:
            return
        where = (self._id, ticket.day)
        spent = float(transaction.execute(_SPENT, (*where, *where)).scalar())
        if spent + ticket.usd > limit:
            raise BudgetError(
                f"max_usd_per_day is {limit:g}: ${spent:.6f} are spent on {ticket.day} (UTC) by all runs with this"
                f" account, the next request costs ${ticket.usd:.6f}"
            )


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()
