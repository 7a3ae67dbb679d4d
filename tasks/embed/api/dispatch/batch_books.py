"""Batches that a provider works off within a day, kept so that whatever ends a run, the next one finds them again."""

from contextlib import closing
from dataclasses import dataclass, replace

from tasks.database.address import sqlite_path
from tasks.database.database import Database, Transaction
from tasks.embed.api.dispatch.account import SPEND, Account, State, Terms, day_of
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.books import SCHEMA
from tasks.embed.api.dispatch.tables import BUDGET
from tasks.records import EmbeddingKey

BATCH_DAYS = 29  # the files of older ones are gone
_KEY_BYTES = 16
_PUT = (
    "INSERT INTO batch (account, mark, space, owner, batch_id, day, texts, tokens, usd, usd_per_token)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_GET = (
    "SELECT mark, space, owner, batch_id, day, texts, tokens, usd, usd_per_token FROM batch"
    " WHERE account = ? AND space = ? AND day >= ? ORDER BY day, mark"
)


@dataclass(frozen=True)
class Batch:
    """Texts that were sent together; `mark` is their name here, `batch_id` the provider's, empty until it is known.

    `owner` is the pipeline that sent them, and alone books what they cost. `tokens` are those that were counted here.
    """

    mark: str
    space: str
    owner: str
    batch_id: str
    day: str
    keys: tuple[EmbeddingKey, ...]
    tokens: int
    usd: float
    usd_per_token: float


def put_batch(transaction: Transaction, account: str, batch: Batch) -> None:
    """Keep it."""
    values = (batch.mark, batch.space, batch.owner, batch.batch_id, batch.day, b"".join(batch.keys), batch.tokens)
    transaction.execute(_PUT, (account, *values, batch.usd, batch.usd_per_token))


def name_batch(transaction: Transaction, batch: Batch, batch_id: str) -> Batch:
    """Keep the provider's name for it."""
    transaction.execute("UPDATE batch SET batch_id = ? WHERE mark = ?", (batch_id, batch.mark))
    return replace(batch, batch_id=batch_id)


def batches_of(transaction: Transaction, account: str, space: str, since: str) -> list[Batch]:
    """Those of a vector space; those of days before `since` are forgotten."""
    transaction.execute("DELETE FROM batch WHERE account = ? AND day < ?", (account, since))
    return _kept(transaction, account, space, since)


def _kept(transaction: Transaction, account: str, space: str, since: str) -> list[Batch]:
    return [
        Batch(mark, space, owner, batch_id, day, _keys(bytes(texts)), int(tokens), float(usd), float(price))
        for mark, space, owner, batch_id, day, texts, tokens, usd, price in transaction.execute(
            _GET, (account, space, since)
        )
    ]


def drop_batch(transaction: Transaction, batch: Batch) -> bool:
    """Whether it was kept until now."""
    found = transaction.execute("SELECT count(*) FROM batch WHERE mark = ?", (batch.mark,)).scalar()
    transaction.execute("DELETE FROM batch WHERE mark = ?", (batch.mark,))
    return bool(found)


def _keys(joined: bytes) -> tuple[EmbeddingKey, ...]:
    return tuple(EmbeddingKey(joined[at : at + _KEY_BYTES]) for at in range(0, len(joined), _KEY_BYTES))


class BatchAccount(Account):
    """An account that also pays for batches, out of the same money."""

    def __init__(self, url: str, names: tuple[str, ...], terms: Terms, clock: Clock) -> None:
        """The same as any account."""
        super().__init__(url, names, terms, clock)
        self._set_aside: dict[str, float] = {}  # by the marks of batches that this run has sent

    def set_aside(self, batch: Batch) -> None:
        """Keep a batch, and its money, before it is sent; BudgetError where it would pass a limit.

        Limits per minute are not for batches.
        """
        with self._alone() as transaction:
            state = State({}, 0.0)
            state.usd_today = self._spent(transaction, batch.day) if self._terms.max_usd_per_day is not None else 0.0
            self._check_run(batch.usd, state)
            self._check_day(batch.usd, state, batch.day)
            reservation = (batch.mark, self._id, batch.day, batch.usd)
            transaction.execute("INSERT INTO reservation (id, account, day, usd) VALUES (?, ?, ?, ?)", reservation)
            put_batch(transaction, self._id, batch)
        self._set_aside[batch.mark] = batch.usd
        self.spent_usd += batch.usd

    def name(self, batch: Batch, batch_id: str) -> Batch:
        """The batch with the provider's name for it, which is kept."""
        with self._database.write() as transaction:
            return name_batch(transaction, batch, batch_id)

    def batches(self, space: str) -> list[Batch]:
        """Those of a vector space that are kept, whoever has sent them."""
        with self._database.write() as transaction:
            return batches_of(transaction, self._id, space, self.today(-BATCH_DAYS))

    def peek(self, space: str) -> list[Batch]:
        """The same without a write."""
        path = sqlite_path(self._url)
        if path is not None and not path.exists():
            return []
        with closing(Database(self._url, BUDGET, SCHEMA, read_only=True)) as database, database.read() as transaction:
            return _kept(transaction, self._id, space, day_of(self._clock.now() - BATCH_DAYS * 86_400))

    def end(self, batch: Batch, tokens: int) -> None:
        """Book what a batch was billed for, once; it is kept no longer."""
        cost = tokens * batch.usd_per_token
        with self._alone() as transaction:
            if not drop_batch(transaction, batch):
                return
            transaction.execute("DELETE FROM reservation WHERE id = ?", (batch.mark,))
            if cost:
                transaction.execute(SPEND, (self._id, batch.day, cost))
        self.spent_usd += cost - self._set_aside.pop(batch.mark, 0.0)

    def today(self, days: int = 0) -> str:
        """The day (UTC), or so many days later."""
        return day_of(self._now() + days * 86_400)
