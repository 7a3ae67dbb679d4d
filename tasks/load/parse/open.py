"""Which parser reads which file."""

from collections.abc import Callable
from pathlib import PurePosixPath

from tasks.load.decode import decode, normalised, readable
from tasks.load.parse import child
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.signature import check_signature
from tasks.load.parse.text import Parsed, parse_text
from tasks.records import Document, DocumentRef, Format

_PARSERS: dict[str, tuple[Format, Callable[[str], Parsed]]] = {
    ".md": ("markdown", parse_markdown),
    ".markdown": ("markdown", parse_markdown),
    ".rst": ("rst", parse_rst),
    ".txt": ("text", parse_text),
    ".text": ("text", parse_text),
    "": ("text", parse_text),
}
# Foreign formats, whose parsers may hang or explode: they run in a process of their own.
_HTML = "tasks.load.parse.html:parse_html"
_PAGES = {".html": _HTML, ".htm": _HTML}
_BINARIES: dict[str, tuple[Format, str]] = {
    ".pdf": ("text", "tasks.load.parse.pdf:parse_pdf"),
    ".docx": ("markdown", "tasks.load.parse.docx:parse_docx"),
}


def parse(ref: DocumentRef, content: bytes) -> Document:
    """By suffix; what has a suffix of its own that is not listed here is source code. Nothing is no error."""
    suffix = PurePosixPath(ref.path).suffix.lower()
    check = bool(content)
    if check:
        check_signature(ref.path, suffix, content)
    if suffix in _BINARIES:
        form, parser = _BINARIES[suffix]
        return _foreign(ref, form, child.SHARED.parse(parser, ref.path, content) if check else Parsed(""))
    text = decode(ref.path, content)
    if suffix in _PAGES:
        return _foreign(ref, "markdown", child.SHARED.parse(_PAGES[suffix], ref.path, text.encode()))
    if suffix not in _PARSERS:
        return Document(ref, text, "code", suffix.removeprefix("."))
    form, text_parser = _PARSERS[suffix]
    return _document(ref, form, text_parser(text))


def _foreign(ref: DocumentRef, form: Format, parsed: Parsed) -> Document:
    """What a library made of a file may hold anything."""
    return _document(ref, form, Parsed(readable(ref.path, parsed.text), normalised(parsed.title)))


def _document(ref: DocumentRef, form: Format, parsed: Parsed) -> Document:
    return Document(ref, parsed.text, form, metadata={"title": parsed.title} if parsed.title else {})
