"""Texts that may wait for a day: sent in batches at a lower price, and found again by whichever run comes next.

What is sent is kept before it can cost anything, under a mark that the provider keeps as well. So after a kill at any
moment the next run knows what was sent, asks for the results, and pays for nothing twice.
"""

import logging
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np

from tasks.embed.api.dispatch.batch_books import Batch, BatchAccount
from tasks.embed.api.dispatch.billing import can_be
from tasks.embed.api.patient import PatientApi
from tasks.embed.api.provider import BatchLine, BatchState
from tasks.embed.base import Fence
from tasks.errors import BudgetError, ConfigError, HeadraceError, ServiceError
from tasks.keyed_vectors import KeyedVectors
from tasks.records import EmbeddingKey, VectorSpace

FIRST_SECONDS = 1.0  # between two looks at what is on its way; each time half as much longer
MOST_SECONDS = 60.0
FEWEST_TEXTS = 100  # where not even so many may wait at once, nothing will come of it

Paid = tuple[KeyedVectors, Mapping[EmbeddingKey, int]]  # vectors, and the tokens that each was billed for
_log = logging.getLogger("headrace")


class Work(NamedTuple):
    """The vector space and the pipeline that it is for, and the price."""

    space: VectorSpace
    owner: str
    usd_per_token: float


