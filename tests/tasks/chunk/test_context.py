"""What a chunk is embedded below, beside its own words: a title, or the scope of code."""

from dataclasses import replace

import pytest

from config.embedders import HashingEmbedder
from config.pipeline import Chunking
from tasks.chunk.auto import AutoChunker
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.places import Heading
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format

WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
PROSE = "This is a sentence of the page that says something about the pumps of the plant. "


def document(text: str, form: Format = "markdown", **metadata: str) -> Document:
    return Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, form, metadata=metadata)


def cut(one: Document, max_tokens: int = 40, overlap: int = 0, context: str = "auto") -> list[Chunk]:
    config = Chunking.model_validate({"max_tokens": max_tokens, "overlap_tokens": overlap, "context": context})
    chunks = open_chunker(config, WORDS).split([one])[0]
    for chunk in chunks:
        assert chunk.text == one.text[chunk.start : chunk.start + len(chunk.text)]
        assert chunk.tokens == WORDS.count([chunk.embedded])[0] <= max_tokens
    return chunks


@pytest.mark.parametrize(("form", "line"), [("markdown", "# Rotating keys\n\n"), ("text", "Rotating keys\n\n")])
@pytest.mark.parametrize("text", ["Once per quarter.", PROSE * 20, "## Why\n\nSo.\n\n## How\n\nBy hand."])
def test_a_title_that_stands_nowhere_is_the_first_line_of_the_first_chunk(form: Format, line: str, text: str) -> None:
    chunks = cut(document(text, form, title="Rotating keys"))
    assert [chunk.context for chunk in chunks] == [line, *[""] * (len(chunks) - 1)]
    assert chunks[0].embedded.startswith(line + text[:10])
    assert chunks[0].stored == chunks[0].text


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Rotating keys", "# Rotating keys\n\nOnce."),
        ("Rotating keys", "# ROTATING  *keys*!\n\nOnce."),
        ("Rotating keys", "About rotating\nkeys: once."),
        ("Größe", "# GRÖSSE\n\nOnce."),
        ("ติดตั้ง", "การติดตั้งครั้งแรก"),
        ("", "Once."),
        ("  ", "Once."),
        ("Rotating keys", PROSE[:60] + "Rotating keys. " + PROSE * 20),
    ],
)
def test_a_title_that_the_first_chunk_has_is_not_told_twice(title: str, text: str) -> None:
    assert {chunk.context for chunk in cut(document(text, "text", title=title)) if "Once" in chunk.text} <= {""}
    assert cut(document(text, title=title))[0].context == ""


def test_a_word_that_has_the_title_in_it_is_not_the_title() -> None:
    assert cut(document("The google and the goal.", title="Go"))[0].context == "# Go\n\n"


def test_a_title_that_stands_below_the_first_chunk_is_told() -> None:
    assert cut(document(PROSE * 10 + "Rotating keys.", title="Rotating keys"))[0].context == "# Rotating keys\n\n"


def test_a_long_title_is_shortened_and_one_without_room_left_out() -> None:
    long = "word " * 200
    [first, *_] = cut(document(PROSE * 20, title=long))
    assert 0 < len(first.context.split()) <= 1 + 40 // 4
    assert first.text.startswith("This is")
    assert cut(document(PROSE * 20, title="x" * 500), 16)[0].context == ""
    assert cut(document("x.y." * 200, "text", title="a.b.c.d.e.f.g.h"), 16)


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_a_document_without_text_is_found_by_its_title_and_description(text: str) -> None:
    [chunk] = cut(document(text, title="Only  this", description="And this."))
    assert (chunk.text, chunk.start, chunk.context) == ("", 0, "")
    assert chunk.stored == "Only this\n\nAnd this."
    assert cut(document(text, title="Only this", summary="And this."))[0].stored == chunk.stored
    assert cut(document(text, description="And this.")) == []
    assert cut(document(text, title="Only this"), context="none") == []
    long = cut(document(text, title="Only this", description=PROSE * 20))
    assert len(long) > 5
    assert " ".join(chunk.stored for chunk in long).split() == ["Only", "this", *(PROSE * 20).split()]


def test_documents_without_text_do_not_mix_with_their_neighbours() -> None:
    documents = [document("", title="One"), document("Two."), document(""), document("", title="Four")]
    chunks = open_chunker(Chunking(), WORDS).split(documents)
    assert [[chunk.stored for chunk in own] for own in chunks] == [["One"], ["Two."], [], ["Four"]]


