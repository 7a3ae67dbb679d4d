"""A ledger in several databases: the rows of a document lie in one of them, chosen by a hash of its name.

Each shard is a ledger of its own, which a run works through before it opens the next, so its memory and its indexes
stay small. The database that `state` names has what there is once: the lease, the runs, the marks, the generations. Its
epoch is written into every shard before a run reads any, so a shard is fenced as a ledger is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from threading import Lock
from typing import TypeVar

from tasks.errors import FencedError
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked, keep_shards
from tasks.ledger.quarantine import QuarantinedDocument, QuarantineEntry
from tasks.ledger.rows import Counts, KnownDocument, KnownPoint, Owned, Row, Stray
from tasks.records import DocumentId, PointId
from tasks.slices import shard_of
from tasks.windows import DocumentChange, Quarantined, Remark

Item = TypeVar("Item")


class ShardedLedger(Ledger):
    """What one run asks for lies in one shard, or is put together."""

    def __init__(self, whole: Ledger, opened: Callable[[str], Ledger], count: int) -> None:
        """`whole` is the database that `state` names; `opened` opens a shard by its name."""
        self.database = whole.database
        self.epoch = None
        self.flow_run = self.dead_flow_run = ""
        self._opened = opened
        self._shards: list[Ledger | None] = [None] * count
        self._used: int | None = None  # whose turn it is
        self._turn = Lock()

    @property
    def shard_count(self) -> int:
        """So many."""
        return len(self._shards)

    def shard(self, number: int) -> Ledger:
        """Opened when it is first asked for; writers of several windows ask at the same time."""
        with self._turn:
            shard = self._shards[number]
            if shard is None:
                shard = self._shards[number] = self._opened(f"{number + 1}-of-{len(self._shards)}")
                shard.epoch = self.epoch
            return shard

    def in_turn(self) -> Iterator[Ledger]:
        """What one has open is closed before the next: all their caches together would not fit into memory."""
        return map(self._in_use, range(self.shard_count))

    def split(self, documents: Iterable[DocumentId]) -> Iterator[tuple[Ledger, Sequence[DocumentId]]]:
        """The shards that have some of these, each with its own."""
        return self._split(documents, lambda document: document)

    def fence(self) -> str:
        """Write the epoch into all shards; the name of one that has missed a run that wrote, "" where none has."""
        assert self.epoch is not None
        keep_shards(self, len(self._shards))
        marked, behind = epoch_marked(self), ""
        for number, shard in enumerate(self.in_turn()):
            with shard.database.write() as transaction:
                before = transaction.lock("SELECT epoch FROM lease").scalar() or 0
                if before > self.epoch:
                    raise FencedError(f"another run took the lease (epoch {before}, ours {self.epoch}); this run stops")
                transaction.execute(
                    "INSERT INTO lease (id, epoch, boot, clean, since) VALUES (1, ?, '', 1, 0)"
                    " ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch",
                    (self.epoch,),
                )
            shard.epoch = self.epoch
            if before < marked:
                behind = f"{number + 1}-of-{len(self._shards)}"
        return behind

    def documents(self, only: Sequence[DocumentId] | None = None) -> dict[DocumentId, KnownDocument]:
        """Everything known, in memory at once, or these alone."""
        parts = ((shard, None) for shard in self.in_turn()) if only is None else self.split(only)
        return {document: known for shard, ids in parts for document, known in shard.documents(ids).items()}

    def points(self, documents: Sequence[DocumentId]) -> dict[DocumentId, list[KnownPoint]]:
        """Points of the given documents in every state; documents without points are left out."""
        return {
            document: points for shard, ids in self.split(documents) for document, points in shard.points(ids).items()
        }

    def leaving(self, state: str, before: float | None = None) -> list[Owned]:
        """DOOMED or GONE points, those gone before the given time if one is given."""
        return [owned for shard in self.in_turn() for owned in shard.leaving(state, before)]

    def rows(self) -> dict[PointId, Row]:
        """Every point there is, in memory at once; for verification only."""
        return {point: row for shard in self.in_turn() for point, row in shard.rows().items()}

    def intend(self, changes: Sequence[DocumentChange]) -> None:
        """One transaction for each shard: each document is in one of them."""
        for shard, part in self._split(changes, lambda change: change.id):
            shard.intend(part)

    def flip(self, changes: Sequence[DocumentChange]) -> None:
        """One transaction for each shard: each document is in one of them."""
        for shard, part in self._split(changes, lambda change: change.id):
            shard.flip(part)

    def drop(self, documents: Sequence[DocumentId]) -> None:
        """One transaction for each shard."""
        for shard, part in self.split(documents):
            shard.drop(part)

    def mark_gone(self, points: Sequence[Owned], now: float) -> None:
        """One transaction for each shard."""
        for shard, part in self._split(points, lambda owned: owned[0]):
            shard.mark_gone(part, now)

    def correct(self, now: float) -> None:
        """The clock is that of all shards."""
        for shard in self.in_turn():
            shard.correct(now)

    def forget_absent(self, absent: Sequence[Owned], back: Sequence[Owned], now: float) -> None:
        """One transaction for each shard and kind."""
        for shard, part in self._split(absent, lambda owned: owned[0]):
            shard.forget_absent(part, [], now)
        for shard, part in self._split(back, lambda owned: owned[0]):
            shard.forget_absent([], part, now)

    def mark_for_repair(self, wrong: Sequence[Owned]) -> None:
        """One transaction for each shard."""
        for shard, part in self._split(wrong, lambda owned: owned[0]):
            shard.mark_for_repair(part)

    def adopt(self, strays: Sequence[Stray]) -> None:
        """One transaction for each shard."""
        for shard, part in self._split(strays, lambda stray: stray.book.document):
            shard.adopt(part)

    def quarantine(self, failures: Sequence[Quarantined]) -> None:
        """One transaction for each shard."""
        for shard, part in self._split(failures, lambda failure: failure.id):
            shard.quarantine(part)

    def forget_quarantined(self, documents: Sequence[DocumentId]) -> None:
        """One transaction for each shard."""
        for shard, part in self.split(documents):
            shard.forget_quarantined(part)

    def quarantine_entries(self) -> dict[DocumentId, QuarantineEntry]:
        """What is in quarantine, for a run to compare documents with."""
        return {document: entry for shard in self.in_turn() for document, entry in shard.quarantine_entries().items()}

    def quarantined(self) -> list[QuarantinedDocument]:
        """What is in quarantine, for a person."""
        return sorted((one for shard in self.in_turn() for one in shard.quarantined()), key=lambda one: one.document)

    def remarks(self) -> list[Remark]:
        """What documents have that their chunks lack, by id."""
        return sorted(remark for shard in self.in_turn() for remark in shard.remarks())

    def counts(self) -> Counts:
        """The counts of everything that the shards know."""
        each = [astuple(shard.counts()) for shard in self.in_turn()]
        return Counts(*map(sum, zip(*each, strict=True)))

    def remove(self) -> None:
        """The shards first: the database that names them says that there are some."""
        for shard in self.in_turn():
            shard.remove()
        super().remove()

    def close(self) -> None:
        """Release the files."""
        for shard in self._shards:
            if shard is not None:
                shard.close()
        super().close()

    def _split(
        self, items: Iterable[Item], document_of: Callable[[Item], DocumentId]
    ) -> Iterator[tuple[Ledger, Sequence[Item]]]:
        parts: Mapping[int, list[Item]] = defaultdict(list)
        for item in items:
            parts[shard_of(document_of(item), len(self._shards))].append(item)
        for number, part in parts.items():
            yield self._in_use(number), part

    def _in_use(self, number: int) -> Ledger:
        """The shard, whose turn it is from here on."""
        before, self._used = self._used, number
        if before is not None and before != number:
            self.shard(before).database.rest()
        return self.shard(number)
