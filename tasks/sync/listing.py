"""The start of a run: what the sources hold, compared with what the ledger knows."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from config import sources
from config.options import SyncOptions
from config.source_sections import PathsSection
from tasks.dedupe.diff import Changes, Known, find_changes, within
from tasks.errors import ConfigError, DocumentError, ServiceError, TransientError
from tasks.ledger.ledger import Ledger
from tasks.ledger.lookup import count_documents, known_of
from tasks.ledger.marks import keep_recollection, recollection
from tasks.load.base import Remembering, Source
from tasks.load.labels import Labelled
from tasks.records import DocumentId, FailedScope, Listing
from tasks.session import Session
from tasks.sync.report import Outcome, Report
from tasks.windows import Quarantined, Remark


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run starts from.

    `left` are quarantined documents that the sources do not list any more; `silent` sources list nothing at all.
    `others` are documents that nothing was asked about; `is_part`: this looked at some documents alone.
    """

    known: Known
    changes: Changes
    left: tuple[DocumentId, ...]
    silent: tuple[str, ...]
    others: int = 0
    is_part: bool = False


def survey_sources(session: Session, report: Report, options: SyncOptions) -> Survey:
    """List every source and sort the documents; parts that could not be listed make the outcome partial.

    Raises ConfigError when not a single source could be listed: most likely a path is wrong. ServiceError where all of
    them have an outage.
    """
    started = time.perf_counter()
    for name, source in _remembering(session):
        source.recall("" if options.paranoid else recollection(session.ledger, name))
    listings = [_listing(session.sources[config.name], config) for config in session.pipeline.sources]
    failed = [scope for listing in listings for scope in listing.failed]
    if failed and not any(listing.refs for listing in listings) and all(_failed_wholly(one) for one in listings):
        kind = ServiceError if all(scope.is_outage for scope in failed) else ConfigError
        raise kind(f"{session.pipeline.name}: no source can be listed: " + "; ".join(s.reason for s in failed))
    only = _asked_about(listings)
    quarantine = session.ledger.quarantine_entries()
    if only is not None:
        quarantine = {document: entry for document, entry in quarantine.items() if document in only}
    documents = session.ledger.documents() if only is None else known_of(session.ledger, sorted(only))
    known = Known(documents, {} if options.retry_quarantined else quarantine)
    # An empty fingerprint matches no stored hint, so every document is read and hashed.
    fingerprint = "" if options.paranoid else session.identity.fingerprint
    listed = [ref for listing in listings for ref in listing.refs]
    changes = find_changes(listed, known, failed, fingerprint)
    present = {ref.id for ref in listed}
    absent = [document for document in quarantine if document not in present]
    hidden = set(within(absent, failed))
    report.seconds.list = time.perf_counter() - started
    _count(session.ledger, report, known, changes)
    for listing in listings:
        report.passed_over.update(listing.passed_over)
        report.notes += listing.notes
    for scope in failed:
        report.outcome = Outcome.PARTIAL
        report.unlisted += 1
        report.notes.append(f"not listed, so nothing below it was deleted: {scope.reason}")
    silent = tuple(one.source for one in listings if not (one.refs or one.failed) and one.only is None)
    files = {one.name for one in session.pipeline.sources if isinstance(one, PathsSection)}
    where = "its path, and include and exclude, which heed the case of names", "what it is told to read"
    report.notes += [f"source {name!r} lists no documents; check {where[name not in files]}" for name in silent]
    report.notes += _taken_out(session, known)
    left = tuple(document for document in absent if document not in hidden)
    others = 0 if only is None else count_documents(session.ledger) - len(documents)
    return Survey(known, changes, left, silent, others, is_part=only is not None)


def _asked_about(listings: Sequence[Listing]) -> set[DocumentId] | None:
    """None: about all documents there are."""
    if any(listing.only is None for listing in listings):
        return None
    return {document for listing in listings for document in listing.only or ()}


def remember_listings(session: Session) -> None:
    """Keep what sources wish to remember; what it says of a document holds whether or not that is written."""
    for name, source in _remembering(session):
        keep_recollection(session.ledger, name, source.memory())


def _remembering(session: Session) -> list[tuple[str, Remembering]]:
    inner = {name: one.source if isinstance(one, Labelled) else one for name, one in session.sources.items()}
    return [(name, source) for name, source in inner.items() if isinstance(source, Remembering)]


def _taken_out(session: Session, known: Known) -> list[str]:
    """Sentences on sources that the ledger knows and the configuration does not."""
    configured = {config.name for config in session.pipeline.sources}
    left_over = Counter(one.source for one in known.documents.values() if one.source not in configured)
    return [
        f"source {name!r} is not in the configuration any more: its {count:,} documents are to leave the collection"
        for name, count in sorted(left_over.items())
    ]


def _listing(source: Source, config: sources.Source) -> Listing:
    """The source's listing, not believed where it lacks something and the canary is missing or cannot be read."""
    listing = source.list()
    if config.canary is None or listing.only is not None or _failed_wholly(listing):
        return listing
    problem = _missed_canary(source, listing, config.canary)
    if not problem:
        return listing
    failed = FailedScope(f"{source.name}:", f"the canary {config.canary!r} of source {source.name!r} {problem}")
    return replace(listing, failed=(*listing.failed, failed))


def _missed_canary(source: Source, listing: Listing, canary: str) -> str:
    ref = next((ref for ref in listing.refs if ref.path == canary), None)
    if ref is None:
        return "is not listed"
    try:
        source.read(ref)
    except (DocumentError, TransientError) as error:
        return f"cannot be read: {error}"
    return ""


def _failed_wholly(listing: Listing) -> bool:
    return any(scope.prefix == f"{listing.source}:" for scope in listing.failed)


def _count(ledger: Ledger, report: Report, known: Known, changes: Changes) -> None:
    documents = report.documents
    empty = [ref.id for ref in changes.unchanged if known.documents[ref.id].chunks == 0]
    documents.listed = changes.listed
    documents.empty += len(empty)
    documents.unchanged += len(changes.unchanged) - len(empty)
    report.names.add(report.names.empty, empty)
    remarks = [(ref.id, known.documents[ref.id].remark) for ref in changes.unchanged]
    report.count_remarks([Remark(document, remark) for document, remark in remarks if remark])
    entries = [(ref.id, known.quarantine[ref.id]) for ref in changes.quarantined]
    report.count_quarantined([Quarantined(document, entry.reason, entry.message) for document, entry in entries])
    documents.served_old += ledger.served([ref.id for ref in changes.quarantined])
