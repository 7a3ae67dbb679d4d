"""Files as they turn up in real folders: damaged, hostile, or only unusual.

Each carries the number of its class in the project's table of bad inputs. Classes that no file can show are proved
elsewhere: 16 (changed while it is read) and 17 (permission) in test_files, 21 to 25 (vectors) in test_openai, 30 to 32
(web) in test_web, 33 (login page) in test_guards, 35 (pickled models) in test_local, 37 (YAML tags) in test_secrets.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from pypdf import PdfWriter

from tests.tasks.load import office_files
from tests.tasks.load.books import eml, epub, mixed, sealed
from tests.tasks.load.pdfs import DrawnPage, pdf_of

MAX_BYTES = 2_000_000
_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WORDS = b"Perfectly ordinary words. "


@dataclass(frozen=True)
class BadInput:
    """`reason` is the class it is set aside in; "" where it has to be read, and then `text` is in it."""

    number: int
    name: str
    make: Callable[[], bytes]
    reason: str = ""
    text: str = ""
    is_empty: bool = False


def pdf(text: str = "A page of text.", *, password: str = "", owner: str = "") -> bytes:
    """One page, in the smallest form that readers accept."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    content = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, part in enumerate(parts, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(content)
    content += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    if not password and not owner:
        return bytes(content)
    writer = PdfWriter(clone_from=io.BytesIO(bytes(content)))
    writer.encrypt(password, owner or None, algorithm="AES-256")
    sealed = io.BytesIO()
    writer.write(sealed)
    return sealed.getvalue()


def circular_pdf() -> bytes:
    """Its cross-reference table names itself as the one before."""
    content = pdf()
    start = content.index(b"xref\n")
    return content.replace(b"/Size 5", b"/Size 5 /Prev %d" % start)


def circular_outline_pdf() -> bytes:
    """Each of its bookmarks is the next one of the other, and below it."""
    parts = [
        "<< /First 11 0 R /Last 12 0 R >>",
        "<< /Title (One) /Parent 10 0 R /Next 12 0 R /First 12 0 R /Dest [100 0 R /Fit] >>",
        "<< /Title (Two) /Parent 11 0 R /Next 11 0 R /First 11 0 R /Dest [100 0 R /Fit] >>",
    ]
    return pdf_of(DrawnPage().draw(72, 700, "A page of text."), catalog="/Outlines 10 0 R", parts=parts)


_DOCUMENT = (
    '<?xml version="1.0"?>{}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    "<w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>"
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
_TYPES = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_BOMB = "<!DOCTYPE lolz [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
)


