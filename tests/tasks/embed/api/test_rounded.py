"""Coarser numbers than floats, of those who answer them: Cohere and Voyage where asked, Perplexity always."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import ConfigError, ServiceError
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed
from tests.perplexity_server import PerplexityServer
from tests.provider_server import Fault, vector_of
from tests.tasks.embed.api.test_contextual import ONE, OTHER, passages, vectors_of
from tests.voyage_server import chunk_vectors, whole_numbers

ROUND = {"int8": whole_numbers, "binary": lambda vector: np.where(vector > 0, 1, -1)}
TEXTS = ["The gate opens.", "It is heavy.", "Nobody else may touch it."]
CONTEXT = {"kind": "openai", "model": "pplx-embed-context-v1-0.6b", "dimensions": 256}


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector.astype(np.float64)), np.float32)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Bench]:
    with bench(replace(PAID["openai"], server=PerplexityServer, settings=CONTEXT, dimension=256), tmp_path) as made:
        yield made


@pytest.mark.parametrize("dtype", ROUND)
@pytest.mark.parametrize("kind", ["cohere", "voyage"])
def test_coarser_numbers_are_vectors_of_unit_length_in_a_space_of_their_own(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    with bench(PAID[kind], tmp_path) as paid:
        rounded, plain = paid.open(output_dtype=dtype), paid.open()
        for text, vector in zip(TEXTS, embed(rounded, TEXTS), strict=True):
            np.testing.assert_allclose(vector, unit(ROUND[dtype](vector_of(text, 256, "document"))), atol=1e-6)
        query = rounded.embed_query("who")
        np.testing.assert_allclose(query, unit(ROUND[dtype](vector_of("who", 256, "query"))), atol=1e-6)
        spaces = [paid.open(output_dtype=one).space.fingerprint for one in ("float", *ROUND)]
        assert len({*spaces}) == 3
        assert spaces[0] == plain.space.fingerprint
        assert rounded.space.dimension == plain.space.dimension
        assert plain.space.revision == ""


def test_numbers_that_are_none_of_these_are_malformed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(PAID["cohere"], tmp_path) as paid:
        monkeypatch.setattr(paid.server.dialect, "answer", lambda *_: {"id": "0", "embeddings": {"ubinary": [[300]]}})
        with pytest.raises(ServiceError, match="cannot be read"):
            embed(paid.open(output_dtype="binary"), ["a"])


def test_perplexity_gets_all_chunks_of_a_document_and_answers_whole_numbers(context: Bench) -> None:
    found, rejected = vectors_of(context.open(), [*passages(*ONE)[1:2], *passages(*OTHER)])
    assert not rejected
    [body] = context.server.bodies
    assert body == {
        "model": "pplx-embed-context-v1-0.6b",
        "encoding_format": "base64_int8",
        "dimensions": 256,
        "input": [[*ONE], [*OTHER]],
    }
    right = [chunk_vectors(chunks, vector_of("\0".join(chunks), 256), None) for chunks in (ONE, OTHER)]
    for row, vector in enumerate([right[0][1], *right[1]]):
        np.testing.assert_allclose(found[row], unit(whole_numbers(vector)), atol=1e-6)
    np.testing.assert_allclose(context.open().embed_query("who"), unit(whole_numbers(vector_of("who", 256))), atol=1e-6)
    assert context.server.bodies[1]["input"] == [["who"]]


def test_perplexitys_faults_are_those_of_all(context: Bench) -> None:
    for bend in ("short", "reorder", "nan"):
        context.server.faults.append(Fault(bend=bend))
        found, rejected = vectors_of(context.open(), [*passages(*ONE), *passages(*OTHER)])
        assert (len(found), rejected) == (5, {})
    context.server.faults.append(Fault(bend="dimension"))
    with pytest.raises(ConfigError, match="257 dimensions, expected 256"):
        vectors_of(context.open(), passages(*ONE))
    context.server.faults.append(Fault(200, message="overloaded"))
    assert len(vectors_of(context.open(), passages(*ONE))[0]) == 3
    context.server.faults.append(Fault(401, message="no such key"))
    with pytest.raises(ConfigError, match="no such key"):
        vectors_of(context.open(), passages(*ONE))


def test_a_prompt_by_hand_stands_before_each_chunk(context: Bench) -> None:
    found, _ = vectors_of(context.open(document_prefix="doc: "), passages(*OTHER))
    assert context.server.bodies[0]["input"] == [[f"doc: {chunk}" for chunk in OTHER]]
    assert len(found) == 2


def test_whole_numbers_of_texts_alone_are_asked_for_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Perplexity answers them for its other models."""
    with bench(PAID["openai"], tmp_path) as paid:
        monkeypatch.setattr(
            "tests.openai_server._encoded",
            lambda row, body: base64.b64encode(whole_numbers(row).tobytes()).decode(),
        )
        extra = {"encoding_format": "base64_int8"}
        [vector] = embed(paid.open(model="pplx-embed-v1", dimensions=64, extra_body=extra), ["a"])
        np.testing.assert_allclose(vector, unit(whole_numbers(vector_of("a", 64))), atol=1e-6)
