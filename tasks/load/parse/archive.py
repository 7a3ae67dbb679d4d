"""Documents that are ZIP archives: measured before anything is unpacked."""

from io import BytesIO
from zipfile import ZipFile

from tasks.errors import DocumentError

MEMBERS = 10_000
UNPACKED_BYTES = 200_000_000
RATIO = 100
SMALL_BYTES = 1_000_000  # below it any ratio is harmless


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
