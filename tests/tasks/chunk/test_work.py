"""However a text is made, the work grows with its length alone: in characters counted, and in places looked at."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.embedders import HashingEmbedder, OpenAIEmbedder
from tasks.chunk import cutting
from tasks.chunk.auto import AutoChunker
from tasks.chunk.window import chunk_window
from tasks.embed.open import open_embedder
from tasks.errors import DocumentError
from tasks.records import Document, DocumentId, DocumentRef, Format, Tokenizer
from tasks.windows import Loaded, Tally

WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
BYTE_PAIRS = open_embedder(OpenAIEmbedder(kind="openai")).tokenizer
FORMATS: tuple[Format, ...] = ("markdown", "rst", "text", "code")
MOST_TIMES = 12  # that a character is counted; prose is counted once


class Counted:
    """A real tokenizer that adds up the characters that it is asked for."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.fingerprint, self.max_tokens = tokenizer.fingerprint, tokenizer.max_tokens
        self.separators = tokenizer.separators
        self._tokenizer = tokenizer
        self.characters = 0

    def count(self, texts: Sequence[str], /) -> list[int]:
        self.characters += sum(map(len, texts))
        return self._tokenizer.count(texts)


def document(text: str, form: Format = "text", number: int = 0) -> Document:
    name = DocumentId(f"s:{number}")
    return Document(DocumentRef(name, "s", str(number)), text, form, metadata={"title": "Some title"})


def times(text: str, form: Format, tokenizer: Tokenizer, max_tokens: int = 32) -> float:
    """How often each character was counted, on average."""
    counted = Counted(tokenizer)
    [chunks] = AutoChunker(max_tokens, 0, counted).split([document(text, form)])
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    return counted.characters / (len(text) + 1000)


def growing(line: Callable[[int], str]) -> Callable[[int], str]:
    """Lines of which each is longer than the one before."""
    return lambda length: "".join(map(line, range(int((2 * length) ** 0.5))))


