"""What files say of themselves beside their text becomes metadata, by the same names whatever the format."""

import io
import zipfile
from collections.abc import Callable

import pytest

from tasks.load.parse.open import parse
from tasks.load.parse.properties import date_of_message, date_of_pdf
from tasks.records import DocumentId, DocumentRef, Metadata
from tests.tasks.load.bad_inputs import docx, pdf

CORE = """<?xml version="1.0"?><cp:coreProperties
 xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">
<dc:creator>Zoë  Ä</dc:creator><dcterms:created>2024-01-31T10:00:00Z</dcterms:created>
<dcterms:modified>some day</dcterms:modified><cp:keywords>a, b;c</cp:keywords><dc:subject></dc:subject>
</cp:coreProperties>"""


def metadata(name: str, content: bytes) -> Metadata:
    return parse(DocumentRef(DocumentId(f"s:{name}"), "s", name), content).metadata


def test_a_page_names_its_author_its_dates_and_its_keywords() -> None:
    head = (
        '<meta name="Author" content="Zoë"><meta name="description" content="What it is">'
        '<meta property="article:published_time" content="2024-01-31"><meta name="dcterms.modified" content="soon">'
        '<meta name="keywords" content="a, b"><meta name="viewport" content="width=1"><meta name="author" content="x">'
    )
    page = f"<html><head><title>T</title>{head}</head><body><p>Text.</p></body></html>"
    assert metadata("a.html", page.encode()) == {
        "title": "T",
        "author": "Zoë",
        "description": "What it is",
        "created": "2024-01-31",
        "keywords": ["a", "b"],
    }


def test_a_message_names_sender_receiver_and_moment() -> None:
    message = (
        b"From: Al <al@example.org>\nTo: b@example.org\nSubject: S\nDate: Wed, 31 Jan 2024 10:00:00 +0200\n\nText.\n"
    )
    assert metadata("a.eml", message) == {
        "title": "S",
        "from": "al@example.org",
        "to": ["b@example.org"],
        "date": "2024-01-31T10:00:00+02:00",
    }


def test_a_word_document_names_its_author_and_its_dates() -> None:
    file = io.BytesIO(docx("Text."))
    with zipfile.ZipFile(file, "a") as archive:
        if "docProps/core.xml" not in archive.namelist():
            archive.writestr("docProps/core.xml", CORE)
    found = metadata("a.docx", file.getvalue())
    assert {name: found[name] for name in ("author", "created", "keywords")} == {
        "author": "Zoë Ä",
        "created": "2024-01-31T10:00:00Z",
        "keywords": ["a", "b", "c"],
    }
    assert not {"modified", "subject"} & found.keys()


def test_a_pdf_names_its_author_and_its_dates() -> None:
    content = pdf("Some words of text on the page.")
    info = b"<< /Author (Zo) /CreationDate (D:20240131100000+02'00') >>"
    at = content.rindex(b"trailer")
    number = content.count(b" obj") + 1
    added = b"\n%d 0 obj\n%s\nendobj\n" % (number, info)
    made = content[:at] + added + content[at:].replace(b"<<", b"<< /Info %d 0 R" % number, 1)
    found = metadata("a.pdf", made)
    assert (found["author"], found["created"]) == ("Zo", "2024-01-31T10:00:00+02:00")


@pytest.mark.parametrize(
    ("read", "text", "date"),
    [
        (date_of_pdf, "D:20240131", "2024-01-31"),
        (date_of_pdf, "D:2024", "2024-01-01"),
        (date_of_pdf, "D:20240131101112Z", "2024-01-31T10:11:12Z"),
        (date_of_pdf, "D:202401311011-05", "2024-01-31T10:11:00-05:00"),
        (date_of_pdf, "yesterday", ""),
        (date_of_message, "Wed, 31 Jan 2024 10:00:00 -0000", "2024-01-31T10:00:00+00:00"),
        (date_of_message, "yesterday", ""),
        (date_of_message, "", ""),
    ],
)
def test_dates_become_iso_dates(read: Callable[[str], str], text: str, date: str) -> None:
    assert read(text) == date
