"""The start of a run: what the sources hold, compared with what the ledger knows."""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from config.options import SyncOptions
from config.source_sections import PathsSection
from tasks.dedupe.diff import Changes, Copies, Known, find_changes, is_told_by_embeddings, within, without_ruled
from tasks.errors import ConfigError, ServiceError
from tasks.ledger.ledger import KnownDocument, Ledger
from tasks.ledger.lookup import count_documents, known_of, without_samples
from tasks.ledger.marks import keep_recollection, recollection
from tasks.ledger.quarantine import QuarantineEntry
from tasks.load.base import Remembering
from tasks.load.labels import Labelled
from tasks.records import DocumentId, DocumentRef
from tasks.session import Session
from tasks.slices import shard_of
from tasks.sync.copies import find_copies
from tasks.sync.listings import Listings, failed_wholly
from tasks.sync.names import Copy
from tasks.sync.readers import Grant, Grants, find_grants
from tasks.sync.report import Outcome, Report
from tasks.sync.samples import stored_samples
from tasks.windows import Quarantined, Remark


@dataclass(frozen=True, slots=True)
class Shard:
    """The documents of one shard of the ledger, or all of them, and what of them is to be done.

    `grants` are new readers of documents of which nothing else has changed.
    """

    known: Known
    changes: Changes
    grants: Grants = field(default_factory=dict[DocumentId, Grant])


def joined(shards: Sequence[Shard]) -> Shard:
    """Several shards as one, without what is granted; their windows are their own."""
    first, *others = shards
    for shard in others:
        mine, theirs = first.changes, shard.changes
        parts = (getattr(mine, one.name) + getattr(theirs, one.name) for one in fields(Changes))
        first = Shard(first.known.joined(shard.known), Changes(*parts))
    return first


@dataclass
class Survey:
    """What a run starts from: sums over all shards, and each shard when its turn comes.

    `known` counts documents of the ledger by source; `lost` are those that are not listed any more, `left` quarantined
    ones of that kind; `silent` sources list nothing at all. `doubtful` are those of which it is not known whether the
    collection has them as they are, where it matters who may read them. `others` are documents that nothing was asked
    about; `is_part`: this looked at some documents alone.
    """

    shards: Callable[[], Iterator[Shard]]
    known: Counter[str] = field(default_factory=Counter[str])
    lost: dict[DocumentId, KnownDocument] = field(default_factory=dict[DocumentId, KnownDocument])
    left: list[DocumentId] = field(default_factory=list[DocumentId])
    silent: tuple[str, ...] = ()
    doubtful: list[DocumentRef] = field(default_factory=list[DocumentRef])
    listed: int = 0
    to_read: int = 0
    size_bytes: int = 0
    unknown: int = 0
    others: int = 0
    copies: Copies = field(default_factory=Copies)
    is_part: bool = False

    def add(self, shard: Shard, *, has_readers: bool) -> None:
        """Count a shard; what it holds is not kept."""
        changes, documents = shard.changes, shard.known.documents
        self.known.update(document.source for document in documents.values())
        self.lost.update((document, documents[document]) for document in changes.missing)
        if has_readers:
            self.doubtful += (*changes.to_read, *changes.quarantined, *changes.ruled)
        self.copies = shard.known.copies
        self.listed += changes.listed
        self.to_read += len(changes.to_read)
        self.size_bytes += sum(ref.size_bytes for ref in changes.to_read)
        self.unknown += len(changes.unknown)


def survey_sources(session: Session, report: Report, options: SyncOptions) -> Survey:
    """List every source once and sort the documents; parts that could not be listed make the outcome partial.

    Raises ConfigError when not a single source could be listed: most likely a path is wrong. ServiceError where all of
    them have an outage.
    """
    started = time.perf_counter()
    for name, source in _remembering(session):
        source.recall("" if options.paranoid else recollection(session.ledger, name))
    listings = Listings(session)
    if listings.failed and all(map(failed_wholly, listings.all)) and not any(listings.counts().values()):
        kind = ServiceError if all(scope.is_outage for scope in listings.failed) else ConfigError
        reasons = "; ".join(scope.reason for scope in listings.failed)
        raise kind(f"{session.pipeline.name}: no source can be listed: {reasons}")
    looks = _Looks(session, options, listings)
    survey = Survey(looks.again, is_part=listings.only is not None)
    for shard in looks.first():
        survey.add(shard, has_readers=session.pipeline.has_readers)
        _count(session.ledger, report, shard)
    survey.left = looks.left
    if survey.is_part:
        survey.others = count_documents(session.ledger) - survey.known.total()
    report.seconds.list = time.perf_counter() - started
    for listing in listings.all:
        report.passed_over.update(listing.passed_over)
        report.notes += listing.notes
    for scope in listings.failed:
        report.outcome = Outcome.PARTIAL
        report.unlisted += 1
        report.notes.append(f"not listed, so nothing below it was deleted: {scope.reason}")
    counts = looks.listed
    survey.silent = tuple(
        one.source for one in listings.all if not (counts[one.source] or one.failed) and one.only is None
    )
    files = {one.name for one in session.pipeline.sources if isinstance(one, PathsSection)}
    where = "its path, and include and exclude, which heed the case of names", "what it is told to read"
    report.notes += [f"source {name!r} lists no documents; check {where[name not in files]}" for name in survey.silent]
    report.notes += _taken_out(session, survey)
    return survey


