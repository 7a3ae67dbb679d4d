"""What readers lose where one generation takes the place of another: all that a sync of the live one would weigh, too.

The two have their chunks and vectors by different settings, so their documents are compared by samples of their texts.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from tasks.dedupe.diff import Changes, Known
from tasks.dedupe.near import Groups, comparable, pairs_from, without
from tasks.dedupe.window import LEAST_KEPT, SHRUNK
from tasks.ledger.copies import known_copies
from tasks.ledger.ledger import KnownDocument, Ledger
from tasks.ledger.lookup import samples, without_samples
from tasks.records import DocumentId
from tasks.slices import slices
from tasks.sync.deletions import Leavers, Losses
from tasks.sync.listing import Shard, Survey
from tasks.sync.samples import stored_samples
from tasks.upsert.base import VectorStore
from tasks.windows import DocumentChange

DOCUMENTS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Switch:
    """`new` in place of `live`; `collection` opens that of the live one, where its ledger has no samples."""

    live: Ledger
    new: Ledger
    collection: Callable[[], VectorStore]

    def losses(self) -> tuple[Leavers, Survey]:
        """What goes, and what there is."""
        served, then = (
            {document: known for document, known in ledger.documents().items() if known.chunks or document in copies}
            for ledger, copies in ((self.live, ()), (self.new, known_copies(self.new)))
        )
        sources = Counter(known.source for known in served.values())
        lost = {document: served[document] for document in sorted(served.keys() - then.keys())}
        silent = tuple(sorted(sources.keys() - {known.source for known in then.values()}))
        survey = Survey(lambda: iter(()), sources, lost, silent=silent, listed=len(then))
        losses = Losses(survey)
        losses.begin(Shard(Known(served), Changes((), (), (), (), ())))
        losses.see(self._changes(served, then))
        return losses.leavers(), survey

    def _changes(
        self, served: Mapping[DocumentId, KnownDocument], then: Mapping[DocumentId, KnownDocument]
    ) -> Iterator[DocumentChange]:
        """Those that take much away."""
        groups, both = Groups(), sorted(served.keys() & then.keys())
        lacking = without_samples(self.live).intersection(both)
        stored: Mapping[DocumentId, bytes] = {}
        if lacking:
            with closing(self.collection()) as store:
                stored = stored_samples(store, lacking)
        for part in slices(both, DOCUMENTS_AT_ONCE):
            before, now = samples(self.live, part), samples(self.new, part)
            for document in part:
                known, text = then[document], now.get(document, b"")
                former = comparable(before.get(document) or stored.get(document, b""), text)
                lost = without(former, pairs_from(text))
                if len(lost) > (1 - LEAST_KEPT) * len(former):
                    yield DocumentChange(
                        id=document,
                        source=known.source,
                        version=str(known.version),
                        hint="",
                        chunks=known.chunks,
                        tokens=known.tokens,
                        is_unchanged=False,
                        is_shrunk=known.tokens * SHRUNK <= served[document].tokens,
                        sample=text,
                        former=former,
                        lost=lost,
                        like=groups.leader(document, text),
                    )
