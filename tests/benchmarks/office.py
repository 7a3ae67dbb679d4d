"""Office documents: processor time of our readers against the bare reading of the same file's XML or stream."""

import io
import statistics
import zipfile
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

from tasks.load.parse.office.docx import parse_docx
from tasks.load.parse.office.odf import parse_odf
from tasks.load.parse.office.pptx import parse_pptx
from tasks.load.parse.office.rtf import parse_rtf
from tasks.load.parse.office.xlsx import parse_xlsx
from tasks.load.parse.text import Parsed
from tests.benchmarks.harness import Measurement, paired, ratio
from tests.tasks.load import office_files

SENTENCE = "The pump is opened by hand before the valve is closed, and the pressure is read twice. "
PARAGRAPHS = 2_000
SLIDES = 200
ROWS = 5_000
ROUNDS = 7


def measure() -> Iterator[Measurement]:
    for kind, (parse, content) in files().items():
        text = parse(f"a.{kind}", content).text
        own, bare = paired([lambda p=parse, c=content: p("a", c), lambda c=content: unpacked(c)], ROUNDS)
        speed = len(text) / 1e6 / statistics.median(own)
        detail = f"{len(content) / 1e3:,.0f} kB; {ratio(own, bare):.1f} times what only its XML takes"
        yield Measurement(f"reading {kind}, text", speed, "MB/s", None, detail)


def files() -> dict[str, tuple[Callable[[str, bytes], Parsed], bytes]]:
    paragraphs = "".join(office_files.paragraph(SENTENCE * 3) for _ in range(PARAGRAPHS))
    slides = [office_files.shape(f"Slide {n}", "title") + office_files.shape(SENTENCE, top=n) for n in range(SLIDES)]
    rows = "".join(
        f"<row>{office_files.cell(f'A{n}', f'pump {n}')}<c><v>{n / 7}</v></c><c><v>{n}</v></c></row>"
        for n in range(1, ROWS)
    )
    lines = "".join(f"<text:p>{SENTENCE * 3}</text:p>" for _ in range(PARAGRAPHS))
    rtf = "{\\rtf1\\ansi " + f"{SENTENCE * 3}\\par\n" * PARAGRAPHS + "}"
    return {
        "docx": (parse_docx, office_files.docx(paragraphs)),
        "pptx": (parse_pptx, office_files.pptx(*slides)),
        "xlsx": (parse_xlsx, office_files.xlsx(f"<sheetData>{rows}</sheetData>")),
        "odt": (parse_odf, office_files.odf("text", lines)),
        "rtf": (parse_rtf, rtf.encode()),
    }


def unpacked(content: bytes) -> None:
    """Nothing but the trees of all parts."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith((".xml", ".rels")):
                    ElementTree.fromstring(archive.read(name))
    else:
        content.decode("latin-1").replace("\\par", "")
