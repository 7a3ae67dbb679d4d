"""What a reader takes for one character stays whole, in scripts without spaces and in words without end."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from config.embedders import HashingEmbedder, OpenAIEmbedder
from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format, Tokenizer

WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
BYTE_PAIRS = open_embedder(OpenAIEmbedder(kind="openai")).tokenizer
CLUSTERS = [
    "\u0e01\u0e33", "\u0e17\u0e35\u0e48",  # Thai vowels and tones
    "1\ufe0f\u20e3", "#\ufe0f\u20e3",  # keycaps
    "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7",  # flags
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f44d\U0001f3fd", "\u2764\ufe0f",
    "\u1100\u1161\u11a8", "\uac01", "\uac00\u11a8",  # Hangul
    "\u0915\u094d\u0937", "\u0924\u094d\u0930\u093f", "\u0995\u09cd\u09b7",  # conjuncts
    "e\u0301\u0323", "\u05e9\u05bc\u05c1", "\u0628\u064e\u0651", "\u0b95\u0bcb", "\u6f22", "x",
]  # fmt: skip


def cut(text: str, tokenizer: Tokenizer, form: Format = "text", max_tokens: int = 16) -> list[Chunk]:
    chunks = open_chunker(Chunking(max_tokens=max_tokens), tokenizer).split(
        [Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, form)]
    )[0]
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    return chunks


def boundaries(text: str) -> set[int]:
    return {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}


@pytest.mark.parametrize("tokenizer", [WORDS, BYTE_PAIRS], ids=["words", "byte pairs"])
@pytest.mark.parametrize("cluster", CLUSTERS[:-2], ids=ascii)
def test_a_word_of_one_cluster_again_and_again_is_cut_between_two(cluster: str, tokenizer: Tokenizer) -> None:
    text = cluster * 400
    chunks = cut(text, tokenizer, max_tokens=64)
    assert len(chunks) > 3 or tokenizer is WORDS
    assert {chunk.start for chunk in chunks} <= boundaries(text)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*CLUSTERS, " ", "\u3002", ". A", "\n"]), min_size=80, max_size=300).map("".join))
def test_no_cut_stands_inside_a_cluster_in_any_mixture(text: str) -> None:
    assert {chunk.start for chunk in cut(text, BYTE_PAIRS, max_tokens=64)} <= boundaries(text)


@pytest.mark.parametrize(
    "text", ["\U0001f1e9" * 9_001, "e" + "\u0301" * 9_000, "\u200d" * 9_000, "\ufe0f\u20e3" * 4_500]
)
def test_a_cluster_without_end_is_cut_all_the_same(text: str) -> None:
    assert max(chunk.tokens for chunk in cut(text, BYTE_PAIRS, max_tokens=32)) <= 32
