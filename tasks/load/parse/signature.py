"""What a file is by its first bytes, whatever its name says."""

import re
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


# What a file without a suffix is, by the first of these that it holds in its first bytes.
_NAMED = (
    (b"%PDF-", ".pdf"),
    (b"{\\rtf", ".rtf"),
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"mimetypeapplication/epub+zip", ".epub"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", ".odt"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", ".ods"),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", ".odp"),
    (b"word/document.xml", ".docx"),
    (b"ppt/presentation.xml", ".pptx"),
    (b"xl/workbook.xml", ".xlsx"),
)
_NOTEBOOK = re.compile(rb'\s*\{\s*"(?:cells|metadata|nbformat)"\s*:')
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_MARKED_BYTES = 1_024


class Signature(NamedTuple):
    """A format that is no text: its name in messages, its marks, and in how many first bytes one is looked for."""

    noun: str
    marks: tuple[bytes, ...]
    head_bytes: int


def suffix_by_content(content: bytes) -> str:
    """The suffix that a file without one would have; "" for plain text, and for what nobody knows."""
    head = content[:_MARKED_BYTES].removeprefix(b"\xef\xbb\xbf")
    if _PAGE.match(head):
        return ".html"
    if head.lstrip().startswith(b"<?xml"):
        return ".xml"
    if _NOTEBOOK.match(head) and b'"nbformat"' in content:
        return ".ipynb"
    for mark, suffix in _NAMED:
        is_inside = content.startswith(ARCHIVE) and mark in content
        if head.startswith(mark) or is_inside:
            return suffix
    return ""


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
