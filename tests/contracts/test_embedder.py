"""What every embedder promises: the local model, OpenAI's API (a loopback server), and hashing."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from config.embedders import HashingEmbedder, OpenAIEmbedder, SentenceTransformersEmbedder
from tasks.embed.base import Embedder
from tasks.embed.open import open_embedder
from tests.openai_server import OpenAIServer

TEXTS = [
    "How to install the package.",
    "A recipe for bread with flour and water.",
    "Installing software on Linux.",
    "x",
    "naïve 日本語 🙂 " * 8,
    "A longer text that goes on for a while. " * 12,
]


@pytest.fixture(params=["hashing", "openai", pytest.param("local", marks=pytest.mark.model)], scope="module")
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    with OpenAIServer() as server:
        config = {
            "hashing": HashingEmbedder(kind="hashing", dimensions=128),
            "openai": OpenAIEmbedder.model_validate(
                {"kind": "openai", "api_key": "sk-test", "base_url": server.url, "dimensions": 64}
            ),
            "local": SentenceTransformersEmbedder(kind="sentence-transformers", device="cpu"),
        }[request.param]
        made = open_embedder(config)
        yield made
        made.close()


def vectors(embedder: Embedder, texts: list[str]) -> np.ndarray:
    found = np.full((len(texts), embedder.space.dimension), np.nan, dtype=np.float32)
    for batch in embedder.embed(texts, embedder.tokenizer.count(texts)):
        assert np.isnan(found[list(batch.rows)]).all(), "each row once"
        found[list(batch.rows)] = batch.vectors
    return found


def test_each_text_gets_one_vector_of_unit_length(embedder: Embedder) -> None:
    found = vectors(embedder, TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_a_vector_does_not_depend_on_the_company(embedder: Embedder) -> None:
    together = vectors(embedder, TEXTS)
    alone = np.concatenate([vectors(embedder, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    backwards = vectors(embedder, TEXTS[::-1])[::-1]
    np.testing.assert_allclose(together, backwards, atol=2e-5)


def test_nothing_is_missing(embedder: Embedder) -> None:
    embedder.check()


def test_no_text_is_no_work(embedder: Embedder) -> None:
    assert list(embedder.embed([], [])) == []


def test_a_query_is_a_unit_vector_near_its_own_text(embedder: Embedder) -> None:
    query = embedder.embed_query(TEXTS[0])
    assert math.isclose(float(np.linalg.norm(query)), 1.0, abs_tol=1e-5)
    scores = vectors(embedder, TEXTS) @ query
    assert int(scores.argmax()) == 0


def test_tokens_are_counted_whole(embedder: Embedder) -> None:
    short, long = embedder.tokenizer.count(["one word", "one word " * 2000])
    assert long > 1900 > short > 0


def test_the_space_is_the_same_each_time_it_is_opened(embedder: Embedder) -> None:
    assert embedder.space.fingerprint == embedder.space.fingerprint
    assert embedder.space.dimension == vectors(embedder, TEXTS[:1]).shape[1]
