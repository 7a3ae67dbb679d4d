"""What the pipeline needs of a source."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Remembering(Protocol):
    """A source that is cheaper to list with what its last listing saw; whoever has one asks by isinstance."""

    def recall(self, memory: str) -> None:
        """Take what `memory` returned after an earlier listing, or "": then the next one asks for everything."""
        ...

    def memory(self) -> str:
        """What the listing before saw, in a form of the source's own."""
        ...


@runtime_checkable
class Splitting(Protocol):
    """A source that can list by shards, a few of them in memory at a time; whoever has one asks by isinstance."""

    def split(self, shards: int, at_once: int = 1, /) -> bool:
        """Whether a listing names no documents itself from now on: `refs` does."""
        ...

    def refs(self, shard: int, /) -> tuple[DocumentRef, ...]:
        """Documents of the last listing; those of the `at_once` shards that were asked for last can be read."""
        ...


@runtime_checkable
class Watchable(Protocol):
    """A source in a folder whose changes the operating system tells; whoever has one asks by isinstance."""

    @property
    def folder(self) -> Path | None:
        """Where that is; None where there is none, or none to be watched."""
        ...

    def part(self, paths: Iterable[str], /) -> Source | None:
        """The same source, whose listing is of these paths alone; None where they take a listing of all."""
        ...


@runtime_checkable
class Owned(Protocol):
    """A source whose documents belong to accounts; whoever has one asks by isinstance."""

    def owner(self, ref: DocumentRef, /, *, listed: bool) -> str:
        """The account's id, as it was `listed` or as it is now; "" for none that is told."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A source whose `listing` is of some documents alone."""

    source: Source
    listing: Listing

    @property
    def name(self) -> str:
        """That of the source."""
        return self.source.name

    def list(self) -> Listing:
        """What was listed before."""
        return self.listing

    def read(self, ref: DocumentRef, /) -> Document:
        """Asks the source."""
        return self.source.read(ref)


class KnownVersions(Protocol):
    """What an earlier run left."""

    def is_current(self, document: Document, /) -> bool:
        """Whether nothing in the document has changed since."""
        ...
