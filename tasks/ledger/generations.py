"""The generations of a pipeline: collections beside each other, one of which is live.

The table lies in the first generation's ledger. One transaction makes another generation the live one, and that is the
truth for Headrace's own readers; the name that the store publishes for others follows it.

    BUILDING --switch--> LIVE --switch to another--> KEPT --switch back--> LIVE
        +------ not wanted any more ------------------+----> LEAVING --dropped--> GONE
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tasks.database.database import Database, Transaction
from tasks.errors import FencedError
from tasks.ledger.ledger import Ledger

BUILDING, LIVE, KEPT, LEAVING, GONE = "BUILDING", "LIVE", "KEPT", "LEAVING", "GONE"

_PUT = (
    "INSERT INTO generation (number, state, settings, space, overrules, built_at, since, is_published)"
    " VALUES (?, ?, ?, ?, '', ?, ?, 0) ON CONFLICT (number) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Generation:
    """`settings` are those that it was built with, None where nobody kept them.

    `overrules` is the shape of the settings that a person rolled back from: they are in the configuration on purpose.
    `quality` says how it answered beside the one before it, where that was measured.

    `built_at` is when it first became live, `since` when it last did, was left, or was begun.
    """

    number: int
    state: str
    settings: Mapping[str, Any] | None
    space: str
    overrules: str
    built_at: float | None
    since: float
    is_published: bool
    quality: str | None = None


class Registry:
    """All writes are single transactions; a number is never used again."""

    def __init__(self, database: Database) -> None:
        """`database` is that of the first generation's ledger."""
        self._database = self.database = database

    def generations(self) -> list[Generation]:
        """Those that are there, by number."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT number, state, settings, space, overrules, built_at, since, is_published, quality"
                " FROM generation WHERE state <> 'GONE' ORDER BY number"
            )
            return [_generation(row) for row in rows]

    def live(self) -> Generation | None:
        """The one that is read; None before the first run has ended its beginning."""
        return next((one for one in self.generations() if one.state == LIVE), None)

    def previous(self) -> Generation | None:
        """The one that was live before."""
        return next(iter(_kept(self.generations())), None)

    def next_number(self) -> int:
        """A number that no generation has had."""
        with self._database.read() as transaction:
            return int(transaction.execute("SELECT MAX(number) FROM generation").scalar() or 1) + 1

    def record(self, number: int, settings: Mapping[str, Any] | None, space: str) -> None:
        """What a generation is built with, as it is now; the first that is recorded is the live one."""
        text = None if settings is None else json.dumps(settings, sort_keys=True)
        known = next((one for one in self.generations() if one.number == number), None)
        if known and (known.settings, known.space) == (settings, space):
            return
        now = self._database.now()
        with self._write("record a generation") as transaction:
            transaction.execute(_PUT, (number, LIVE, text, space, now, now))
            transaction.execute("UPDATE generation SET settings = ?, space = ? WHERE number = ?", (text, space, number))

    def begin(self, number: int, settings: Mapping[str, Any], space: str) -> None:
        """Build this one; nothing happens where it has been begun."""
        now = self._database.now()
        with self._write("begin a generation") as transaction:
            transaction.execute(_PUT, (number, BUILDING, json.dumps(settings, sort_keys=True), space, None, now))

    def judge(self, number: int, quality: str) -> None:
        """How it answered beside the live one, in words."""
        with self._write("judge a generation") as transaction:
            transaction.execute("UPDATE generation SET quality = ? WHERE number = ?", (quality, number))

    def switch(self, number: int, expected: str, overrules: str = "") -> None:
        """Make it the live one; FencedError where it is not in the expected state: another process was quicker."""
        now = self._database.now()
        with self._write("switch") as transaction:
            row = transaction.lock("SELECT state FROM generation WHERE number = ?", (number,)).one_or_none()
            if row is None or row[0] != expected:
                raise FencedError(
                    f"generation {number} is {row[0] if row else GONE} by now, expected {expected}; another process"
                    " was quicker: `headrace generations` shows what there is"
                )
            transaction.execute("UPDATE generation SET state = ?, since = ? WHERE state = ?", (KEPT, now, LIVE))
            transaction.execute(
                "UPDATE generation SET state = ?, built_at = COALESCE(built_at, ?), since = ?, overrules = ?,"
                " is_published = 0 WHERE number = ?",
                (LIVE, now, now, overrules, number),
            )

    def published(self, number: int) -> None:
        """The store's name leads to this one."""
        with self._write("published") as transaction:
            transaction.execute(
                "UPDATE generation SET is_published = CASE WHEN number = ? THEN 1 ELSE 0 END", (number,)
            )

    def keep(self, most: int, days: float | None) -> list[Generation]:
        """So many besides the live one stay, the newest, and none but the one before for longer than these days.

        Returns what there is then.
        """
        oldest = -math.inf if days is None else self._database.now() - days * 86_400
        rows = self.generations()
        old = [one.number for place, one in enumerate(_kept(rows)) if place >= most or (place and one.since < oldest)]
        for number in old:
            self.leave(number)
        return self.generations() if old else rows

    def leave(self, number: int) -> None:
        """It is to be dropped; never the live one."""
        with self._write("leave") as transaction:
            transaction.execute(
                "UPDATE generation SET state = ? WHERE number = ? AND state <> ?", (LEAVING, number, LIVE)
            )

    def forget(self, number: int) -> None:
        """It has been dropped."""
        with self._write("forget a generation") as transaction:
            transaction.execute(
                "UPDATE generation SET state = ? WHERE number = ? AND state = ?", (GONE, number, LEAVING)
            )

    def _write(self, _label: str) -> AbstractContextManager[Transaction]:
        return self._database.write()


def _kept(rows: Sequence[Generation]) -> list[Generation]:
    """The newest first."""
    return sorted((one for one in rows if one.state == KEPT), key=lambda one: (-one.since, -one.number))


def _generation(row: Sequence[Any]) -> Generation:
    number, state, settings, space, overrules, built_at, since, is_published, quality = row
    kept = json.loads(settings or "null")
    return Generation(number, state, kept, space, overrules, built_at, since, bool(is_published), quality)


def erase(ledger: Ledger) -> None:
    """Forget what the ledger says of a collection that was dropped; the table of generations stays."""
    own = ("departure", "run", "meta")
    rows = ("document", "point", "quarantine")
    for shard in ledger.in_turn():
        _empty(shard, rows if shard is not ledger else (*rows, *own))
    if ledger.shard_count > 1:
        _empty(ledger, own)


def _empty(ledger: Ledger, tables: Iterable[str]) -> None:
    with ledger.fenced("erase") as transaction:
        for table in tables:
            transaction.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