MARKS = (
    "-", "|", "(", "=", "#", "*", ">", "~", ":", "<", "[", "\\", "+-", "|-", "= ", "a. ", "1.", '."', "<!--", "fn<",
    "public ", "\u0301", "\u200d", "\ufe0f", "\U0001f1e9", "\u0e01\u0e33", "\u6f22", "\u3002", "\u1100\u1161",
    "\u0915\u094d",
)  # fmt: skip
LINES = (
    "\n", " \n", "# h\n", "# h\n\nx\n\n", "a\n=\n", "---\n", "|-\n", "| a |\n", "+--+\n", "== ==\n",
    "== ==\na b\n\n", "a:\n- b\n", ":\n", "- a\n", ".. code:: x\n", "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
    "def f(x):\n  y\n", "{\n", "@a\n", "}\n", "class A {\n", "// c\n", "a ```b\n", "> x\n", "QUJD0x9z+/\n",
)  # fmt: skip
SHAPES: dict[str, Callable[[int], str]] = {
    **{f"one line of {mark!a}": lambda length, mark=mark: mark * (length // len(mark)) for mark in MARKS},
    **{f"lines of {line!a}": lambda length, line=line: line * (length // len(line)) for line in LINES},
    "white space": lambda length: f"x{' ' * length}x",
    "a colon above blank lines": lambda length: ":" + "\n" * length + "- a",
    "a word of base64": lambda length: "".join(random.Random(1).choices("ABCDEFabcdef0123456789+/", k=length)),
    "a table": lambda length: "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * (length // 10),
    "cells in one line": lambda length: "|===\n|a |b\n\n" + "|1 " * (length // 3) + "\n|===\n",
    "a list of rows": lambda length: ".. list-table::\n\n" + "   * - b\n" * (length // 9),
    "sources that never end": lambda length: "[source]\n----\n#+begin_src\n" * (length // 26),
    "a list": lambda length: "a:\n" + "- b\n" * (length // 4),
    "a fence": lambda length: "```py\n" + "x = 1\n" * (length // 6),
    "fences in fences": growing(lambda depth: "`" * (3 + depth) + "\n"),
    "quotes in quotes": growing(lambda depth: ">" * depth + " x\n"),
    "lists in lists": growing(lambda depth: " " * depth + "- a:\n"),
    "directives in directives": growing(lambda depth: " " * depth + ".. code:: x\n"),
    "definitions in definitions": growing(lambda depth: " " * depth + "def f():\n"),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_no_shape_is_counted_more_often_because_it_is_longer(shape: Callable[[int], str]) -> None:
    for form in FORMATS:
        for tokenizer in (WORDS, BYTE_PAIRS):
            short, long = (times(shape(length), form, tokenizer) for length in (700, 2_800))
            assert long <= MOST_TIMES
            assert long <= 2 * short + 3


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["-", "|", "`", "#", ":", "\n", " ", "a", "1.", "=", "\u0301", "\U0001f1e9", "(", "def "]),
             min_size=1, max_size=8).map("".join),
    st.sampled_from(FORMATS),
)  # fmt: skip
def test_no_piece_again_and_again_is_counted_more_often(piece: str, form: Format) -> None:
    assert times(piece * (3_000 // len(piece)), form, WORDS, 16) <= MOST_TIMES


LONG = 120_000  # what looks at a stretch of so many again and again takes minutes


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ("one line of '-'", "markdown"), ("one line of '|'", "markdown"), ("one line of '+-'", "rst"),
        ("one line of '= '", "rst"), ("one line of ':'", "text"), ("one line of 'public '", "code"),
        ("one line of '\\U0001f1e9'", "text"), ("one line of '\\u0301'", "text"), ("a word of base64", "text"),
        ("lines of '# h\\n'", "markdown"), ("lines of '== ==\\n'", "rst"), ("lines of 'a:\\n- b\\n'", "markdown"),
        ("lines of '|-\\n'", "markdown"), ("lines of '@a\\n'", "code"), ("lines of 'def f(x):\\n  y\\n'", "code"),
        ("lines of '.. code:: x\\n'", "rst"), ("directives in directives", "rst"), ("lists in lists", "markdown"),
        ("definitions in definitions", "code"), ("white space", "markdown"), ("a colon above blank lines", "rst"),
        ("a table", "markdown"), ("a list", "markdown"), ("a fence", "markdown"),
        ("cells in one line", "text"), ("a list of rows", "rst"), ("sources that never end", "text"),
    ],
)  # fmt: skip
def test_long_texts_of_hard_shapes_end(shape: str, form: Format) -> None:
    text = SHAPES[shape](LONG)
    [chunks] = AutoChunker(256, 0, WORDS).split([document(text, form)])
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())


def test_a_document_that_takes_too_much_work_is_set_aside_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_TIMES", 2)
    hard = document("\u6f22" * 40_000, number=1)
    chunker = AutoChunker(16, 0, BYTE_PAIRS)
    with pytest.raises(DocumentError, match=r"s:1 takes too much work .* raise chunking.max_tokens, or exclude it"):
        chunker.split([hard])
    loaded = Loaded(Tally(3), [document("One."), hard, document("Two.", number=2)], [], [])
    chunked = chunk_window(chunker, loaded)
    assert [[chunk.text for chunk in own] for own in chunked.chunks] == [["One."], ["Two."]]
    assert [one.ref.id for one in chunked.loaded.documents] == ["s:0", "s:2"]
    assert [(one.id, one.reason) for one in chunked.loaded.failures] == [("s:1", "too-intricate")]


def test_a_window_without_refusals_is_passed_on_as_it_is() -> None:
    loaded = Loaded(Tally(1), [document("One.")], [], [])
    chunked = chunk_window(AutoChunker(16, 0, WORDS), loaded)
    assert chunked.loaded is loaded
    assert [[chunk.text for chunk in own] for own in chunked.chunks] == [["One."]]
