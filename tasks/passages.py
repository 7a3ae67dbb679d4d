"""Chunks inside their documents, where the one cannot be embedded without the other."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from tasks.image import Image


@dataclass(frozen=True, slots=True)
class Context:
    """A whole document's text, inside which its chunks are embedded; `digest` stands for it in their keys.

    `spans` are the characters of all its chunks, for a model to which it matters where the others are cut.
    """

    text: str
    digest: str
    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, text: str, spans: tuple[tuple[int, int], ...] = ()) -> "Context":
        """The text with its digest, 32 hexadecimal digits, which is another where it is cut otherwise."""
        content = f"{text}\0{spans}" if spans else text  # no text has a NUL
        return cls(text, hashlib.blake2b(content.encode(), digest_size=16).hexdigest(), spans)


class Passage(NamedTuple):
    """A chunk inside its document: the characters from `start` to before `end`."""

    context: Context
    start: int
    end: int

    @property
    def mark(self) -> str:
        """What a chunk's vector depends on beside its text."""
        return f"{self.context.digest}:{self.start}"


Content = str | Image | Passage  # what is embedded
