"""Every chunk of a corpus in ten formats says where in its file it stands, and a place that moves costs nothing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Outcome, Pipeline
from tests.tasks.load.office_files import cell, pptx, shape, xlsx
from tests.tasks.load.pdfs import DrawnPage, pdf_of

PARTS = 12  # pages, slides, rows, lines or captions of a file; each has words of its own
WORDS = 30

CONFIG = """\
name: trial
sources: [{kind: files, path: ./docs}]
chunking: {max_tokens: 64, context: none}
embedder: {kind: hashing, dimensions: 64}
store: {kind: qdrant, path: ./db}
"""


def words(part: int) -> str:
    """Those of one part: no other has them."""
    return " ".join(f"part{part}word{number}" for number in range(WORDS))


def numbered(make: Callable[[int], str], between: str = "\n") -> bytes:
    return between.join(make(part) for part in range(1, PARTS + 1)).encode()


def pages() -> bytes:
    made = []
    for part in range(1, PARTS + 1):
        each = words(part).split()
        made.append(DrawnPage().lines(72, 700, *(" ".join(each[at : at + 5]) for at in range(0, WORDS, 5))))
    return pdf_of(*made)


def sheet() -> bytes:
    rows = (f'<row r="{part}">{cell(f"A{part}", f"name{part}")}{cell(f"B{part}", words(part))}</row>' for part in SHEET)
    return xlsx(f"<sheetData>{''.join(rows)}</sheetData>")


SHEET = range(1, PARTS + 1)
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a.md": (lambda: b"---\ntitle: A\n---\n" + numbered(lambda part: f"## Part {part}\n\n{words(part)}\n"), "line"),
    "a.txt": (lambda: numbered(lambda part: f"{words(part)}\n"), "line"),
    "a.rst": (lambda: numbered(lambda part: f"Part {part}\n-------\n\n{words(part)}\n"), "line"),
    "a.py": (lambda: numbered(lambda part: f"def part_{part}():\n    return '{words(part)}'\n"), "line"),
    "a.org": (lambda: numbered(lambda part: f"* Part {part}\n\n{words(part)}\n"), "line"),
    "a.adoc": (lambda: b"= A\n\n" + numbered(lambda part: f"== Part {part}\n\n{words(part)}\n"), "line"),
    "a.pdf": (pages, "page"),
    "a.pptx": (lambda: pptx(*(shape(f"Part {part}", "title") + shape(words(part)) for part in SHEET)), "slide"),
    "a.xlsx": (sheet, "cells"),
    "a.csv": (lambda: b"name,text\n" + numbered(lambda part: f"name{part},{words(part)}"), "cells"),
    "a.srt": (
        lambda: numbered(lambda part: f"{part}\n00:00:{part:02},000 --> 00:00:{part:02},900\n{words(part)}\n"),
        "time",
    ),
}


@pytest.fixture
def corpus(pipeline: Pipeline) -> Pipeline:
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for name, (make, _) in FILES.items():
        pipeline.write(name, "").write_bytes(make())
    pipeline.config.write_text(CONFIG)
    return pipeline


def parts_of(text: str) -> list[int]:
    return sorted({int(part) for part in re.findall(r"part(\d+)word", text)})


def expected(kind: str, parts: list[int], content: str) -> list[int]:
    """Where words of these parts stand, as numbers of pages, slides, rows, seconds or lines."""
    if kind == "line":
        lines = content.split("\n")
        return [next(at for at, line in enumerate(lines, 1) if f"part{part}word" in line) for part in parts]
    return [part + 1 for part in parts] if content.startswith("name,") else parts


def told(kind: str, metadata: dict[str, Any]) -> list[int]:
    """The first and the last that the record names."""
    if kind == "line":
        return [metadata["line"], metadata["last_line"]]
    if kind == "cells":
        rows = [int(row) for row in re.findall(r"[A-Z]+(\d+)", metadata["cells"])]
        return [rows[0], rows[-1]]
    if kind == "time":
        return [int(second) for second in re.findall(r":(\d\d)\.", metadata["time"])]
    return [metadata[kind][0], metadata[kind][-1]]


def search(pipeline: Pipeline) -> list[dict[str, Any]]:
    options = ("--limit", "9999", "--mode", "dense", "--json")
    outcome: Outcome = pipeline.run("search", str(pipeline.config), "part", *options)
    hits: list[dict[str, Any]] = outcome.json["hits"]
    return [{**hit, **place} for hit in hits for place in (hit, *hit.get("copies", ()))]


def test_every_chunk_says_where_it_stands_in_its_file(corpus: Pipeline) -> None:
    assert corpus.sync()["code"] == 0
    seen = set()
    wrong: list[str] = []
    for hit in search(corpus):
        name, metadata = hit["metadata"]["document"], hit["metadata"]
        make, kind = FILES[name]
        parts = parts_of(hit["text"])
        if not parts:
            continue
        seen.update((name, part) for part in parts)
        content = make().decode(errors="replace")
        first, last = told(kind, metadata)
        places = expected(kind, parts, content)
        is_exact = kind in ("page", "slide", "time")
        if (first, last) != (places[0], places[-1]) if is_exact else not (first <= places[0] <= places[-1] <= last):
            wrong.append(f"{name}: {parts} told as {first}-{last}, expected {places}")
        if kind == "line":
            assert content[metadata["start"] : metadata["end"]] in hit["text"]
    assert wrong == []
    assert seen == {(name, part) for name in FILES for part in range(1, PARTS + 1)}


def test_a_place_that_moves_is_written_and_nothing_is_embedded(corpus: Pipeline) -> None:
    before = corpus.sync()
    path = corpus.folder / "docs/a.md"
    path.write_text(path.read_text().replace("---\ntitle: A\n---\n", "---\ntitle: A\nteam: b\n---\n"))
    report = corpus.sync()
    chunks = sum(hit["metadata"]["document"] == "a.md" for hit in search(corpus))
    counts = [report["chunks"][name] for name in ("embedded", "written", "removed")]
    assert counts == [0, chunks, chunks]
    assert report["chunks"]["total"] == before["chunks"]["total"]


def test_a_link_opens_a_document_at_its_page(corpus: Pipeline) -> None:
    corpus.sync()
    links = {hit["link"] for hit in search(corpus) if hit["metadata"]["document"] == "a.pdf"}
    root = Path(corpus.folder, "docs", "a.pdf").as_uri()
    assert links <= {f"{root}#page={page}" for page in range(1, PARTS + 1)}
    assert links
