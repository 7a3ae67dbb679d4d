"""What the chunker promises, with three kinds of tokenizer: word pieces, byte pairs, and plain words."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.embedders import HashingEmbedder, OpenAIEmbedder, SentenceTransformersEmbedder
from config.pipeline import Chunking
from tasks.chunk.base import Chunker
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.errors import ConfigError
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format, Tokenizer

TOKENIZERS: dict[str, Tokenizer] = {
    "word pieces": open_embedder(SentenceTransformersEmbedder(kind="sentence-transformers")).tokenizer,
    "byte pairs": open_embedder(OpenAIEmbedder(kind="openai")).tokenizer,
    "words": open_embedder(HashingEmbedder(kind="hashing")).tokenizer,
}
FORMATS: tuple[Format, ...] = ("markdown", "text", "rst", "code")
ROOT = Path(__file__).parents[2]


def document(text: str, form: Format = "text", title: str = "") -> Document:
    metadata = {"title": title} if title else {}
    return Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, form, metadata=metadata)


def chunks(chunker: Chunker, text: str, form: Format = "text", title: str = "") -> list[Chunk]:
    return chunker.split([document(text, form, title)])[0]


@pytest.fixture(params=list(TOKENIZERS))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


def assert_whole(text: str, found: list[Chunk]) -> None:
    """Slices of the text, in order, that leave out white space only."""
    end = 0
    for chunk in found:
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert text[end : chunk.start].strip() == ""
        end = chunk.start + len(chunk.text)
    assert text[end:].strip() == ""


PIECES = st.sampled_from(
    [
        "word ", "Sentence one. ", "Zwei Wörter; ", "\n", "\n\n", "# Title\n", "## Sub\n", "Title\n=====\n", "```\n",
        "- item\n", "    code()\n", "def f(x):\n    return x\n\n", "class A:\n", "| a | b |\n", "日本語の文章。",
        "| a | b |\n|---|---|\n| 1 | 2 |\n", "Do this:\n- one\n- two\n", "== ==\na  b\n",
        ".. code-block:: py\n\n    x\n",
        "שלום עולם ", "👩‍👩‍👧‍👦", "é", "\t",
        "x" * 300, "a-b_c/d ", "!!! ", "1.2.3 ", "\u00a0", "https://example.org/a?b=c ", "ﬁ ", "ß", "\u200d", "...\n",
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=120).map("".join), st.sampled_from(FORMATS), st.sampled_from(sorted(TOKENIZERS)))
def test_any_text_is_cut_exactly_and_whole(text: str, form: Format, kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    found = chunks(open_chunker(Chunking(max_tokens=32), tokenizer), text, form, "The title")
    if text.strip():
        assert_whole(text, found)
    else:
        assert [chunk.stored for chunk in found] == ["The title"]
        return
    assert [chunk.tokens for chunk in found] == tokenizer.count([chunk.embedded for chunk in found])
    assert all(0 < chunk.tokens <= 32 for chunk in found)
    assert all(chunk.text == chunk.text.rstrip() != "" and chunk.text[0] != "\n" for chunk in found)
    lines = [chunk for chunk in found if chunk.text[0].isspace()]
    assert all(chunk.start == 0 or text[chunk.start - 1] == "\n" for chunk in lines), "no indentation is cut in parts"


def test_real_documents_are_cut_exactly_and_whole(tokenizer: Tokenizer) -> None:
    chunker = open_chunker(Chunking(max_tokens=96), tokenizer)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("tasks/*/*.py")]:
        text = path.read_text()
        found = chunks(chunker, text, "markdown" if path.suffix == ".md" else "code")
        assert_whole(text, found)
        assert max(chunk.tokens for chunk in found) <= 96


def test_chunks_do_not_depend_on_the_company(tokenizer: Tokenizer) -> None:
    chunker = open_chunker(Chunking(max_tokens=64), tokenizer)
    documents = [document((ROOT / name).read_text(), "markdown") for name in ("README.md", "CHANGELOG.md")]
    together = chunker.split([*documents, document("")])
    assert together == [*(chunker.split([one])[0] for one in documents), []]


def test_the_model_limit_wins_over_the_setting() -> None:
    tokenizer = TOKENIZERS["word pieces"]
    found = chunks(open_chunker(Chunking(max_tokens=5000), tokenizer), "a few words. " * 2000)
    assert 128 < max(chunk.tokens for chunk in found) <= 256


def test_a_word_without_end_stays_readable_and_whole(tokenizer: Tokenizer) -> None:
    text = "x" * 50_000 + " 👩‍👩‍👧‍👦" * 300 + "漢字かな" * 2_000
    found = chunks(open_chunker(Chunking(max_tokens=64), tokenizer), text)
    assert_whole(text, found)
    assert max(len(chunk.text) for chunk in found) <= 64 * 64
    assert not any(chunk.text.startswith(("\u200d", "\ufe0f")) for chunk in found)


def test_no_room_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError, match="no room"):
        chunks(open_chunker(Chunking(max_tokens=16, overlap_tokens=8), Wide()), "text")


class Wide:
    """Sends 12 tokens along with every text."""

    fingerprint = "wide"
    max_tokens = 16
    separators = ""

    def count(self, texts: list[str]) -> list[int]:
        return [12 + len(text.split()) for text in texts]


@pytest.mark.parametrize("overlap", [8, 24])
def test_overlap_repeats_the_end_of_the_chunk_before(tokenizer: Tokenizer, overlap: int) -> None:
    text = " ".join(f"Sentence number {number} says what {number * 3} means." for number in range(200))
    found = chunks(open_chunker(Chunking(max_tokens=64, overlap_tokens=overlap), tokenizer), text)
    assert len(found) > 10
    assert max(chunk.tokens for chunk in found) <= 64
    for before, after in pairwise(found):
        repeated = text[after.start : before.start + len(before.text)]
        assert repeated
        assert tokenizer.count([repeated])[0] - tokenizer.count([""])[0] <= overlap + 1
    assert found[0].start == 0
    assert found[-1].start + len(found[-1].text) == len(text)


PARAGRAPHS = [
    f"Paragraph {n} explains how part {n * 17 % 101} works with part {n * 31 % 89}. It has {n} cases, and each "
    f"needs care. The {['red', 'green', 'blue', 'grey'][n % 4]} one is first." for n in range(150)
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 150), st.sampled_from(["\n\n", " ", "\n"]), st.sampled_from(["insert", "remove", "change"]))
def test_an_edit_changes_the_chunks_around_it_and_no_others(at: int, joint: str, action: str) -> None:
    chunker = open_chunker(Chunking(max_tokens=96), TOKENIZERS["word pieces"])
    after = {
        "insert": [*PARAGRAPHS[:at], "Something wholly new stands here now.", *PARAGRAPHS[at:]],
        "remove": [*PARAGRAPHS[:at], *PARAGRAPHS[at + 1 :]],
        "change": [*PARAGRAPHS[:at], "Rewritten.", *PARAGRAPHS[at + 1 :]],
    }[action]
    old = Counter(chunk.text for chunk in chunks(chunker, joint.join(PARAGRAPHS)))
    new = Counter(chunk.text for chunk in chunks(chunker, joint.join(after)))
    assert old.total() > 60
    assert (new - old).total() <= 8, "the edit must not ripple through the document"


def test_edits_change_two_chunks_on_average() -> None:
    chunker = open_chunker(Chunking(max_tokens=96), TOKENIZERS["word pieces"])
    old = Counter(chunk.text for chunk in chunks(chunker, "\n\n".join(PARAGRAPHS)))
    changed = 0
    for at in range(0, 150, 3):
        text = "\n\n".join([*PARAGRAPHS[:at], f"New paragraph {at}.", *PARAGRAPHS[at:]])
        changed += (Counter(chunk.text for chunk in chunks(chunker, text)) - old).total()
    assert changed / 50 <= 2.5


def test_long_prose_fills_its_chunks() -> None:
    found = chunks(open_chunker(Chunking(max_tokens=128), TOKENIZERS["word pieces"]), "\n\n".join(PARAGRAPHS))
    assert sum(chunk.tokens for chunk in found) / len(found) >= 0.55 * 128


@pytest.mark.parametrize("unit", ["word ", "0,0,0,0\n", "It is so. ", "The same.\n\n"])
def test_text_that_repeats_itself_is_cut_in_halves(tokenizer: Tokenizer, unit: str) -> None:
    """Every place to cut looks the same: to take the first each time would look at all that is left, chunk by chunk."""
    found = chunks(open_chunker(Chunking(max_tokens=64), tokenizer), unit * 1024)
    assert_whole(unit * 1024, found)
    assert min(chunk.tokens for chunk in found[:-1]) >= 0.5 * 64 - 4
