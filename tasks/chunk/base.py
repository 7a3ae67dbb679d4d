"""What the pipeline needs of a chunker, and what a chunker needs of a tokenizer."""

from collections.abc import Sequence
from typing import Protocol

from tasks.records import Chunk, Document


class Tokenizer(Protocol):
    """The embedder's own tokenizer. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same text may be cut into other tokens."""
        ...

    @property
    def max_tokens(self) -> int:
        """What the model reads of one text, prefix and special tokens included."""
        ...

    @property
    def separators(self) -> str:
        """White space at which counts add up: cut behind one of these, a text has the tokens of its parts.

        White space at its ends then adds none. Empty where the tokenizer does not promise it.
        """
        ...

    def count(self, texts: Sequence[str], /) -> list[int]:
        """Tokens that the model reads for each text as sent: with prefix and special tokens, never truncated."""
        ...


class Chunker(Protocol):
    """Pure: the same documents give the same chunks."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same text may be cut elsewhere."""
        ...

    def prepare(self, characters: int, /) -> None:
        """A run may have so many to cut; not needed before `split`."""
        ...

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """One list per document, in order; no chunk is longer than the limit in tokens, no text is lost."""
        ...

    def close(self) -> None:
        """Further calls may fail."""
        ...
