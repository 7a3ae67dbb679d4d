"""Plain text."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.image import Image
from tasks.places import Extent, Heading, Place


class Parsed(NamedTuple):
    """`title` is empty where the document has none; the text of an `image` is its caption.

    `places` are in order of their characters. `headings` are None where the form of the text says where its titles are.
    `remarks` say what a reader of the file sees and the text lacks, or what about it was guessed: each is a clause
    without the document's name, like "9 of 10 pages have no text layer". `extent` is told where the text is the file's
    own.
    """

    text: str
    title: str = ""
    image: Image | None = None
    places: tuple[Place, ...] = ()
    headings: tuple[Heading, ...] | None = None
    remarks: tuple[str, ...] = ()
    extent: Extent = Extent()


def parsed_from(shape: Mapping[str, Any]) -> Parsed:
    """What came out of another process as JSON, but for the image; TypeError or ValueError for nonsense."""
    headings = shape["headings"]
    return Parsed(
        str(shape["text"]),
        str(shape["title"]),
        places=tuple(Place(*place) for place in shape["places"]),
        headings=None if headings is None else tuple(Heading(*heading) for heading in headings),
        remarks=tuple(map(str, shape["remarks"])),
        extent=Extent(*shape["extent"]),
    )


def parse_text(text: str) -> Parsed:
    """The text as it is."""
    return Parsed(text, extent=Extent(line=1))
