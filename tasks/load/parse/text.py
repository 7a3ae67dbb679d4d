"""Plain text."""

from typing import NamedTuple

from tasks.image import Image


class Parsed(NamedTuple):
    """`title` is empty where the document has none; the text of an `image` is its caption."""

    text: str
    title: str = ""
    image: Image | None = None


def parse_text(text: str) -> Parsed:
    """The text as it is."""
    return Parsed(text)