class Batches:
    """What one run sends, waits for and books."""

    def __init__(self, api: PatientApi, account: BatchAccount, work: Work) -> None:
        """Nothing is asked yet."""
        self._api = api
        self._account = account
        self._work = work
        self._most_texts = api.most_texts
        self.stopped_by: BudgetError | None = None  # nothing more may be sent
        self.refused: set[EmbeddingKey] = set()  # whose text the provider does not take
        self.left = ""  # why some texts that were sent have no vector, and may be sent again

    def on_their_way(self) -> set[EmbeddingKey]:
        """Texts that were sent, by this run or an earlier one."""
        keys: set[EmbeddingKey] = set()
        for batch in self._kept():
            if not batch.batch_id and batch.owner == self._work.owner:
                batch_id = self._api.find(batch.mark)
                if batch_id is None:  # whoever kept it was killed before it was sent
                    self._account.end(batch, 0)
                    continue
                self._account.name(batch, batch_id)
            if batch.batch_id or batch.owner == self._work.owner:
                keys.update(batch.keys)
        return keys

    def fits(self, texts: int, size_bytes: int, /) -> bool:
        """Whether one batch takes another text."""
        return texts < self._most_texts and size_bytes <= self._api.most_bytes

    def line_bytes(self, text: str, /) -> int:
        """What the text takes of it."""
        return len(self._line(EmbeddingKey(bytes(16)), text))

    def send(self, texts: Mapping[EmbeddingKey, tuple[str, int]], /) -> None:
        """Send as much of it as there is money for; `stopped_by` says that this was not all."""
        entries = iter(texts.items())
        while self.stopped_by is None and (part := dict(islice(entries, self._most_texts))):
            self._send(self._set_aside(part), part)

    def collect(self, wanted: Collection[EmbeddingKey], fence: Fence, /) -> Iterator[Paid]:
        """Vectors as they are ready; a batch is booked when its last were taken.

        Raises ServiceError where a batch was refused as a whole, or cancelled, after all others have come.
        """
        self.left, error, pause = "", None, FIRST_SECONDS
        waiting = [one for one in self._kept() if self._concerns(one, wanted)]
        seen: dict[str, BatchState] = {}
        while waiting:
            fence.check()
            for batch in list(waiting):
                state = self._api.state(batch.batch_id)
                if state != seen.get(batch.mark):
                    seen[batch.mark] = state
                    done, total = f"{state.done:,}", f"{len(batch.keys):,}"
                    _log.info("batch %s: %s, %s of %s texts", batch.batch_id, state.status, done, total)
                if state.is_over:
                    waiting.remove(batch)
                    yield from self._read(batch, state)
                    error = error or self._verdict(batch, state)
            if waiting:
                self._api.clock.sleep(pause)
                pause = min(pause * 1.5, MOST_SECONDS)
        if error:
            raise error

    def _kept(self) -> list[Batch]:
        return self._account.batches(self._work.space.fingerprint)

    def _concerns(self, batch: Batch, wanted: Collection[EmbeddingKey]) -> bool:
        return bool(batch.batch_id) and (batch.owner == self._work.owner or not {*batch.keys}.isdisjoint(wanted))

    def _line(self, key: EmbeddingKey, text: str) -> bytes:
        return self._api.line(key, self._work.space.document_prefix + text)

    def _set_aside(self, texts: Mapping[EmbeddingKey, tuple[str, int]]) -> Batch:
        """Kept with its money, for as many of the texts as there is money for; BudgetError where that is none."""
        count, price = len(texts), self._work.usd_per_token
        while True:
            keys = tuple(islice(texts, count))
            tokens = sum(texts[key][1] for key in keys)
            batch = Batch(
                mark=uuid.uuid4().hex,
                space=self._work.space.fingerprint,
                owner=self._work.owner,
                batch_id="",
                day=self._account.today(),
                keys=keys,
                tokens=tokens,
                usd=tokens * price,
                usd_per_token=price,
            )
            try:
                self._account.set_aside(batch)
            except BudgetError as error:
                self.stopped_by = error
                if count == 1:
                    raise
                count //= 2
            else:
                return batch

    def _send(self, batch: Batch, texts: Mapping[EmbeddingKey, tuple[str, int]]) -> None:
        with tempfile.TemporaryFile() as file:
            file.writelines(self._line(key, texts[key][0]) for key in batch.keys)
            try:
                uploaded = self._api.upload(file)
                batch = self._account.name(batch, self._api.create(uploaded, batch.mark))
            except ConfigError as error:
                raise ConfigError(f"{error}; where the server has no Batch API, leave out embedder.delivery") from None
        _log.info("batch %s: %s texts are sent; it may take a day", batch.batch_id, f"{len(batch.keys):,}")

    def _read(self, batch: Batch, state: BatchState) -> Iterator[Paid]:
        """What came of it; whoever is killed before it is booked reads it again."""
        told = answered = seen = 0
        own = {*batch.keys}
        for file in state.files:
            for part in self._api.slices(file, len(batch.keys)):
                lines = [line for line in part if line.key in own]
                good = [line for line in lines if self._is_good(line)]
                seen += len(lines)
                answered += sum(line.vector is not None for line in lines)
                told += sum(line.tokens or 0 for line in lines)
                if good:
                    vectors = np.stack([np.asarray(line.vector, dtype=np.float32) for line in good])
                    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
                    tokens = {line.key: line.tokens or 0 for line in good}
                    yield KeyedVectors([*tokens], vectors), tokens
        if batch.owner == self._work.owner:
            counted = -(-batch.tokens * max(answered, state.done) // len(batch.keys))  # also for results that are lost
            self._account.end(batch, told if can_be(told, counted, answered) else counted)
        if seen < len(batch.keys) and not state.why:
            self.left = self.left or f"batch {batch.batch_id} is {state.status}"

    def _is_good(self, line: BatchLine) -> bool:
        """A text that is refused, or whose vector is none, is left to the ordinary way, which finds out why."""
        if line.is_refused:
            self.refused.add(line.key)
        elif line.vector is None:
            self.left = self.left or line.why
        else:
            norm = float(np.linalg.norm(line.vector))
            if np.isfinite(norm) and norm > 0:
                return True
            self.refused.add(line.key)
        return False

    def _verdict(self, batch: Batch, state: BatchState) -> HeadraceError | None:
        name = f"the batch {batch.batch_id}"
        if state.is_full and len(batch.keys) > FEWEST_TEXTS:
            self._most_texts = max(FEWEST_TEXTS, min(self._most_texts, len(batch.keys) // 2))
            self.left = state.why
            return None
        if state.why:
            return ServiceError(f"{name} was refused: {state.why}; nothing was paid for it")
        if state.status == "cancelled":
            return ServiceError(f"{name} was cancelled; what came of it is kept, and the next run sends the rest")
        return None
