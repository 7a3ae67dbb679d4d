"""Books and messages, made as they are asked for."""

import io
import zipfile

_CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book/a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
_PACKAGE = (
    '<?xml version="1.0"?>{doctype}<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
    '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title>'
    "<dc:creator>Ada L.</dc:creator></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
)
_PAGE = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
_KIND = "application/xhtml+xml"


def epub(*pages: str, title: str = "Alpha", doctype: str = "", missing: int = 0, **members: bytes) -> bytes:
    """A book of `pages`, and of `missing` ones that are announced only; `members` with `__` for a slash."""
    numbers = range(len(pages) + missing)
    items = "".join(f'<item id="i{n}" href="page%20{n}.xhtml" media-type="{_KIND}"/>' for n in reversed(numbers))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in numbers)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", _CONTAINER)
        book.writestr("book/a.opf", _PACKAGE.format(title=title, doctype=doctype, items=items, spine=spine))
        for number, page in enumerate(pages):
            book.writestr(f"book/page {number}.xhtml", _PAGE.format(page))
        for name, content in members.items():
            book.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def sealed(method: str) -> bytes:
    """What a book says of its encryption."""
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData'
        f' xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{method}"/></EncryptedData>'
        "</encryption>"
    ).encode()


def eml(body: bytes, kind: str = 'text/plain; charset="utf-8"', subject: str = "Alpha") -> bytes:
    """A message of one part, or of several that `body` has between borders."""
    head = f"From: Ada <ada@example.org>\r\nTo: bo@example.org\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + body


def mixed(*parts: tuple[str, bytes], kind: str = "mixed") -> bytes:
    """A message of parts, each with its headers; the border between them is in none of them."""
    border = b"x"
    while any(border in content for _, content in parts):
        border += b"y"
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (border, head.encode(), content) for head, content in parts)
    return eml(b"%b--%b--\r\n" % (body, border), f'multipart/{kind}; boundary="{border.decode()}"')
