"""The start of a run: what the sources hold, held against what the ledger knows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.dedupe.ledger import KnownDocument
from tasks.dedupe.plan import Changes, find_changes
from tasks.errors import ConfigError
from tasks.records import DocumentId
from tasks.sync.report import Report
from tasks.sync.session import Session


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run starts from."""

    known: Mapping[DocumentId, KnownDocument]
    changes: Changes


def survey(session: Session, report: Report, *, paranoid: bool) -> Survey:
    """List every source and sort the documents; parts that could not be listed make the outcome partial.

    Raises ConfigError when not a single source could be listed: most likely a path is wrong.
    """
    started = time.perf_counter()
    listings = [source.list() for source in session.sources.values()]
    failed = [scope for listing in listings for scope in listing.failed]
    if failed and all(any(s.prefix == f"{listing.source}:" for s in listing.failed) for listing in listings):
        raise ConfigError(f"{session.pipeline.name}: no source can be listed: " + "; ".join(s.reason for s in failed))
    known = session.ledger.documents()
    # An empty shape matches no stored hint, so every document is read and hashed.
    shape = "" if paranoid else session.identity.shape
    changes = find_changes((ref for listing in listings for ref in listing.refs), known, failed, shape)
    report.seconds.list = time.perf_counter() - started
    _count(report, known, changes)
    for scope in failed:
        report.outcome = "partial"
        report.notes.append(f"not listed, so nothing below it was deleted: {scope.reason}")
    return Survey(known, changes)


def _count(report: Report, known: Mapping[DocumentId, KnownDocument], changes: Changes) -> None:
    empty = sum(known[ref.id].chunks == 0 for ref in changes.unchanged)
    report.documents.listed = len(changes.unchanged) + len(changes.to_read)
    report.documents.empty += empty
    report.documents.unchanged += len(changes.unchanged) - empty
