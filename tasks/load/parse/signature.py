"""What a file is by its first bytes, whatever its name says."""

from tasks.errors import DocumentError

PDF_HEAD_BYTES = 1024  # some writers put things before the mark, and readers allow it
_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SEALED = "EncryptedPackage".encode("utf-16-le")
_KINDS = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (or a document in one, such as DOCX)"),
    (_OFFICE, "an old Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"{\\rtf", "an RTF document"),
)
_NEVER_TEXT = {kind for mark, kind in _KINDS if not mark.startswith(b"{")}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")


def check_pdf(name: str, content: bytes) -> None:
    """Raise DocumentError unless the mark of a PDF is near the beginning."""
    if b"%PDF-" not in content[:PDF_HEAD_BYTES]:
        raise _wrong(name, _kind(content), "a PDF")


def check_docx(name: str, content: bytes) -> None:
    """Raise DocumentError for what is no ZIP archive, and for a document that is sealed with a password."""
    if content.startswith(_OFFICE) and _SEALED in content:
        raise DocumentError(
            "encrypted", f"{name} is an encrypted Office document; save it without its password, or exclude it"
        )
    if not content.startswith(b"PK"):
        raise _wrong(name, _kind(content), "a Word document (DOCX)")


def check_text(name: str, content: bytes) -> None:
    """Raise DocumentError for what begins as a binary format does."""
    kind = _kind(content)
    if kind in _NEVER_TEXT:
        raise _wrong(name, kind, "text")


def _kind(content: bytes) -> str:
    for mark, kind in _KINDS:
        if content.startswith(mark):
            return kind
    head = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return "HTML or XML" if head.startswith(_PAGES) else "something else"


def _wrong(name: str, found: str, expected: str) -> DocumentError:
    return DocumentError("wrong-type", f"{name} is {found}, not {expected}, as its name says; rename or exclude it")
