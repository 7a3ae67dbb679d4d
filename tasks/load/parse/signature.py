"""What a file is by its first bytes, whatever its name says."""

from typing import NamedTuple

from tasks.errors import DocumentError

ARCHIVE = b"PK"
OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEALED = "EncryptedPackage".encode("utf-16-le")
_OLD = "an old Office document"
_KINDS = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (or a document in one, such as DOCX)"),
    (OFFICE, _OLD),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"{\\rtf", "an RTF document"),
)
_NEVER_TEXT = {kind for _, kind in _KINDS}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")


class Signature(NamedTuple):
    """A format that is no text: its name in messages, its marks, and in how many first bytes one is looked for."""

    noun: str
    marks: tuple[bytes, ...]
    head_bytes: int


def check_signature(name: str, content: bytes, expected: Signature | None) -> None:
    """Raise DocumentError for content without the signature; for text, which has none, for what begins as a binary.

    A document that is sealed with a password is no archive any more: that has a message of its own.
    """
    if expected is None:
        kind = _kind(content)
        if kind in _NEVER_TEXT:
            raise _wrong(name, kind, "text")
    elif not any(mark in content[: expected.head_bytes] for mark in expected.marks):
        if ARCHIVE in expected.marks and content.startswith(OFFICE) and _SEALED in content:
            raise DocumentError(
                "encrypted", f"{name} is an encrypted Office document; save it without its password, or exclude it"
            )
        raise _wrong(name, _kind(content), expected.noun)


def _kind(content: bytes) -> str:
    for mark, kind in _KINDS:
        if content.startswith(mark):
            return kind
    head = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return "HTML or XML" if head.startswith(_PAGES) else "something else"


def _wrong(name: str, kind: str, expected: str) -> DocumentError:
    remedy = "save it as .docx or .pptx, or exclude it" if kind == _OLD else "rename or exclude it"
    return DocumentError("wrong-type", f"{name} is {kind}, not {expected}, as its name says; {remedy}")