class _Looks:
    """Compares the ledger with the listings, a shard at a time; what is to be done is found again when its turn comes.

    A ledger in one piece is compared once.
    """

    def __init__(self, session: Session, options: SyncOptions, listings: Listings) -> None:
        self._session = session
        self._ledger = session.ledger
        self._options = options
        self._listings = listings
        # An empty fingerprint matches no stored hint, so every document is read and hashed.
        self._fingerprint = "" if options.paranoid else session.identity.fingerprint
        self._whole: Shard | None = None
        self._idle: set[int] = set()
        self._has_losses = False
        self.left: list[DocumentId] = []  # quarantined ones that are not listed any more
        self.listed: Counter[str] = Counter()

    def first(self) -> Iterator[Shard]:
        """All shards; call once."""
        for number, ledger in enumerate(self._ledger.in_turn()):
            refs = self._listings.refs(number)
            self.listed.update(ref.source for ref in refs)
            shard, quarantine = self._look(ledger, refs, number)
            if self._ledger.shard_count == 1:
                self._whole = shard
            if not (shard.changes.to_read or shard.grants):
                self._idle.add(number)
            self._has_losses = self._has_losses or bool(shard.changes.missing)
            present = {ref.id for ref in refs}
            absent = [document for document in quarantine if document not in present]
            hidden = set(within(absent, self._listings.failed))
            self.left += [document for document in absent if document not in hidden]
            yield shard

    def again(self) -> Iterator[Shard]:
        """Those with something to read; all of them where something left, for it may have moved into any."""
        if self._whole:
            yield self._sampled(self._whole, self._ledger)
            return
        for number, ledger in enumerate(self._ledger.in_turn()):
            if number not in self._idle or self._has_losses:
                yield self._sampled(self._look(ledger, self._listings.refs(number), number)[0], ledger)

    def _sampled(self, shard: Shard, ledger: Ledger) -> Shard:
        """The same, with samples of what the collection has where neither the ledger nor a version tells it.

        The ledger was lost, or is of old and its documents are cut another way now. Nothing is asked about a few: what
        they lose, the guard lets through.
        """
        documents, fingerprint = shard.known.documents, self._session.identity.fingerprint
        limits = self._session.pipeline.deletions
        most = max(limits.max_count, int(limits.max_fraction * len(documents)))
        doubted = {
            ref.id
            for ref in shard.changes.to_read
            if (before := documents.get(ref.id)) and not is_told_by_embeddings(before, fingerprint)
        }
        lacking = doubted & without_samples(ledger) if len(doubted) > most else set[DocumentId]()
        if len(lacking) <= most:
            return shard
        return replace(shard, known=replace(shard.known, samples=stored_samples(self._session.store, lacking)))

    def _look(
        self, ledger: Ledger, refs: Sequence[DocumentRef], number: int
    ) -> tuple[Shard, Mapping[DocumentId, QuarantineEntry]]:
        quarantine = ledger.quarantine_entries()
        if self._listings.only is None:
            documents = ledger.documents()
        else:
            only = [one for one in self._listings.only if shard_of(one, self._ledger.shard_count) == number]
            quarantine = {document: entry for document, entry in quarantine.items() if document in only}
            documents = known_of(ledger, sorted(only))
        known = Known(documents, {} if self._options.retry_quarantined else quarantine)
        changes = find_changes(refs, known, self._listings.failed, self._fingerprint)
        grants = find_grants(self._session, known, changes, quarantine.keys())
        known, changes = find_copies(self._session, known, without_ruled(changes, grants))
        return Shard(known, changes, grants), quarantine


def remember_listings(session: Session) -> None:
    """Keep what sources wish to remember; what it says of a document holds whether or not that is written."""
    for name, source in _remembering(session):
        keep_recollection(session.ledger, name, source.memory())


def _remembering(session: Session) -> list[tuple[str, Remembering]]:
    inner = {name: one.source if isinstance(one, Labelled) else one for name, one in session.sources.items()}
    return [(name, source) for name, source in inner.items() if isinstance(source, Remembering)]


def _taken_out(session: Session, survey: Survey) -> list[str]:
    """Sentences on sources that the ledger knows and the configuration does not."""
    configured = {config.name for config in session.pipeline.sources}
    return [
        f"source {name!r} is not in the configuration any more: its {count:,} documents are to leave the collection"
        for name, count in sorted(survey.known.items())
        if name not in configured
    ]


def _count_copies(report: Report, listed: Container[DocumentId], originals: Mapping[DocumentId, DocumentId]) -> None:
    copies = [Copy(document, original) for document, original in originals.items() if document in listed]
    report.documents.near_duplicates += len(copies)
    report.names.add(report.names.near_duplicates, copies)
    if copies:
        one = copies[0]
        text = f"{len(copies):,} documents are near-duplicates, {one.document} of {one.of} for one"
        report.notes.append(f"{text}; names.near_duplicates with --json, and `headrace status`, name them")


def _count(ledger: Ledger, report: Report, shard: Shard) -> None:
    documents, known, changes = report.documents, shard.known, shard.changes
    originals = known.copies.originals
    empty = [ref.id for ref in changes.unchanged if not known.documents[ref.id].chunks and ref.id not in originals]
    _count_copies(report, {ref.id for ref in (*changes.unchanged, *changes.to_read)}, originals)
    documents.listed += changes.listed
    documents.empty += len(empty)
    documents.unchanged += len(changes.unchanged) - len(empty)
    report.names.add(report.names.empty, empty)
    remarks = [(ref.id, known.documents[ref.id].remark) for ref in changes.unchanged]
    report.count_remarks([Remark(document, remark) for document, remark in remarks if remark])
    entries = [(ref.id, known.quarantine[ref.id]) for ref in changes.quarantined]
    report.count_quarantined([Quarantined(document, entry.reason, entry.message) for document, entry in entries])
    documents.served_old += ledger.served([ref.id for ref in changes.quarantined])
