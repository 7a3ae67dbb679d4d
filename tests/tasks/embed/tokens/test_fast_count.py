"""Fast counting is used only where it is proven equal to `tokenizers`, and then it is."""

import itertools
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.local.weights import find_folder
from tasks.embed.tokens.fast_count import FastCounter, exact_counts, is_proven, open_fast_counter
from tasks.embed.tokens.probes import counting_texts
from tasks.embed.tokens.tokenizers import WORD, ModelTokenizer, WordTokenizer
from tasks.records import Document, DocumentId, DocumentRef

MINILM = find_folder("all-MiniLM-L6-v2", None)
ROOT = Path(__file__).parents[4]
SURROUNDINGS = ("{}", "ab{}cd", "a {} e", "A{}É", "{}\u0301a", "{0}{0}b", "e{}\u0301", "Σ{}", "\u0301{}")
PIECES = st.sampled_from(
    [
        "word", "Word ", " ", "\n", "\t", "\x0b", "\x1c", "\x7f", "\u0378", "[CLS]", "[", "]", "##", "x" * 99, "é",
        "e\u0301", "日本",        "שלום", "👩‍👩‍👧‍👦", "\u200d", "ﬁ", "İ", "Σ",
        "\u00ad", "\ufeff", "\ue000", "1.5e-7", "don't", "…", "한국어",
        "\u0898", "ß",
    ]
)  # fmt: skip


@cache
def proven() -> list[str]:
    return [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000 and is_proven(chr(code))]


@cache
def sparse() -> list[str]:
    """Of the ideographs, which are all alike, a few."""
    return [c for c in proven() if not 0x3400 <= ord(c) <= 0xD7A3 or ord(c) % 37 == 0]


@pytest.fixture(scope="module")
def counter() -> FastCounter:
    found = open_fast_counter(MINILM / "tokenizer.json", exact())
    assert found, "tokie is installed, and good for this model"
    return found


def exact(folder: Path = MINILM) -> Tokenizer:
    return ModelTokenizer(folder, "", 256).loaded


MODEL = ModelTokenizer(MINILM, "", 256)
EXACT = MODEL.loaded


@pytest.fixture(autouse=True)
def _from_the_first_character_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.embed.tokens.tokenizers.FEW_CHARACTERS", -1)


def write_tokenizer(folder: Path, **normalizer: Any) -> Path:
    """A small real tokenizer with BERT's rules, these changed."""
    made = json.loads((MINILM / "tokenizer.json").read_text())
    made["normalizer"].update(normalizer)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(made))
    return path


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PIECES | st.characters(exclude_categories=["Cs"]), max_size=30).map("".join), max_size=8))
def test_any_text_is_counted_as_tokenizers_does(counter: FastCounter, texts: list[str]) -> None:
    assert counter.count(texts) == exact_counts(EXACT, texts)


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_each_proven_character_is_counted_as_tokenizers_does(counter: FastCounter, surrounding: str) -> None:
    texts = [surrounding.format(character) for character in (proven() if surrounding == "ab{}cd" else sparse())]
    assert counter.count(texts) == exact_counts(EXACT, texts)


def test_the_texts_of_this_repository_are_counted_as_tokenizers_does(counter: FastCounter) -> None:
    texts = [part for path in ROOT.glob("t*/**/*.py") for part in path.read_text().split("\n\n")]
    assert counter.count(texts) == exact_counts(EXACT, texts)


@pytest.mark.parametrize(
    ("lowercase", "strip_accents", "handle_chinese_chars"),
    list(itertools.product([True, False], [None, True, False], [True, False])),
)
def test_a_variant_is_counted_right_or_not_at_all(
    tmp_path: Path, lowercase: bool, strip_accents: bool | None, handle_chinese_chars: bool
) -> None:
    path = write_tokenizer(
        tmp_path, lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=handle_chinese_chars
    )
    found = open_fast_counter(path, exact(tmp_path))
    is_understood = handle_chinese_chars and strip_accents in (None, lowercase)
    assert (found is not None) == is_understood
    if found:
        texts = [surrounding.format(character) for surrounding in SURROUNDINGS for character in sparse()[::3]]
        assert found.count(texts) == exact_counts(exact(tmp_path), texts)


