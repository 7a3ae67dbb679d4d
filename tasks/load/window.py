"""Reads one window of documents from their sources."""

import time
from collections.abc import Mapping

from tasks.errors import DocumentError, TransientError
from tasks.load.base import Source
from tasks.records import Document, DocumentRef
from tasks.windows import Failure, Loaded, Refs

ATTEMPTS = 3


def load_window(sources: Mapping[str, Source], window: Refs) -> Loaded:
    """Every document is read or set aside; one bad document never costs the others."""
    started = time.perf_counter()
    documents: list[Document] = []
    failures: list[Failure] = []
    for ref in window.refs:
        try:
            documents.append(_read(sources[ref.source], ref))
        except DocumentError as error:
            failures.append(Failure(ref.id, error.reason, str(error), ref.hint))
        except TransientError as error:
            failures.append(Failure(ref.id, "unavailable", str(error), ref.hint))
    return Loaded(documents, failures, time.perf_counter() - started)


def _read(source: Source, ref: DocumentRef) -> Document:
    for _ in range(ATTEMPTS - 1):
        try:
            return source.read(ref)
        except TransientError:
            continue
    return source.read(ref)
