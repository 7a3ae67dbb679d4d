"""Chunks whose vectors are made inside their whole document, so that a pronoun still knows whom it means."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from tasks.chunk.base import Chunker
from tasks.passages import Context, Passage
from tasks.records import Chunk, Document

VERSION = 1  # raised when the same chunks would be embedded with other surroundings


class LateChunker:
    """The chunks of another chunker, each with its document; what the document costs is shared out among them."""

    def __init__(self, chunker: Chunker, count: Callable[[Sequence[str]], list[int]] | None) -> None:
        """`count` says how many tokens the model reads of each whole document; None: of all its chunks."""
        self._chunker = chunker
        self._count = count
        self.fingerprint = f"{chunker.fingerprint}/late-{VERSION}"

    def expect(self, characters: int, /) -> None:
        """Passed on."""
        self._chunker.expect(characters)

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """The same places to cut as without; `tokens` of a document's chunks add up to what the model reads of it."""
        chunks = self._chunker.split(documents)
        if self._count is None:
            return [_among(document.text, own) for document, own in zip(documents, chunks, strict=True)]
        filled = [number for number, own in enumerate(chunks) if own]
        totals = self._count([documents[number].text for number in filled])
        for number, total in zip(filled, totals, strict=True):
            chunks[number] = _within(Context.of(documents[number].text), chunks[number], total)
        return chunks

    def close(self) -> None:
        """Passed on."""
        self._chunker.close()


def _among(text: str, chunks: Sequence[Chunk]) -> list[Chunk]:
    spans = tuple((chunk.start, chunk.start + len(chunk.text)) for chunk in chunks)
    context = Context.of(text, spans)
    return [chunk._replace(passage=Passage(context, *span)) for chunk, span in zip(chunks, spans, strict=True)]


def _within(context: Context, chunks: Sequence[Chunk], total: int) -> list[Chunk]:
    """Shares are rounded where they end, so none of the total is lost."""
    sums = list(accumulate((chunk.tokens for chunk in chunks), initial=0))
    shares = [high - low for low, high in pairwise(total * part // sums[-1] for part in sums)]
    return [
        chunk._replace(tokens=share, passage=Passage(context, chunk.start, chunk.start + len(chunk.text)))
        for chunk, share in zip(chunks, shares, strict=True)
    ]
