"""Plain text."""

from typing import NamedTuple


class Parsed(NamedTuple):
    """`title` is empty where the document has none."""

    text: str
    title: str = ""


def parse_text(text: str) -> Parsed:
    """The text as it is."""
    return Parsed(text)
