"""A document's sections: a chunk never crosses the start of one."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.markdown import find_headings
from tasks.places import Heading
from tasks.records import Document


class Section(NamedTuple):
    """Characters `start` to `end` of the text, below the titles `headings`."""

    start: int
    end: int
    headings: tuple[str, ...]


def find_sections(document: Document) -> list[Section]:
    """They cover the whole text, in order; a text without headings is one section."""
    text = document.text
    headings: Iterator[Heading] = iter(())
    match document.format:
        case "code":  # its classes are no hard boundaries
            pass
        case _ if document.headings is not None:
            headings = iter(document.headings)
        case "markdown":
            headings = find_headings(text)
        case _:
            pass
    return _between(text, headings)


def _between(text: str, headings: Iterator[Heading]) -> list[Section]:
    """A title without a body goes with the section that follows: alone it would be a chunk of three words."""
    sections: list[Section] = []
    levels: list[int] = []
    titles: list[str] = []
    start = body = 0
    above: tuple[str, ...] = ()
    for begin, end, level, title in headings:
        if body < begin and not text[body:begin].isspace():
            sections.append(Section(start, begin, above))
            start = begin
        body = end
        while levels and levels[-1] >= level:
            del levels[-1], titles[-1]
        levels.append(level)
        titles.append(title)
        above = tuple(filter(None, titles))
    sections.append(Section(start, len(text), above))
    return sections
