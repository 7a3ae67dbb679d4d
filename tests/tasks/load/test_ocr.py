"""Scans and pictures of text, read by the tesseract of this machine."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pypdfium2.raw as pdfium
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from pydantic import ValidationError
from pypdfium2 import PdfDocument

from config.source_sections import PathsSection
from config.sources import FilesSource
from tasks.errors import ConfigError
from tasks.load.labels import Labelled
from tasks.load.open import open_source
from tasks.load.parse import ocr
from tasks.load.parse.isolated import child
from tasks.places import Places
from tasks.records import Document
from tests.tasks.load.pdfs import DrawnPage, pdf_of

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
FIRST = ("Drain the kettle every week.", "Call the desk when it leaks.")
SECOND = ("The pump stands upside down.", "Nobody knows the reason why.", "It runs as well as ever.")


@pytest.fixture(scope="module", autouse=True)
def _one_parser() -> Iterator[None]:
    yield
    child.SCANS.close()


def drawn(*lines: str, turn: int = 0) -> Pillow.Image:
    page = Pillow.new("L", (900, 600), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(34)
    for number, line in enumerate(lines):
        pen.text((80, 100 + 52 * number), line, fill=0, font=font)
    return page.rotate(turn, expand=True)


def scan(*pages: Pillow.Image) -> bytes:
    content = BytesIO()
    pages[0].save(content, "PDF", save_all=True, append_images=pages[1:], resolution=150)
    return content.getvalue()


def read(folder: Path, name: str, content: bytes, languages: bool | str = True) -> Document:
    (folder / name).write_bytes(content)
    source = open_source(FilesSource(kind="files", path=str(folder), name="s", ocr=languages))
    [ref] = source.list().refs
    return source.read(ref)


@needs_tesseract
def test_pages_without_text_are_read_named_and_have_their_places(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pdf", scan(drawn(*FIRST), drawn(*SECOND, turn=90)))
    assert document.text == "\n".join(FIRST) + "\n\n" + "\n".join(SECOND) + "\n"
    assert document.remarks == ("2 of 2 pages have words that OCR read: pages 1-2",)
    at = document.text.index(FIRST[1])
    where = Places(document.places).between(at, at + len(FIRST[1]))
    assert where["page"] == [1]
    [_, left, bottom, right, top] = map(float, str(where["rectangle"][0]).split())
    assert 36 <= left <= 42  # as drawn: 80 dots of 150 to the inch
    assert 190 <= bottom < top <= 225
    assert right > 200


@needs_tesseract
def test_a_page_with_text_stays_as_it_is_and_one_without_meaning_is_read(tmp_path: Path) -> None:
    garbled = DrawnPage().draw(72, 700, "\uf041\uf042\uf043 \uf044\uf045")
    document = read(tmp_path, "a.pdf", pdf_of(DrawnPage().draw(72, 700, "Words of the file."), garbled))
    assert document.text == "Words of the file.\n\nABCDEF\n"  # what the font draws for the codes
    assert document.remarks == ("1 of 2 pages has words that OCR read: page 2",)


@needs_tesseract
def test_a_picture_is_the_words_in_it_or_says_that_it_has_none(tmp_path: Path) -> None:
    content = BytesIO()
    drawn(*FIRST).save(content, "PNG")
    document = read(tmp_path, "a.png", content.getvalue())
    assert (document.text, document.image) == ("\n".join(FIRST) + "\n", None)
    assert document.remarks == ("its words are what OCR read in the picture",)
    content = BytesIO()
    Pillow.new("L", (300, 200), 128).save(content, "PNG")
    document = read(tmp_path, "a.png", content.getvalue())
    assert (document.text, document.remarks) == ("", ("OCR found no text in the picture",))


def stamped(content: bytes, text: str, mode: int = pdfium.FPDF_TEXTRENDERMODE_FILL) -> bytes:
    """The file with a line of text at the foot of each page."""
    pdf = PdfDocument(content)
    for page in pdf:
        line = pdfium.FPDFPageObj_NewTextObj(pdf, b"Helvetica", 9.0)
        written = (text + "\0").encode("utf-16-le")
        pdfium.FPDFText_SetText(line, ctypes.cast(ctypes.c_char_p(written), pdfium.FPDF_WIDESTRING))
        pdfium.FPDFTextObj_SetTextRenderMode(line, mode)
        pdfium.FPDFPageObj_Transform(line, 1, 0, 0, 1, 40, 20)
        pdfium.FPDFPage_InsertObject(page, line)
        pdfium.FPDFPage_GenerateContent(page)
    made = BytesIO()
    pdf.save(made)
    return made.getvalue()


STAMP = "Scanned by Kettle Office"


def test_a_scan_with_a_stamp_is_named(tmp_path: Path) -> None:
    content = stamped(scan(drawn(*FIRST), drawn(*SECOND)), STAMP)
    document = read(tmp_path, "a.pdf", content, languages=False)
    assert document.text.split("\n\n")[0].strip() == STAMP
    named = "2 of 2 pages have hardly any text beside a picture of the whole page: pages 1-2"
    assert document.remarks == (f"{named}; set `ocr: eng` for the source to have it read",)


@pytest.mark.parametrize(
    ("picture", "text"),
    [(drawn(*FIRST), " ".join(["word"] * 30)), (Pillow.new("L", (90, 60), 250), STAMP)],
    ids=["enough words", "a coarse picture, as of a background"],
)
def test_a_page_with_text_on_a_picture_is_no_scan(tmp_path: Path, picture: Pillow.Image, text: str) -> None:
    assert read(tmp_path, "a.pdf", stamped(scan(picture), text), languages=False).remarks == ()


def test_what_a_program_has_laid_over_its_scan_is_read(tmp_path: Path) -> None:
    layer = " ".join(["word"] * 30)
    content = stamped(scan(drawn(*FIRST)), layer, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)
    document = read(tmp_path, "a.pdf", content, languages=False)
    assert (document.text, document.remarks) == (f"{layer}\n", ())


@needs_tesseract
def test_a_scan_with_a_stamp_is_read(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pdf", stamped(scan(drawn(*FIRST)), STAMP))
    assert document.text.split("\n\n")[0] == "\n".join(FIRST)
    assert document.text.count(STAMP) == 1
    assert document.remarks == ("1 of 1 pages has words that OCR read: page 1",)


def test_a_scan_says_what_would_read_it(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no text, so it is probably a scan; set `ocr: eng` for its source"):
        read(tmp_path, "a.pdf", scan(drawn(*FIRST)), languages=False)


def test_a_missing_command_and_a_missing_language_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ocr.require_tesseract.cache_clear()
    if shutil.which("tesseract"):
        with pytest.raises(ConfigError, match=r"tesseract has no 'tlh' on this machine; expected one of eng"):
            read(tmp_path, "a.pdf", scan(drawn(*FIRST)), "eng+tlh")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"`ocr: eng` needs the command tesseract, .* install it"):
        read(tmp_path, "a.pdf", scan(drawn(*FIRST)))
    ocr.require_tesseract.cache_clear()


@pytest.mark.parametrize("languages", ["", "-l", "eng+", "eng deu", "../x", "eng+--psm"])
def test_languages_are_names_and_no_options(languages: str) -> None:
    with pytest.raises(ValidationError):
        PathsSection(ocr=languages)  # type: ignore[call-arg]


def test_a_model_that_sees_gets_pictures_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has `ocr: eng`, which makes text of pictures"):
        open_source(FilesSource(kind="files", path=str(tmp_path), name="s", ocr=True), images=True)


def test_another_setting_reads_the_documents_again(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("words", encoding="utf-8")
    os.utime(tmp_path / "a.md", (1e9, 1e9))
    hints = set()
    for languages in (False, True, "deu"):
        config = FilesSource(kind="files", path=str(tmp_path), name="s", ocr=languages)
        [ref] = Labelled(open_source(config), config).list().refs
        hints.add(f"{ref.hint}+".partition("+")[2])
    assert len(hints) == 3
