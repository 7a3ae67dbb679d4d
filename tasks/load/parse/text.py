"""Plain text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.image import Image
from tasks.places import Extent, Heading, Place
from tasks.records import Metadata

NO_PROPERTIES: Metadata = MappingProxyType({})


class Attached(NamedTuple):
    """What a message carries besides its text; `packed` is its content in base64, if its `suffix` can be read."""

    name: str
    size_bytes: int
    suffix: str = ""
    charset: str = ""
    packed: str = ""


class Parsed(NamedTuple):
    """`title` is empty where the document has none; the text of an `image` is its caption.

    `places` are in order of their characters. `headings` are None where the form of the text says where its titles are.
    `remarks` say what a reader of the file sees and the text lacks, or what about it was guessed: each is a clause
    without the document's name, like "9 of 10 pages have no text layer". `extent` is told where the text is the file's
    own. `properties` are what the file says of itself beside its text.
    """

    text: str
    title: str = ""
    image: Image | None = None
    places: tuple[Place, ...] = ()
    headings: tuple[Heading, ...] | None = None
    remarks: tuple[str, ...] = ()
    extent: Extent = Extent()
    properties: Metadata = NO_PROPERTIES
    attached: tuple[Attached, ...] = ()


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
        properties=_properties(shape["properties"]),
        attached=tuple(_attached(*one) for one in shape["attached"]),
    )


def _attached(name: object, size: object, suffix: object, charset: object, packed: object) -> Attached:
    return Attached(str(name), int(str(size)), str(suffix), str(charset), str(packed))


def _properties(shape: Mapping[str, Any]) -> Metadata:
    for value in shape.values():
        if not all(isinstance(item, str | int | float) for item in (value if isinstance(value, list) else [value])):
            raise TypeError("a property that is no value")
    return {str(name): value for name, value in shape.items()}


def parse_text(text: str) -> Parsed:
    """The text as it is."""
    return Parsed(text, extent=Extent(line=1))
