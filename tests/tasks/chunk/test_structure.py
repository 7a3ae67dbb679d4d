"""Structure decides where to cut: sections are hard boundaries, inside them the best place wins."""

import pytest

from config.embedders import HashingEmbedder
from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.load.parse.open import parse
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format

TOKENIZER = open_embedder(HashingEmbedder(kind="hashing")).tokenizer


def cut(text: str, form: Format, max_tokens: int = 40) -> list[Chunk]:
    chunker = open_chunker(Chunking(max_tokens=max_tokens), TOKENIZER)
    return chunker.split([Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, form)])[0]


def test_a_markdown_chunk_never_crosses_a_heading() -> None:
    found = cut("Intro.\n\n# One\n\nFirst.\n\n## Deep\n\nSecond.\n\n# Two\n\nThird.\n", "markdown")
    assert [(chunk.text.split("\n")[0], chunk.headings) for chunk in found] == [
        ("Intro.", ()),
        ("# One", ("One",)),
        ("## Deep", ("One", "Deep")),
        ("# Two", ("Two",)),
    ]


def test_a_title_without_a_body_goes_with_what_follows() -> None:
    found = cut("# Guide\n\n## Install\n\nRun it.\n", "markdown")
    assert [(chunk.text, chunk.headings) for chunk in found] == [
        ("# Guide\n\n## Install\n\nRun it.", ("Guide", "Install"))
    ]


def test_underlined_titles_are_headings() -> None:
    found = cut("Guide\n=====\n\nHello.\n\nInstall\n-------\n\nRun it.\n", "markdown")
    assert [chunk.headings for chunk in found] == [("Guide",), ("Guide", "Install")]


def test_a_rule_or_a_list_is_no_heading() -> None:
    assert len(cut("Some text.\n\n---\n\n- item\n---\nmore\n", "markdown")) == 1


def test_a_comment_in_a_fence_is_no_heading() -> None:
    text = "# Shell\n\n```sh\n# not a heading\n\nmake\n```\n\nAfter.\n"
    assert [chunk.headings for chunk in cut(text, "markdown")] == [("Shell",)]
    longer = "# A\n\n````\n```\n# no\n```\n# no\n````\n\n# B\n\nx\n"
    assert [chunk.headings for chunk in cut(longer, "markdown")] == [("A",), ("B",)]


@pytest.mark.parametrize("mark", ["{}. ", "  {}. ", "> {}. ", "{:03}. "])
@pytest.mark.parametrize("tokens", [16, 24, 40])
def test_the_number_of_an_item_stays_with_its_words(mark: str, tokens: int) -> None:
    items = [mark.format(number) + f"Step {number} has a sentence to read. And one more." for number in range(1, 130)]
    found = cut("The steps:\n\n" + "\n".join(items) + "\n\nIn 2024. Then more.\n", "markdown", tokens)
    assert not any(chunk.text.split("\n")[-1].strip("> .0123456789") == "" for chunk in found)


def test_a_fence_stays_whole_where_it_fits() -> None:
    fence = "```py\nalpha = 1\n\nbeta = 2\n\ngamma = 3\n```"
    prose = "Words of a paragraph that fill the page with some more words. " * 3
    found = cut(f"{prose}\n\n{fence}\n\n{prose}\n", "markdown")
    assert any(fence in chunk.text for chunk in found)


def test_restructured_titles_nest_by_their_style() -> None:
    text = "=====\nGuide\n=====\n\nHello.\n\nInstall\n=======\n\nRun.\n\nLinux\n-----\n\nApt.\n\nUse\n===\n\nGo.\n"
    document = parse(DocumentRef(DocumentId("s:d"), "s", "d.rst"), text.encode())
    chunker = open_chunker(Chunking(max_tokens=40), TOKENIZER)
    assert [chunk.headings for chunk in chunker.split([document])[0]] == [
        ("Guide",),
        ("Guide", "Install"),
        ("Guide", "Install", "Linux"),
        ("Guide", "Use"),
    ]


def test_code_is_cut_before_definitions() -> None:
    functions = [f"def f{n}(x):\n    first = x + {n}\n\n    return first * {n}\n" for n in range(12)]
    found = cut("import os\n\n\n" + "\n\n".join(functions), "code", max_tokens=48)
    assert len(found) > 3
    assert all(chunk.text.startswith(("import os", "def f")) for chunk in found)


@pytest.mark.parametrize("form", ["markdown", "text", "rst", "code"])
def test_a_blank_document_has_no_chunks(form: Format) -> None:
    assert cut(" \n\n\t\n", form) == []


def test_sentences_are_cut_before_words() -> None:
    text = " ".join(f"This is sentence {n} of the page." for n in range(40))
    found = cut(text, "text")
    assert len(found) > 5
    assert all(chunk.text.startswith("This") and chunk.text.endswith(".") for chunk in found)


LONG = 100_000  # what looks at a stretch of so many again and again takes minutes


@pytest.mark.parametrize(
    "text",
    [
        "word" + " " * LONG + "\n\nword",
        "word" + "\n" * LONG + "word",
        "# A\n\n" + "word " * 100 + "\n" * LONG + "# B\n\nword",
        "word " * 100 + "\u00a0" * LONG + "x",
        "word\n" + " " * LONG + "\n" + "word " * 100,
        "# a" + " " * LONG + "b #\n\nword",
        "```\ncode\n```\n" * (LONG // 2),
        "a ```b " * LONG,
    ],
    ids=range(8),
)
@pytest.mark.parametrize("form", ["markdown", "rst"])
def test_the_time_grows_with_the_length_of_the_text_alone(text: str, form: Format) -> None:
    found = cut(text, form)
    assert "".join("".join(chunk.text.split()) for chunk in found) == "".join(text.split())
