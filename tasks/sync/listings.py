"""What the sources list, each asked once, and which documents of it belong to a shard of the ledger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from config.sources import Source as SourceSection
from tasks.errors import DocumentError, TransientError
from tasks.load.base import Source, Splitting
from tasks.load.paths import document_id
from tasks.records import DocumentId, DocumentRef, FailedScope, Listing
from tasks.session import Session
from tasks.slices import shard_of


class Listings:
    """What each source told; `only`: nothing but these documents was asked about, None: about all there are.

    Where the ledger has several shards, rows of databases, tables and functions wait on disk until their shard's turn;
    the refs of other sources are in memory.
    """

    def __init__(self, session: Session) -> None:
        """Ask each source."""
        self._shards = session.ledger.shard_count
        self._sources = [session.sources[config.name] for config in session.pipeline.sources]
        at_once = session.pipeline.runner.shards_at_once
        self._split = {
            source.name: source
            for source in self._sources
            if self._shards > 1 and isinstance(source, Splitting) and source.split(self._shards, at_once)
        }
        self.all = [
            self._listing(source, config)
            for source, config in zip(self._sources, session.pipeline.sources, strict=True)
        ]
        self.failed = [scope for listing in self.all for scope in listing.failed]
        asked = [listing.only for listing in self.all]
        self.only: set[DocumentId] | None = None
        if all(one is not None for one in asked):
            self.only = {document for one in asked for document in one or ()}
        self._whole = self._by_shard()

    def refs(self, shard: int) -> Sequence[DocumentRef]:
        """Those of one shard; those of sources that list by shards can be read until enough others are asked for."""
        refs = [ref for source in self._split.values() for ref in source.refs(shard)]
        return [*self._whole[shard], *refs]

    def counts(self) -> Counter[str]:
        """How many documents each source lists; takes a look at all of them."""
        return Counter(ref.source for shard in range(self._shards) for ref in self.refs(shard))

    def _by_shard(self) -> list[list[DocumentRef]]:
        parts: list[list[DocumentRef]] = [[] for _ in range(self._shards)]
        for listing in self.all:
            if self._shards == 1:
                parts[0] += listing.refs
            else:
                for ref in listing.refs:
                    parts[shard_of(ref.id, self._shards)].append(ref)
        if self._shards > 1:
            self.all = [replace(listing, refs=()) for listing in self.all]
        return parts

    def _listing(self, source: Source, config: SourceSection) -> Listing:
        """The source's listing, not believed where it lacks something and the canary is missing or cannot be read."""
        listing = source.list()
        if config.canary is None or listing.only is not None or failed_wholly(listing):
            return listing
        problem = self._missed_canary(source, listing, config.canary)
        if not problem:
            return listing
        failed = FailedScope(f"{source.name}:", f"the canary {config.canary!r} of source {source.name!r} {problem}")
        return replace(listing, failed=(*listing.failed, failed))

    def _missed_canary(self, source: Source, listing: Listing, canary: str) -> str:
        refs: Sequence[DocumentRef] = listing.refs
        if split := self._split.get(source.name):
            refs = split.refs(shard_of(document_id(source.name, canary), self._shards))
        ref = next((ref for ref in refs if ref.path == canary), None)
        if ref is None:
            return "is not listed"
        try:
            source.read(ref)
        except (DocumentError, TransientError) as error:
            return f"cannot be read: {error}"
        return ""


def failed_wholly(listing: Listing) -> bool:
    """Whether nothing of the source is known."""
    return any(scope.prefix == f"{listing.source}:" for scope in listing.failed)
