"""Reads one window of documents from their sources."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from tasks.errors import DocumentError, ServiceError, TransientError
from tasks.load.base import KnownVersions, Source
from tasks.records import Document, DocumentRef
from tasks.retry import LONGEST_SECONDS, full_jitter
from tasks.system.file_system import escaped
from tasks.windows import Loaded, Quarantined, Refs, Tally

ATTEMPTS = 3
OUTAGE = 5  # documents in a row that cannot be fetched: no longer their own fault


def load_window(
    sources: Mapping[str, Source], known: KnownVersions, window: Refs, pause: Callable[[float], None] = time.sleep
) -> Loaded:
    """Read every document or set it aside; one bad document never costs the others.

    Those that were touched but say the same as before go no further than here.

    ServiceError where a source fails for OUTAGE documents in a row: the rest of it would be set aside as well. `pause`
    waits so many seconds, and may raise: it is asked before each document.
    """
    started = time.perf_counter()
    documents: list[Document] = []
    touched: list[DocumentRef] = []
    failures: list[Quarantined] = []
    in_a_row: Counter[str] = Counter()
    for ref in window.refs:
        pause(0.0)
        try:
            document = _read(sources[ref.source], ref, pause)
        except DocumentError as error:
            failures.append(Quarantined(ref.id, error.reason, escaped(str(error)), ref.hint))
        except TransientError as error:
            failures.append(Quarantined(ref.id, "unavailable", escaped(str(error)), ref.hint))
            in_a_row[ref.source] += 1
            if in_a_row[ref.source] >= OUTAGE:
                raise _outage(ref.source, error) from error
            continue
        else:
            if known.is_current(document):
                touched.append(document.ref)
            else:
                documents.append(document)
        in_a_row[ref.source] = 0
    tally = Tally(len(window.refs))
    tally.load_seconds = time.perf_counter() - started
    return Loaded(tally, documents, touched, failures)


def _outage(source: str, error: TransientError) -> ServiceError:
    return ServiceError(
        f"source {source!r} failed for {OUTAGE} documents in a row, {ATTEMPTS} times each; it should be reachable for"
        f" the whole run; check it, then run again. The last failure: {error}"
    )


def _read(source: Source, ref: DocumentRef, pause: Callable[[float], None]) -> Document:
    """A source that asks for more time than a document is worth is not waited for."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return source.read(ref)
        except TransientError as error:
            wished = error.retry_after_seconds or 0.0
            if wished > LONGEST_SECONDS:
                raise
            pause(wished + full_jitter(attempt))
    return source.read(ref)
