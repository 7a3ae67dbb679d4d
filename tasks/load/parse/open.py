"""Which parser reads which file."""

from collections.abc import Callable
from pathlib import PurePosixPath

from tasks.load.decode import decode
from tasks.load.parse.html import parse_html
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.text import Parsed, parse_text
from tasks.records import Document, DocumentRef, Format

_PARSERS: dict[str, tuple[Format, Callable[[str], Parsed]]] = {
    ".md": ("markdown", parse_markdown),
    ".markdown": ("markdown", parse_markdown),
    ".html": ("markdown", parse_html),
    ".htm": ("markdown", parse_html),
    ".rst": ("rst", parse_rst),
    ".txt": ("text", parse_text),
    ".text": ("text", parse_text),
    "": ("text", parse_text),
}


def parse(ref: DocumentRef, content: bytes) -> Document:
    """By suffix; what has a suffix of its own that is not listed here is source code."""
    suffix = PurePosixPath(ref.path).suffix.lower()
    text = decode(ref.path, content)
    if suffix not in _PARSERS:
        return Document(ref, text, "code", suffix.removeprefix("."))
    form, parser = _PARSERS[suffix]
    parsed = parser(text)
    return Document(ref, parsed.text, form, metadata={"title": parsed.title} if parsed.title else {})
