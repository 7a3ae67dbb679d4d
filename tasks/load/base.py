"""What the pipeline needs of a source."""

from typing import Protocol

from tasks.records import Document, DocumentRef, Listing


class Source(Protocol):
    """Documents under stable ids. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """The prefix of its document ids, before the colon."""
        ...

    def list(self) -> Listing:
        """Never raises for a part that cannot be listed: that part is a failed scope."""
        ...

    def read(self, ref: DocumentRef, /) -> Document:
        """Raise DocumentError for a bad document, TransientError where another try may help."""
        ...


class KnownVersions(Protocol):
    """What an earlier run left."""

    def is_current(self, document: Document, /) -> bool:
        """Whether nothing in the document has changed since."""
        ...