def test_a_tokenizer_that_disagrees_is_refused(tmp_path: Path) -> None:
    """It was read from another file: "the" is not in its vocabulary."""
    made = json.loads((MINILM / "tokenizer.json").read_text())
    vocabulary = made["model"]["vocab"]
    vocabulary["unheard"] = vocabulary.pop("the")
    (tmp_path / "other.json").write_text(json.dumps(made))
    assert open_fast_counter(tmp_path / "other.json", EXACT) is None


@pytest.mark.parametrize("damage", [b"{}", b"", b"not json"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(damage)
    assert open_fast_counter(tmp_path / "tokenizer.json", EXACT) is None


def test_another_family_of_tokenizers_is_refused(tmp_path: Path) -> None:
    made = json.loads((MINILM / "tokenizer.json").read_text())
    made["normalizer"], made["pre_tokenizer"] = None, {"type": "Whitespace"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(made))
    tokenizer = ModelTokenizer(tmp_path, "", 256)
    assert open_fast_counter(tmp_path / "tokenizer.json", tokenizer.loaded) is None
    assert tokenizer.separators == ""
    assert tokenizer.count(["two words"]) == [4]


def test_without_tokie_the_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [page(path.read_text()) for path in (ROOT / "README.md", ROOT / "CHANGELOG.md")]
    fast = ModelTokenizer(MINILM, "", 256)
    expected = open_chunker(Chunking(max_tokens=64), fast).split(documents)
    assert fast._fast is not None
    monkeypatch.setitem(sys.modules, "tokie", None)
    slow = ModelTokenizer(MINILM, "", 256)
    assert open_chunker(Chunking(max_tokens=64), slow).split(documents) == expected
    assert slow._fast is None


def test_the_fast_way_is_tried_out_once_there_is_much_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.embed.tokens.tokenizers.FEW_CHARACTERS", 100)
    tokenizer = ModelTokenizer(MINILM, "", 256)
    texts = ["nine words that are fifty characters long, or so, !", ""]
    counts = [tokenizer.count(texts) for _ in range(2)]
    assert "_fast" in tokenizer.__dict__
    assert counts == [exact_counts(EXACT, texts)] * 2
    few = ModelTokenizer(MINILM, "", 256)
    few.count(texts)
    assert "_fast" not in few.__dict__


def test_nothing_is_loaded_where_nothing_is_chunked() -> None:
    tokenizer = ModelTokenizer(MINILM, "", 256)
    assert open_chunker(Chunking(), tokenizer).split([page(" \n")]) == [[]]
    assert not {"loaded", "_fast"} & tokenizer.__dict__.keys()


@pytest.mark.parametrize(("prefix", "adds_up"), [("", True), ("passage: ", True), ("title", False)])
def test_a_prefix_is_counted_where_it_stands(prefix: str, adds_up: bool) -> None:
    tokenizer = ModelTokenizer(MINILM, prefix, 256)
    texts = ["s are words", "", " apart"]
    assert tokenizer.count(texts) == exact_counts(EXACT, [prefix + text for text in texts])
    assert bool(tokenizer.separators) == adds_up


def test_an_added_token_with_white_space_inside_is_refused(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(MINILM / "tokenizer.json"))
    tokenizer.add_tokens(["New York"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert ModelTokenizer(tmp_path, "", 256).separators == ""


def test_the_probes_are_few_and_short() -> None:
    texts = counting_texts(["[CLS]"] * 5, 100)
    assert 100 <= len(texts) <= 400
    assert sum(map(len, texts)) <= 8000


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(st.characters(max_codepoint=127), max_size=60))
def test_words_are_counted_as_the_pattern_finds_them(text: str) -> None:
    assert WordTokenizer(8192).count([text]) == [len(WORD.findall(text))]


def page(text: str) -> Document:
    return Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, "markdown")


def joined(tokenizer: ModelTokenizer | WordTokenizer, parts: Sequence[str]) -> int:
    return tokenizer.count(["".join(parts)])[0] - tokenizer.count([""])[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12) | PIECES, st.sampled_from(" \t\n\r")).map("".join), max_size=12))
def test_counts_add_up_behind_a_separator(parts: list[str]) -> None:
    for tokenizer in (MODEL, WordTokenizer(8192)):
        assert joined(tokenizer, parts) == sum(joined(tokenizer, [part]) for part in parts)
        assert joined(tokenizer, ["".join(parts).strip()]) == joined(tokenizer, parts)
