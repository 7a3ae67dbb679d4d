"""Documents that are ZIP archives: measured before anything is unpacked, and none of their XML opens a door."""

from io import BytesIO
from xml.parsers import expat
from zipfile import ZipFile

from tasks.errors import DocumentError

MEMBERS = 10_000
UNPACKED_BYTES = 200_000_000
RATIO = 100
SMALL_BYTES = 1_000_000  # below it any ratio is harmless
_TITLE = "http://purl.org/dc/elements/1.1/ title"


def open_archive(name: str, content: bytes, kind: str, part: str) -> ZipFile:
    """The archive of a `kind`, like "Word document", in which the name of some member begins with `part`.

    DocumentError for a bomb, for an encrypted one and for one of another kind; BadZipFile for what is none.
    """
    archive = ZipFile(BytesIO(content))
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    is_bomb = unpacked > UNPACKED_BYTES or unpacked > max(SMALL_BYTES, RATIO * len(content))
    if len(members) > MEMBERS or is_bomb:
        raise DocumentError(
            "too-large",
            f"{name} would unpack {len(content):,} bytes to {unpacked:,} in {len(members):,} files; the limits are"
            f" {UNPACKED_BYTES:,} bytes, {RATIO} times the size and {MEMBERS:,} files; exclude it",
        )
    if any(member.flag_bits & 1 for member in members):
        raise DocumentError("encrypted", f"{name} is an encrypted archive; save it without its password, or exclude it")
    if not any(member.filename.startswith(part) for member in members):
        raise DocumentError(
            "wrong-type",
            f"{name} is another kind of archive, not of the kind {kind}, as its name says; rename or exclude it",
        )
    return archive


def checked_title(name: str, archive: ZipFile, kind: str, properties: str) -> str:
    """The title (Dublin Core's) in the member `properties`, after all XML of the archive was looked through.

    No part of a real office document declares a document type, the door to entity bombs and foreign files.
    """

    def refuse(*_declaration: object) -> None:
        raise DocumentError("unsafe-xml", f"{name} declares a DOCTYPE in its XML, which no {kind} needs; exclude it")

    titles: list[str] = []
    for member in archive.namelist():
        content = archive.read(member)
        if not _looks_like_xml(content):  # by content, for a relation may name any file as a part of the text
            continue
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = refuse
        if member == properties:
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
