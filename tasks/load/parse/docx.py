"""Word documents by way of HTML, so that headings, lists and tables keep their structure."""

import zlib
from io import BytesIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

import mammoth

from tasks.errors import DocumentError
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.text import Parsed

MEMBERS = 10_000
UNPACKED_BYTES = 200_000_000
RATIO = 100
SMALL_BYTES = 1_000_000  # below it any ratio is harmless
_TITLE = "http://purl.org/dc/elements/1.1/ title"
_BODY = "word/"
_PROPERTIES = "docProps/core.xml"


def parse_docx(name: str, content: bytes) -> Parsed:
    """The document as Markdown; it is measured before anything is unpacked, and what it embeds is not opened."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            _refuse_bombs(name, archive, len(content))
            title = _checked_title(name, archive)
        page = mammoth.convert_to_html(BytesIO(content), convert_image=_no_image)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError) as error:
        raise _corrupt(name, error) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _corrupt(name, error) from error  # what the library does not foresee in a damaged file
    parsed = html_to_markdown(page.value)
    return Parsed(parsed.text, title or parsed.title)


def _no_image(_image: object) -> list[object]:
    return []


def _refuse_bombs(name: str, archive: ZipFile, packed: int) -> None:
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    is_bomb = unpacked > UNPACKED_BYTES or unpacked > max(SMALL_BYTES, RATIO * packed)
    if len(members) > MEMBERS or is_bomb:
        raise DocumentError(
            "too-large",
            f"{name} would unpack {packed:,} bytes to {unpacked:,} in {len(members):,} files; the limits are"
            f" {UNPACKED_BYTES:,} bytes, {RATIO} times the size and {MEMBERS:,} files; exclude it",
        )
    if any(member.flag_bits & 1 for member in members):
        raise DocumentError("encrypted", f"{name} is an encrypted archive; save it without its password, or exclude it")
    if not any(member.filename.startswith(_BODY) for member in members):
        raise DocumentError("wrong-type", f"{name} is a ZIP archive, but no Word document; rename or exclude it")


def _checked_title(name: str, archive: ZipFile) -> str:
    """No part of a real document declares a document type, the door to entity bombs and foreign files."""

    def refuse(*_declaration: object) -> None:
        raise DocumentError(
            "unsafe-xml", f"{name} declares a DOCTYPE in its XML, which no Word document needs; exclude it"
        )

    titles: list[str] = []
    for member in archive.namelist():
        content = archive.read(member)
        if not _looks_like_xml(content):  # by content, for a relation may name any file as a part of the text
            continue
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = refuse
        if member == _PROPERTIES:
            _collect(parser, _TITLE, titles)
        parser.Parse(content, True)
    return " ".join("".join(titles).split())


def _looks_like_xml(content: bytes) -> bool:
    return content[:64].lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n").startswith(b"<")


def _collect(parser: expat.XMLParserType, wanted: str, texts: list[str]) -> None:
    """Put the character data of the elements named `wanted` into `texts`."""
    inside: list[str] = []

    def start(element: str, _attributes: object) -> None:
        inside.append(element)

    def end(_element: str) -> None:
        inside.pop()

    def data(text: str) -> None:
        if inside[-1] == wanted:
            texts.append(text)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data


def _corrupt(name: str, error: Exception) -> DocumentError:
    cause = f"{type(error).__name__}: {error}"[:200]
    return DocumentError("corrupt", f"{name} is a damaged Word document ({cause}); save it again, or exclude it")