def docx(text: str = "A page of text.", doctype: str = "", **members: bytes) -> bytes:
    """`members` are put in as they are, `__` standing for a slash."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/document.xml", _DOCUMENT.format(doctype, text))
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


_CIPHER = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
_FONT = "http://www.idpf.org/2008/embedding"
_OUTSIDE = '<!DOCTYPE package [<!ENTITY f SYSTEM "file:///etc/passwd">]>'


def _deep_message() -> bytes:
    """Parts in parts without end."""
    borders = range(3_000)
    return b"".join(b"From: a@b\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in borders)


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SEALED = OLE + "EncryptedPackage".encode("utf-16-le")
_FOREIGN = '<!DOCTYPE x [<!ENTITY i SYSTEM "file:///etc/passwd">]>'
_ROW = f"<sheetData><row>{office_files.cell('A1', 'A page')}</row></sheetData>"
# Suffix, a file that begins its XML with some words, and its main part.
OFFICE: tuple[tuple[str, Callable[[str], bytes], str], ...] = (
    (".pptx", lambda begin: office_files.pptx(office_files.shape("A page"), doctype=begin), "ppt/presentation.xml"),
    (".xlsx", lambda begin: office_files.xlsx(_ROW, doctype=begin), "xl/workbook.xml"),
    (".odt", lambda begin: office_files.odf("text", "<text:p>A page</text:p>", doctype=begin), "content.xml"),
)


def added(made: Callable[[str], bytes], name: str, content: bytes) -> Callable[[], bytes]:
    """The file with another member, in the place of one of the same name."""

    def make() -> bytes:
        with zipfile.ZipFile(io.BytesIO(made(""))) as archive:
            parts: dict[str, str | bytes] = {member: archive.read(member) for member in archive.namelist()}
        return office_files.archive({**parts, name: content})

    return make


def bombed(made: Callable[[str], bytes]) -> Callable[[], bytes]:
    return lambda: added(made, "more", bytes(210_000_000))()


INPUTS = (
    BadInput(1, "nothing.md", lambda: b"", is_empty=True),
    BadInput(1, "nothing.pdf", lambda: b"", is_empty=True),
    BadInput(2, "junk.txt", lambda: bytes(range(256)) * 40, "binary"),
    BadInput(2, "controls.txt", lambda: b"ab\x01\x02" * 100, "binary"),
    BadInput(3, "torn.md", lambda: WORDS * 9 + b"caf\xc3\xa9 caf\xe9", text="ordinary"),
    BadInput(3, "hopeless.txt", lambda: b"\xff\xfe" + b"\x00\xd8" * 200, "undecodable"),
    BadInput(3, "neither.txt", lambda: b"\x81\x8d\x8f\x90\x9d ab" * 20, "undecodable"),
    BadInput(4, "utf16.txt", lambda: "Ünïcode in sixteen bits".encode("utf-16"), text="Ünïcode"),
    BadInput(4, "utf32.txt", lambda: "Ünïcode in thirty-two bits".encode("utf-32"), text="Ünïcode"),
    BadInput(4, "bom.md", lambda: b"\xef\xbb\xbf# Title\n\nBody", text="# Title"),
    BadInput(5, "windows.txt", lambda: "café naïve “quotes”".encode("cp1252"), text="café naïve “quotes”"),
    BadInput(6, "huge.txt", lambda: b"x " * MAX_BYTES, "too-large"),
    BadInput(7, "bomb.docx", lambda: docx(word__more=b"\0" * 210_000_000), "too-large"),
    BadInput(8, "climber.docx", lambda: docx("climbs", **{"..__..__escaped.txt": b"outside"}), text="climbs"),
    BadInput(8, "archive.md", lambda: docx(), "wrong-type"),
    BadInput(9, "locked.pdf", lambda: pdf(password="secret"), "encrypted"),
    BadInput(9, "owned.pdf", lambda: pdf(owner="secret"), text="A page of text."),
    BadInput(
        9,
        "locked.docx",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        "encrypted",
    ),
    BadInput(10, "cut.pdf", lambda: pdf()[:300], "corrupt"),
    BadInput(10, "page.pdf", lambda: b"<!DOCTYPE html><p>Not found</p>", "wrong-type"),
    BadInput(10, "cut.docx", lambda: docx()[:-200], "corrupt"),
    BadInput(11, "circular.pdf", circular_pdf, text="A page of text."),
    BadInput(11, "own-parent.pdf", lambda: pdf().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"), "no-text"),
    BadInput(11, "own-outline.pdf", circular_outline_pdf, text="A page of text."),
    BadInput(12, "scan.pdf", lambda: pdf(""), "no-text"),
    BadInput(12, "no-page.pdf", lambda: pdf().replace(b"/Kids [3 0 R] /Count 1", b"/Kids [     ] /Count 0"), "corrupt"),
    BadInput(12, "shapes.pdf", lambda: pdf("/G12/G7/G33/G2"), "no-text"),
    BadInput(20, "vast-page.pdf", lambda: pdf().replace(b"[0 0 612 792]", b"[0 0 9e9 9e9]"), text="A page of text."),
    BadInput(18, "nul.md", lambda: "one\0two".encode("utf-16"), text="onetwo"),
    BadInput(
        19,
        "surrogate.md",
        lambda: WORDS * 9 + "half \ud83d gone".encode("utf-8", "surrogatepass"),
        text="half \ufffd gone",
    ),
    BadInput(20, "one-line.txt", lambda: b"abcdefghij" * 100_000, text="abcdefghij"),
    BadInput(26, "blank.md", lambda: b" \n\t\n", is_empty=True),
    BadInput(27, "twins.md", lambda: b"# Same\n\nSame words.\n\n" * 50, text="Same words."),
    BadInput(28, "scripts.md", lambda: "# שלום 日本語 👩‍👩‍👧 café".encode(), text="👩‍👩‍👧"),
    BadInput(34, "page.html", lambda: b"<body><p>Shown<script>hidden()</script><p hidden>unseen</p>", text="Shown"),
    *(
        bad
        for suffix, made, kind in OFFICE
        for bad in (
            BadInput(7, f"bomb{suffix}", bombed(made), "too-large"),
            BadInput(8, f"climber{suffix}", added(made, "../../escaped.txt", b"outside"), text="A page"),
            BadInput(9, f"locked{suffix}", lambda: SEALED, "encrypted"),
            BadInput(10, f"cut{suffix}", lambda made=made: made("")[:-200], "corrupt"),
            BadInput(10, f"page{suffix}", lambda: b"<!DOCTYPE html><p>Not found</p>", "wrong-type"),
            BadInput(10, f"torn{suffix}", added(made, kind, b"<not <xml"), "corrupt"),
            BadInput(10, f"other{suffix}", added(made, kind, b"<x/>"), "wrong-type"),
            BadInput(36, f"entities{suffix}", lambda made=made: made(f"{_BOMB}]>"), "unsafe-xml"),
            BadInput(36, f"files{suffix}", lambda made=made: made(_FOREIGN), "unsafe-xml"),
        )
    ),
    BadInput(7, "bomb.xlsb", bombed(OFFICE[0][1]), "too-large"),
    BadInput(9, "locked.xls", lambda: SEALED, "encrypted"),
    BadInput(10, "cut.xls", lambda: office_files.xls(("A page",))[:700], "corrupt"),
    BadInput(10, "empty.xls", lambda: OLE + bytes(600), "corrupt"),
    BadInput(11, "deep.rtf", lambda: b"{\\rtf1 " + b"{" * 1_000_000, "too-deep"),
    BadInput(10, "cut.rtf", lambda: b"{\\rtf1 A page {\\b of", text="A page of"),
    BadInput(11, "deep.docx", lambda: office_files.docx("<w:ins>" * 20_000 + "</w:ins>" * 20_000), "too-deep"),
    BadInput(36, "entities.docx", lambda: docx("&i;", doctype=f"{_BOMB}]>"), "unsafe-xml"),
    BadInput(36, "entities.html", lambda: f"{_BOMB}]><p>calm &b;</p>".encode(), text="calm"),
    BadInput(1, "nothing.epub", lambda: b"", is_empty=True),
    BadInput(1, "nothing.eml", lambda: b"", is_empty=True),
    BadInput(3, "unknown.eml", lambda: eml("caf\xe9".encode(), "text/plain; charset=x-none"), text="caf\xe9"),
    BadInput(7, "bomb.epub", lambda: epub("<p>x</p>", book__more=b"\0" * 210_000_000), "too-large"),
    BadInput(8, "climber.epub", lambda: epub("<p>climbs</p>", **{"..__..__out.txt": b"outside"}), text="climbs"),
    BadInput(8, "word.epub", lambda: docx(), "wrong-type"),
    BadInput(9, "locked.epub", lambda: epub("<p>x</p>", **{"META-INF__encryption.xml": sealed(_CIPHER)}), "encrypted"),
    BadInput(9, "font.epub", lambda: epub("<p>calm</p>", **{"META-INF__encryption.xml": sealed(_FONT)}), text="calm"),
    BadInput(9, "locked.eml", lambda: eml(b"x", "application/pkcs7-mime"), "encrypted"),
    BadInput(10, "cut.epub", lambda: epub("<p>x</p>")[:-200], "corrupt"),
    BadInput(10, "empty-package.epub", lambda: epub("<p>x</p>", title="<"), "corrupt"),
    BadInput(10, "page.eml", lambda: b"<!DOCTYPE html><p>Not found</p>", "wrong-type"),
    BadInput(10, "cut.eml", lambda: mixed(("Content-Type: text/plain", b"cut off"))[:-9], text="cut off"),
    BadInput(11, "deep.html", lambda: b"<div>" * 100_000 + b"ground", text="ground"),
    BadInput(11, "deep-table.html", lambda: b"<table><tr><td>" * 20_000 + b"ground", text="ground"),
    BadInput(
        11, "spans.html", lambda: b"<table><tr><td rowspan=65534 colspan=1000>x" * 9_000 + b"ground", text="ground"
    ),
    BadInput(11, "deep.eml", lambda: _deep_message(), text="a@b"),
    BadInput(12, "pictures.html", lambda: b"<img src=a.png><img src=b.png>", is_empty=True),
    BadInput(36, "entities.epub", lambda: epub("<p>x</p>", doctype=f"{_BOMB}]>"), "unsafe-xml"),
    BadInput(36, "outside.epub", lambda: epub("<p>x</p>", doctype=_OUTSIDE, title="&f;"), "unsafe-xml"),
    BadInput(36, "page.epub", lambda: epub("<p>calm &lol; &b;</p>"), text="calm"),
    BadInput(0, "good.epub", lambda: epub("<p>A page of text.</p>"), text="A page of text."),
    BadInput(0, "good.eml", lambda: eml(b"A page of text."), text="A page of text."),
    BadInput(10, "cut.ipynb", lambda: b'{"cells": [{"cell_type": "markdown", "sour', "corrupt"),
    BadInput(10, "other.ipynb", lambda: b'["no", "cells"]', "corrupt"),
    BadInput(10, "odd.ipynb", lambda: b'{"cells": [7, {"cell_type": 3, "source": {"a": 1}, "outputs": 0}]}', text="a"),
    BadInput(10, "cut.xml", lambda: b"<a><b>words</b>", "corrupt"),
    BadInput(10, "cut.csv", lambda: b'a,b\n1,"ordinary words\nthat never end', text="ordinary words"),
    BadInput(10, "cut.vtt", lambda: b"WEBVTT\n\n00:01.000 --> 00:02.000\nordinary words", text="ordinary words"),
    BadInput(10, "cut.tex", lambda: b"\\section{Never closed \\begin{verbatim} ordinary", text="ordinary"),
    BadInput(10, "cut.mdx", lambda: b"import {a\n\n# ordinary <A b={{{\n\nwords", text="ordinary"),
    BadInput(13, "deep.json", lambda: b"[" * 100_000 + b"]" * 100_000, "too-deep"),
    BadInput(13, "deep.ipynb", lambda: b'{"a":' * 100_000, "too-deep"),
    BadInput(13, "deep.xml", lambda: b"<a>" * 100_000 + b"</a>" * 100_000, "too-deep"),
    BadInput(13, "deep.jsonl", lambda: b'{"a":' * 100_000, "too-deep"),
    BadInput(13, "deep.md", lambda: b"---\na: " + b"[" * 400_000 + b"\n---\nordinary", text="ordinary"),
    BadInput(13, "marks.md", lambda: b"---\n" + b"- " * 200_000 + b"\n---\nordinary", text="ordinary"),
    BadInput(13, "deep.tex", lambda: b"\\section{" * 2_000 + b"ordinary" + b"}" * 2_000, text="ordinary"),
    BadInput(36, "entities.xml", lambda: f"{_BOMB}]><a>calm &b;</a>".encode(), "unsafe-xml"),
    BadInput(36, "file.xml", lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "/etc/passwd">]><a>&b;</a>', "unsafe-xml"),
    BadInput(0, "good.pdf", pdf, text="A page of text."),
    BadInput(0, "good.docx", docx, text="A page of text."),
)
