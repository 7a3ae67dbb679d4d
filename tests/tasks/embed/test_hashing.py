"""The vector of a text is the sum of those of its words and marks, whatever stands beside it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from config.embedders import HashingEmbedder as Config
from tasks.embed.hashing import BLOCK_CHARACTERS, KEPT_POWERS, TEXTS_AT_ONCE, HashingEmbedder
from tasks.embed.tokens.tokenizers import WORD
from tasks.records import Vectors

EMBEDDER = HashingEmbedder(Config(kind="hashing", dimensions=64))
TEXTS = some.text(some.sampled_from("abzAZ09_ .,;-\n\t\x00éß中文—İ\u0301"), max_size=40)


def vectors(texts: list[str]) -> Vectors:
    batches = list(EMBEDDER.embed(texts, [1] * len(texts)))
    assert [row for batch in batches for row in batch.rows] == list(range(len(texts)))
    return np.concatenate([batch.vectors for batch in batches])


@given(some.lists(TEXTS, min_size=1, max_size=5))
def test_a_text_is_the_sum_of_its_words(texts: list[str]) -> None:
    for text, vector in zip(texts, vectors(texts), strict=True):
        words = WORD.findall(text.lower())
        total = vectors(words).sum(axis=0) if words else np.zeros(64)
        if np.any(total):
            assert np.allclose(vector, total / np.linalg.norm(total), atol=1e-6)
        else:
            assert vector[0] == 1.0


def test_a_long_word_and_a_long_text_are_like_any_other() -> None:
    word = "ab" * KEPT_POWERS
    text = "some words " * BLOCK_CHARACTERS
    long_word, long_text, short_text, both = vectors([word, text, "some words", f"{word} {word} x"])
    assert np.allclose(long_text, short_text, atol=1e-6)
    expected = 2 * long_word + vectors(["x"])[0]
    assert np.allclose(both, expected / np.linalg.norm(expected), atol=1e-6)


def test_more_texts_than_a_batch_holds_get_the_same_vectors() -> None:
    texts = [f"number {n} of many" for n in range(TEXTS_AT_ONCE + 3)]
    assert np.array_equal(
        vectors(texts)[[0, TEXTS_AT_ONCE, TEXTS_AT_ONCE + 2]],
        vectors([texts[0], texts[TEXTS_AT_ONCE], texts[TEXTS_AT_ONCE + 2]]),
    )


def test_different_words_are_spread_over_the_dimensions() -> None:
    words = [f"w{n}" for n in range(6400)]
    cells = np.abs(vectors(words)).argmax(axis=1)
    counts = np.bincount(cells, minlength=64)
    assert counts.min() > 60
    assert counts.max() < 140
    assert 3000 < int((vectors(words).sum(axis=1) > 0).sum()) < 3400
