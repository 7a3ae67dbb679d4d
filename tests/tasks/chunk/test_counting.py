"""How often the chunker counts, and how much: what its speed rests on. Nothing here is timed."""

from collections.abc import Sequence

import pytest

from config.embedders import HashingEmbedder, OpenAIEmbedder
from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format, Tokenizer

WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
BYTE_PAIRS = open_embedder(OpenAIEmbedder(kind="openai")).tokenizer


class Counted:
    """A real tokenizer that writes down what it is asked."""

    def __init__(self, tokenizer: Tokenizer, separators: str) -> None:
        self.fingerprint, self.max_tokens, self.separators = tokenizer.fingerprint, tokenizer.max_tokens, separators
        self._tokenizer = tokenizer
        self.calls: list[int] = []  # characters asked for in each

    def count(self, texts: Sequence[str], /) -> list[int]:
        self.calls.append(sum(map(len, texts)))
        return self._tokenizer.count(texts)


def pages(number: int) -> list[Document]:
    """Short sections, long sections of short and of long paragraphs, and one word without end."""
    prose = "This is a sentence of the page that says something. "
    long = f"{prose * 2}\n\n" * 20
    text = f"# Short\n\n{prose}\n\n# Long\n\n{long}# Dense\n\n{prose * 80}\n\n# Word\n\n{'x,' * 900}"
    return [page(f"# Page {index}\n\n{text}", index) for index in range(number)]


def page(text: str, number: int = 0, form: Format = "markdown") -> Document:
    return Document(DocumentRef(DocumentId(f"s:{number}"), "s", str(number)), text, form)


def split(tokenizer: Tokenizer, documents: list[Document], overlap: int = 0) -> list[list[Chunk]]:
    return open_chunker(Chunking(max_tokens=64, overlap_tokens=overlap), tokenizer).split(documents)


@pytest.mark.parametrize("overlap", [0, 8])
@pytest.mark.parametrize("tokenizer", [WORDS, BYTE_PAIRS], ids=["words", "byte pairs"])
def test_the_number_of_calls_does_not_grow_with_the_documents(tokenizer: Tokenizer, overlap: int) -> None:
    few, many = (Counted(tokenizer, tokenizer.separators) for _ in range(2))
    split(few, pages(2), overlap)
    split(many, pages(40), overlap)
    assert 2 <= len(few.calls) == len(many.calls) <= 12


def test_a_text_is_counted_about_once() -> None:
    documents = [page(one.text.split("# Word")[0]) for one in pages(10)]
    text = sum(len(one.text) for one in documents)
    counted = Counted(WORDS, WORDS.separators)
    split(counted, documents)
    assert sum(counted.calls) <= 1.25 * text


def test_sections_that_fit_are_counted_in_one_call() -> None:
    counted = Counted(WORDS, WORDS.separators)
    split(counted, [page("# One\n\nA few words.\n\n# Two\n\nSome more words.\n", number) for number in range(30)])
    assert len(counted.calls) == 2, "what is added to each text, then all sections"


def test_blank_documents_are_not_counted() -> None:
    counted = Counted(WORDS, WORDS.separators)
    assert split(counted, [page(""), page(" \n\t\n")]) == [[], []]
    assert counted.calls == []


def test_a_tokenizer_that_promises_nothing_gets_the_same_chunks() -> None:
    """Sums are a short cut, never another result."""
    short, long = Counted(WORDS, WORDS.separators), Counted(WORDS, "")
    assert split(short, pages(3)) == split(long, pages(3))
    assert sum(short.calls) < sum(long.calls)


@pytest.mark.parametrize("text", ["e" + "\u0301" * 500, "e\u0301" * 400, "xe\u0301" + "\u200d" * 300, "\ufe0f" * 200])
def test_a_character_with_marks_without_end_is_cut_all_the_same(text: str) -> None:
    found = split(WORDS, [page(text)])[0]
    assert "".join(chunk.text for chunk in found) == text
    assert max(chunk.tokens for chunk in found) <= 64


class Glued:
    """Puts a prefix before each text that makes one word with what follows."""

    fingerprint, max_tokens, separators = "glued", 8, ""

    def count(self, texts: Sequence[str], /) -> list[int]:
        return WORDS.count(["! ! title" + text for text in texts])


def test_a_prefix_that_joins_the_first_word_does_not_cut_for_ever() -> None:
    text = "word " * 200 + "\n\n" + "more " * 7
    found = split(Glued(), [page(text)])[0]
    assert [word for chunk in found for word in chunk.text.split()] == text.split()
    assert all(chunk.tokens <= 8 for chunk in found)
