"""What the pipeline needs of a chunker."""

from collections.abc import Sequence
from typing import Protocol

from tasks.records import Chunk, Document


class Chunker(Protocol):
    """Pure: the same documents give the same chunks."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same text may be cut elsewhere."""
        ...

    def expect(self, characters: int, /) -> None:
        """A run may have so many to cut; not needed before `split`."""
        ...

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """One list per document, in order; no chunk is longer than the limit in tokens, no text is lost.

        DocumentError where one of them takes more work than any text should.
        """
        ...

    def close(self) -> None:
        """Further calls may fail."""
        ...
