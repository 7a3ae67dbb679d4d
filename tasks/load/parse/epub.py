"""Books (EPUB): their chapters in reading order, each one a page of HTML."""

import posixpath
import zlib
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError
from zipfile import BadZipFile, ZipFile

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tasks.errors import DocumentError
from tasks.load.decode import decode
from tasks.load.parse.archive import open_archive
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.page.flow import in_order
from tasks.load.parse.page.xhtml import with_end_tags
from tasks.load.parse.text import Parsed

_KIND = "EPUB book"
_CONTAINER = "META-INF/container.xml"
_SEALS = "META-INF/encryption.xml"
_FONT_SEALS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # hide a font, no text
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")


def parse_epub(name: str, content: bytes) -> Parsed:
    """The chapters as Markdown; the book is measured before anything is unpacked, and one with a lock is refused."""
    try:
        with open_archive(name, content, _KIND, _CONTAINER) as book:
            _refuse_locked(name, book)
            return _book(name, book)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ParseError, LookupError, ValueError) as error:
        if isinstance(error, DefusedXmlException):
            message = f"{name} declares entities in its XML, which no {_KIND} needs; exclude it"
            raise DocumentError("unsafe-xml", message) from error
        cause = f"{type(error).__name__}: {error}"[:200]
        message = f"{name} is a damaged {_KIND} ({cause}); save it again, or exclude it"
        raise DocumentError("corrupt", message) from error


def _book(name: str, book: ZipFile) -> Parsed:
    root = _first(_xml(book, _CONTAINER), "rootfile").get("full-path", "")
    package = _xml(book, root)
    items = {item.get("id"): item for item in _all(package, "item")}
    titles = [title for element in _all(package, "title") if (title := _words(element))]
    authors = ", ".join(_words(author) for author in _all(package, "creator"))
    parts = [Parsed(f"{authors}\n" if authors else "", titles[0] if titles else "")]
    names = set(book.namelist())
    for number, reference in enumerate(_all(package, "itemref"), 1):
        item = items.get(reference.get("idref"))
        path = "" if item is None else _path(root, item.get("href", ""))
        if item is None or path not in names:
            parts.append(Parsed("", remarks=(f"chapter {number} is missing",)))
        elif item.get("media-type") in _PAGES and "nav" not in (item.get("properties") or "").split():
            page = html_to_markdown(with_end_tags(decode(f"{name}: {path}", book.read(path)).text))
            remarks = tuple(f"chapter {number}: {remark}" for remark in page.remarks)
            parts.append(page._replace(remarks=remarks))
    has_text = any(part.text for part in parts[1:])
    return in_order(parts if has_text else [parts[0]._replace(text=""), *parts[1:]])


def _refuse_locked(name: str, book: ZipFile) -> None:
    if _SEALS in book.namelist():
        methods = {method.get("Algorithm") for method in _all(_xml(book, _SEALS), "EncryptionMethod")}
        if not methods <= {*_FONT_SEALS}:
            raise DocumentError(
                "encrypted", f"{name} is a book that is locked to its buyer (DRM); index a copy without, or exclude it"
            )


def _xml(book: ZipFile, path: str) -> Element:
    root: Element = fromstring(book.read(path))
    return root


def _all(root: Element, name: str) -> list[Element]:
    """The elements of the name in any namespace."""
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


def _first(root: Element, name: str) -> Element:
    return _all(root, name)[0]


def _path(root: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(root), unquote(reference.partition("#")[0])))


def _words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())