METHODS = "".join(
    f"    @cached\n    def step_{n}(self, value):\n        \"\"\"Do step {n}.\"\"\"\n\n        return value * {n}\n\n"
    for n in range(12)
)  # fmt: skip
CLASS = f'import os\n\n\nclass Pump(Machine):\n    """A pump."""\n\n{METHODS}\ndef after():\n    return 1\n'


def test_a_method_knows_its_class_and_is_not_cut() -> None:
    chunks = cut(document(CLASS, "code"), 60)
    assert len(chunks) > 4
    inside = [chunk for chunk in chunks if "class Pump" not in chunk.text and "def step" in chunk.text]
    assert {chunk.context for chunk in inside} == {"class Pump(Machine):\n"}
    assert {chunk.headings[0] for chunk in inside if "after" not in chunk.text} == {"Pump"}
    assert all(chunk.text.startswith("    @cached\n    def step_") for chunk in inside), "whole, with its indentation"
    assert [chunk.context for chunk in chunks if chunk.text.startswith("import")] == [""]


def test_a_part_of_a_long_method_knows_class_and_signature() -> None:
    body = "".join(f"        line_{n} = call(value, {n})\n\n" for n in range(40))
    chunks = cut(document(f"class Pump:\n    def run(\n        self, value\n    ):\n{body}", "code"), 60)
    assert {chunk.context for chunk in chunks[2:]} == {"class Pump:\ndef run(\n"}
    assert {chunk.headings for chunk in chunks[1:]} == {("Pump", "run")}
    assert all(chunk.text.startswith("        line_") for chunk in chunks[2:])


def test_a_signature_is_shortened_before_it_takes_the_room_of_the_text() -> None:
    arguments = ", ".join(f"argument_{n}" for n in range(50))
    body = "".join(f"    line_{n} = call(value, {n})\n" for n in range(40))
    chunks = cut(document(f"def run({arguments}):\n{body}", "code"))
    assert all(len(WORDS.count([chunk.context])) <= 10 for chunk in chunks)
    assert chunks[-1].context.startswith("def run(argument_0")


def test_definitions_that_a_parser_found_are_those_that_count() -> None:
    one = document("alpha 1\nbeta 2\n" * 30, "code")
    headings = (Heading(0, 8, 1, "First"), Heading(225, 225, 1, ""))
    chunks = cut(replace(one, headings=headings))
    assert {chunk.context for chunk in chunks} == {"", "alpha 1\n"}
    assert [chunk.headings for chunk in chunks if chunk.start + len(chunk.text) <= 225][-1] == ("First",)
    assert next(chunk.headings for chunk in chunks if chunk.start >= 225) == ()


@pytest.mark.parametrize("form", ["markdown", "code"])
def test_without_context_every_chunk_is_the_documents_own_words(form: Format) -> None:
    text = f"{CLASS}\n\n| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 50
    chunks = cut(document(text, form, title="Title"), context="none")
    assert {(chunk.context, chunk.repeated) for chunk in chunks} == {("", "")}
    assert [chunk.embedded for chunk in chunks] == [chunk.text for chunk in chunks]


def test_the_setting_is_part_of_what_is_known_of_the_cut() -> None:
    auto, none = (AutoChunker(64, 0, WORDS, context).fingerprint for context in ("auto", "none"))
    assert auto != none
    assert open_chunker(Chunking(max_tokens=64), WORDS).fingerprint == auto


def test_chunks_inside_their_document_are_told_nothing_for_the_model_reads_it() -> None:
    chunker = open_chunker(Chunking(max_tokens=64, late=True), WORDS)
    table = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 50
    [chunks] = chunker.split([document(f"{PROSE}\n\n{table}", title="Title")])
    assert len(chunks) > 3
    assert {(chunk.context, chunk.repeated) for chunk in chunks} == {("", "")}
    assert all(chunk.passage for chunk in chunks)
    assert chunker.split([document("", title="Title")]) == [[]]


@pytest.mark.parametrize("overlap", [0, 6])
def test_an_overlap_before_a_method_leaves_no_chunk_too_long(overlap: int) -> None:
    assert len(cut(document(CLASS, "code"), overlap=overlap)) > 4
