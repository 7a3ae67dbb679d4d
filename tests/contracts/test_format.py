"""What every format of files promises: its text and title, its suffixes, and no other format's content."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import pytest

from tasks.errors import DocumentError
from tasks.load.parse.formats import FORMATS, IMAGE, MESSAGE, FileFormat, format_of
from tasks.load.parse.isolated import child
from tasks.load.parse.open import parse
from tasks.load.paths import PathFilter
from tasks.records import Document, DocumentId, DocumentRef
from tests.tasks.load.bad_inputs import docx, pdf
from tests.tasks.load.books import eml, epub
from tests.tasks.load.office_files import cell, odf, pptx, shape, xls, xlsx
from tests.tasks.load.pictures import picture


@dataclass(frozen=True)
class Sample:
    """A small file of one format, some of its text, and its title."""

    suffix: str
    content: bytes
    text: str
    title: str = ""


SAMPLES = (
    Sample(".md", b"# Alpha\n\nA page of text.\n", "# Alpha", title="Alpha"),
    Sample(".mdx", b'import X from "x"\n\n# Alpha\n\n<X>A page of text.</X>\n', "A page of text.", title="Alpha"),
    Sample(".txt", b"A page of text.\n", "A page of text."),
    Sample(".rst", b"Alpha\n=====\n\nA page of text.\n", "=====", title="Alpha"),
    Sample(".adoc", b"= Alpha\n\nA page of text.\n", "= Alpha", title="Alpha"),
    Sample(".org", b"#+title: Alpha\n\n* One\nA page of text.\n", "* One", title="Alpha"),
    Sample(".tex", b"\\title{Alpha}\n\\begin{document}\nA page of text.\n\\end{document}\n", "# Alpha", title="Alpha"),
    Sample(".yaml", b"about: A page of text.\n", "A page of text."),
    Sample(
        ".ipynb",
        b'{"cells": [{"cell_type": "markdown", "source": ["# Alpha\\n", "A page of text."]}]}',
        "A page of text.",
        title="Alpha",
    ),
    Sample(".csv", b"Pump,Words\nAlpha,A page of text.\n", "| Alpha | A page of text. |"),
    Sample(".json", b'{"title": "Alpha", "words": ["A page of text."]}', "words: A page of text.", title="Alpha"),
    Sample(".jsonl", b'{"words": "A page of text."}\n{"words": 2}\n', "words: A page of text.\n\nwords: 2"),
    Sample(".xml", b"<doc><title>Alpha</title><p>A page <b>of</b> text.</p></doc>", "A page of text.", title="Alpha"),
    Sample(".srt", b"1\n00:00:01,000 --> 00:00:02,000\nA page of text.\n", "A page of text."),
    Sample(".html", b"<title>Alpha</title><h1>One</h1><p>A page of text.", "# One", title="Alpha"),
    Sample(".epub", epub("<h1>One</h1><p>A page of text.</p>"), "# One", title="Alpha"),
    Sample(".eml", eml(b"A page of text."), "A page of text.", title="Alpha"),
    Sample(".pdf", pdf(), "A page of text."),
    Sample(".docx", docx(), "A page of text."),
    Sample(".pptx", pptx(shape("Alpha", "title") + shape("A page of text.")), "A page of text.", title="Alpha"),
    Sample(
        ".xlsx", xlsx(f'<sheetData><row r="1">{cell("A1", "A page of text.")}</row></sheetData>'), "A page of text."
    ),
    Sample(".odt", odf("text", "<text:p>A page of text.</text:p>", title="Alpha"), "A page of text.", title="Alpha"),
    Sample(".rtf", rb"{\rtf1{\info{\title Alpha}}A page of text.\par}", "A page of text.", title="Alpha"),
    Sample(".xls", xls(("A page of text.",)), "A page of text."),
    Sample(".png", picture(caption="A page of text."), "A page of text."),
    Sample(".py", b"def main():\n    pass\n", "def main():"),
)


@pytest.fixture(scope="module", autouse=True)
def _one_parser() -> Iterator[None]:
    yield
    child.SHARED.close()


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.suffix)
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def read(name: str, content: bytes) -> Document:
    return parse(DocumentRef(DocumentId(f"s:{name}"), "s", name), content)


def test_every_format_has_a_sample() -> None:
    assert [format_of(sample.suffix) for sample in SAMPLES] == list(FORMATS)


def test_a_suffix_belongs_to_one_format_and_is_included_by_default() -> None:
    suffixes = [suffix for row in FORMATS for suffix in row.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    taken = {suffix for suffix in suffixes if PathFilter(None, []).takes(f"docs/a{suffix.upper()}")}
    assert taken == {*suffixes} - {"", *IMAGE.suffixes}


def test_the_sample_is_read_with_its_title(sample: Sample) -> None:
    document = read(f"docs/a{sample.suffix}", sample.content)
    assert sample.text in document.text
    assert document.format == format_of(sample.suffix).form
    assert document.metadata.get("title", "") == sample.title


def test_the_same_file_is_the_same_document(sample: Sample) -> None:
    assert read(f"a{sample.suffix}", sample.content) == read(f"a{sample.suffix}", sample.content)


def test_an_empty_file_is_an_empty_document(sample: Sample) -> None:
    document = read(f"a{sample.suffix}", b"")
    assert (document.text, document.metadata) == ("", {})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(f"a{named.suffix}", given.content, id=f"{given.suffix} as {named.suffix}")
        for named, given in permutations(SAMPLES, 2)
        if format_of(named.suffix).signature or format_of(given.suffix).signature not in (None, MESSAGE)  # text is text
    ],
)
def test_content_of_another_format_is_told_and_not_parsed(name: str, content: bytes) -> None:
    with pytest.raises(DocumentError, match=rf"^{name} is .+, not .+, as its name says") as caught:
        read(name, content)
    assert caught.value.reason == "wrong-type"


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.suffixes[0])
def test_a_foreign_parser_is_there_and_runs_elsewhere(row: FileFormat) -> None:
    if isinstance(row.parser, str):
        module, _, function = row.parser.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
    assert isinstance(row.parser, str) or row.signature is None, "only text is parsed in this process"
