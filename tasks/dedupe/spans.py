"""Where chunks stand in their document, as their records say it."""

from tasks.places import Places
from tasks.records import Chunk, Document, Payload


class Spans:
    """Those of one document's chunks, asked for in order."""

    def __init__(self, document: Document) -> None:
        """Lines are counted once, from chunk to chunk."""
        self._text = document.text
        self._extent = document.extent
        self._places = Places(document.places)
        self._line, self._counted = document.extent.line, 0

    def of(self, chunk: Chunk) -> Payload:
        """Characters `start` to before `end`, first and last line, pages and the like, as far as the file has them.

        The characters are those of the file where its text is taken as it is, else of what its parser made of it.
        """
        start, end = chunk.start, chunk.start + len(chunk.text)
        offset, line = self._extent
        spans: Payload = {"start": offset + start, "end": offset + end, **self._places.between(start, end)}
        if line:
            if start < self._counted:  # an overlap goes back
                self._line, self._counted = line, 0
            self._line += self._text.count("\n", self._counted, start)
            self._counted = start
            spans |= {"line": self._line, "last_line": self._line + chunk.text.count("\n")}
        return spans
