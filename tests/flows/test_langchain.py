"""LangChain and LlamaIndex both ways: their embedders in a pipeline, and a pipeline's embedder in theirs."""

import asyncio
from typing import Any

import numpy as np
import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from config import embedders
from flows.langchain import HeadraceEmbeddings
from tasks.embed.langchain import LangChainEmbedder
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError
from tests.conftest import CONFIG, Pipeline

CLOSEST = ("--limit", "4", "--mode", "dense")
CLASS = "langchain_core.embeddings.DeterministicFakeEmbedding"
FAKE = f"{{kind: langchain, class: {CLASS}, arguments: {{size: 24}}, dimensions: 24}}"


def test_a_class_of_langchains_embeds_a_pipeline_and_its_queries(pipeline: Pipeline) -> None:
    pipeline.config.write_text(CONFIG.format(embedder=FAKE))
    report = pipeline.sync()
    assert (report["code"], report["documents"]["added"], report["chunks"]["embedded"]) == (0, 3, 4)
    assert pipeline.sync()["chunks"]["embedded"] == 0
    text = next(text for texts in pipeline.texts().values() for text in texts)
    hits = pipeline.run("search", str(pipeline.config), text, *CLOSEST, "--json").json["hits"]
    assert (hits[0]["text"], hits[0]["score"]) == (text, pytest.approx(1.0, abs=1e-5))


def test_langchain_and_llamaindex_get_the_vectors_that_search_finds(pipeline: Pipeline) -> None:
    from flows.llamaindex import HeadraceEmbedding  # which takes seconds to import: not in every worker

    assert pipeline.sync()["code"] == 0
    texts = [text for page in pipeline.texts().values() for text in page]
    chain, index = HeadraceEmbeddings(pipeline.config), HeadraceEmbedding(pipeline.config)
    documents = np.array(chain.embed_documents(texts))
    np.testing.assert_array_equal(documents, index.get_text_embedding_batch(texts))
    np.testing.assert_array_equal(chain.embed_query("page"), index.get_query_embedding("page"))
    np.testing.assert_array_equal(chain.embed_query("page"), asyncio.run(chain.aembed_query("page")))
    np.testing.assert_array_equal(index.get_query_embedding("page"), asyncio.run(index.aget_query_embedding("page")))
    hits = pipeline.run("search", str(pipeline.config), "the third page", *CLOSEST, "--json").json["hits"]
    scores = dict(zip(texts, documents @ np.array(chain.embed_query("the third page")), strict=True))
    assert {hit["text"]: hit["score"] for hit in hits} == pytest.approx(scores, abs=1e-4)
    found = InMemoryVectorStore.from_texts(texts, chain).similarity_search("the third page", k=1)
    assert found[0].page_content == hits[0]["text"]
    assert chain.embed_documents([]) == []


def test_they_embed_as_the_live_generation_does_whatever_the_file_says_now(pipeline: Pipeline) -> None:
    assert pipeline.sync()["code"] == 0
    pipeline.config.write_text(CONFIG.format(embedder=FAKE))
    assert len(HeadraceEmbeddings(pipeline.config).embed_query("page")) == 64


def opened(**settings: Any) -> LangChainEmbedder:
    usual = {"kind": "langchain", "class": "tests.langchain_classes.Broken", "dimensions": 2}
    return LangChainEmbedder(embedders.LangChainEmbedder.model_validate({**usual, **settings}))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"class": "no_such_package.Embeddings"}, ConfigError, "pip install no-such-package"),
        ({"class": "tests.langchain_classes.Missing"}, ConfigError, "not to be had"),
        ({"class": "pathlib.Path"}, ConfigError, "no embeddings class"),
        ({"arguments": {"needs": "SOME_API_ID"}}, ConfigError, "SOME_API_ID is missing"),
        ({"arguments": {"documents": [[1.0, 0.0]]}}, ServiceError, "does not answer a list of 2 vectors"),
        ({"arguments": {"documents": [[1.0, 0.0], [1.0]]}}, ServiceError, "of one length for 2 texts"),
        ({"arguments": {"documents": None}}, ServiceError, "does not answer a list of 2 vectors"),
        ({"arguments": {"documents": ["ab", "cd"]}}, ServiceError, "does not answer a list of 2 vectors"),
        ({"arguments": {"documents": {"a": 1}}}, ServiceError, "does not answer a list of 2 vectors"),
        ({"arguments": {"documents": 3}}, ServiceError, "does not answer a list of 2 vectors"),
        ({"arguments": {"documents": [[1.0], [1.0]]}}, ConfigError, "embedder.dimensions is 2"),
        ({"arguments": {"error": "RateLimitError"}}, TransientError, "the server said no"),
        ({"arguments": {"error": "APITimeoutError"}}, TransientError, "the server said no"),
        ({"arguments": {"error": "BadRequestError"}}, ServiceError, "the server said no"),
    ],
)
def test_what_is_wrong_with_a_class_is_told(settings: dict[str, Any], error: type[HeadraceError], words: str) -> None:
    with pytest.raises(error, match=words):
        list(opened(**settings).embed(["a", "b"], [1, 1]))


def test_a_vector_that_is_none_keeps_only_its_own_text_back() -> None:
    nan = float("nan")
    [batch] = opened(arguments={"documents": [[nan, 1.0], [3.0, 4.0], [0.0, 0.0]]}).embed(["a", "b", "c"], [1, 1, 1])
    assert (batch.rows, set(batch.rejected)) == ((1,), {0, 2})
    np.testing.assert_allclose(batch.vectors, [[0.6, 0.8]])


def test_a_query_without_a_vector_is_told() -> None:
    for vector in ([float("nan"), 1.0], [0.0, 0.0]):
        with pytest.raises(ServiceError, match="the query cannot be embedded"):
            opened(arguments={"documents": [vector]}).embed_query("a")


@pytest.mark.parametrize("name", ["api_key", "openai_api_key", "token", "client_secret", "password"])
def test_a_secret_among_the_arguments_is_refused_and_not_shown(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HIDDEN", "x1y2z3")
    given = FAKE.replace("size: 24", f"size: 24, {name}: '${{HIDDEN}}'")
    pipeline.config.write_text(CONFIG.format(embedder=given))
    refused = pipeline.run("plan", str(pipeline.config))
    assert (refused.code, "put it in the environment" in refused.err) == (2, True)
    assert "x1y2z3" not in refused.out + refused.err
