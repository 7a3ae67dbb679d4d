"""Open models that somebody serves with OpenAI's protocol have the vectors and the prompts that they have here."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from config.embedders import OpenAIEmbedder as Config
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.embed.local.weights import find_folder
from tasks.errors import ConfigError
from tasks.records import VectorSpace
from tests.contracts.embedder_kinds import KEY, PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed
from tests.provider_server import Asked, Fault
from tests.tasks.embed.local.families import FAMILIES, TEXTS, build, edit
from tests.tasks.embed.local.local_model import embed as embed_here
from tests.tasks.embed.local.local_model import local

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LEAST = 0.999
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
# Rows of the registry by the family that they are built as, with the names that servers have for them.
SERVED = [
    (MINILM, "all-minilm", ""),
    ("BAAI/bge-small-en-v1.5", "bge-small-en-v1.5:latest", "BERT, CLS and a prompt"),
    ("intfloat/e5-base-v2", "text-embedding-e5-base-v2@q8_0", "BERT, mean"),
    ("intfloat/multilingual-e5-small", "/models/multilingual-e5-small-F16.gguf", "XLM-R"),
    ("intfloat/multilingual-e5-large-instruct", "multilingual-e5-large-instruct", "XLM-R"),
    ("sentence-transformers/all-mpnet-base-v2", "all-mpnet-base-v2", "MPNet"),
    ("nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text:latest", "NomicBERT"),
    ("nomic-ai/modernbert-embed-base", "modernbert-embed-base", "ModernBERT"),
    ("Qwen/Qwen3-Embedding-0.6B", "qwen3-embedding:0.6b", "Qwen3, last token"),
    ("google/embeddinggemma-300m", "embeddinggemma", "Gemma3"),
    ("minishlab/potion-base-8M", "potion-base-8m", "static"),
]


@cache
def library(hub_id: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(find_folder(hub_id, None)), device="cpu", local_files_only=True)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each family is built once."""

    @cache
    def made(family: str) -> Path:
        return build(FAMILIES[family], tmp_path_factory.mktemp("model"))

    return made


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Callable[[str], Path]) -> Callable[[str, str], None]:
    """Puts a small model into the hub's cache, under the name of a large one."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    library.cache_clear()

    def put(hub_id: str, family: str) -> None:
        repository = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
        folder = Path(shutil.copytree(built(family), repository / "snapshots" / ("0" * 40)))
        edit(folder, "config_sentence_transformers.json", prompts={})  # those of the registry's row are to be shown
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0" * 40)

    return put


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["openai"], tmp_path) as made:
        yield made


def serve(paid: Bench, hub_id: str) -> None:
    """As vLLM, TEI and Ollama do: the text as it comes through the model, without a prompt."""

    def compute(asked: Asked, _: int) -> list[np.ndarray]:
        return list(library(hub_id).encode(asked.texts))

    paid.server.compute = compute


def least_cosine(served: PaidEmbedder, here: SentenceTransformersEmbedder) -> tuple[float, float]:
    """Of documents and of queries, between the two ways."""
    documents = np.einsum("ij,ij->i", np.stack(embed(served, list(TEXTS))), embed_here(here, TEXTS))
    queries = [float(served.embed_query(text) @ here.embed_query(text)) for text in TEXTS[:3]]
    return float(documents.min()), min(queries)


@pytest.mark.model
@pytest.mark.parametrize(("hub_id", "tag", "family"), SERVED)
def test_a_served_model_has_the_vectors_that_it_has_here(
    hub_id: str, tag: str, family: str, hub: Callable[[str, str], None], paid: Bench
) -> None:
    if family:
        hub(hub_id, family)
    here = local(model=hub_id, runtime="torch")
    own = {"dimensions": None, "dimension": here.space.dimension if family else None}
    serve(paid, hub_id)
    for name in (hub_id, tag):
        served = paid.open(model=name, **own)
        assert min(least_cosine(served, here)) >= LEAST
        assert (served.query_prefix, served.space.document_prefix) == (here.query_prefix, here.space.document_prefix)
        if family != "static":  # whose special tokens no server reads, and which are counted all the same
            assert served.tokenizer.count(list(TEXTS)) == here.tokenizer.count(list(TEXTS))
        assert served.other_model == ""
    assert not any("dimensions" in body for body in paid.server.bodies)
    for side, prefix in enumerate((here.space.document_prefix, here.query_prefix)):
        wrong = paid.open(model=hub_id, **own, **{("document_prefix", "query_prefix")[side]: "" if prefix else "no: "})
        assert least_cosine(wrong, here)[side] < LEAST


def space(**settings: object) -> VectorSpace:
    return opened(**settings).space


def opened(**settings: object) -> PaidEmbedder:
    from tasks.embed.api.openai import OpenAIProvider

    config = Config.model_validate({"kind": "openai", "api_key": KEY, **settings})
    return PaidEmbedder(config, OpenAIProvider(config), "sqlite://")


@pytest.mark.parametrize("model", ["BAAI/bge-m3", "bge-m3:latest", "Qwen/Qwen3-Embedding-0.6B", "bge-small-en-v1.5"])
def test_a_space_that_needed_no_document_prompt_is_what_it_was_before_its_model_was_known(model: str) -> None:
    found = space(model=model)
    assert found == VectorSpace("openai", model, "", found.dimension, 8191)
    assert found == space(model=model, dimension=found.dimension)


def test_a_model_for_long_texts_is_counted_as_before_it_was_known() -> None:
    assert opened(model="bge-m3").tokenizer.fingerprint == opened(model="x", dimensions=9).tokenizer.fingerprint


def test_a_model_that_only_the_server_knows_is_asked_for_its_dimensions_as_ever(paid: Bench) -> None:
    embed(paid.open(model="ours", dimensions=8, document_prefix="d: "), ["a"])
    assert paid.server.bodies == [{"model": "ours", "input": ["d: a"], "dimensions": 8, "encoding_format": "base64"}]
    with pytest.raises(ConfigError, match="dimension"):
        _ = space(model="ours")


def test_a_dimension_that_is_told_is_never_sent(paid: Bench) -> None:
    paid.server.dialect.dimension = 24
    embed(paid.open(model="ours", dimension=24, dimensions=None), ["a"])
    embed(paid.open(model="ours", dimension=24, dimensions=8), ["a"])
    assert [body.get("dimensions") for body in paid.server.bodies] == [None, 8]


def test_shorter_vectors_are_asked_for_where_the_model_was_trained_for_them(paid: Bench) -> None:
    embed(paid.open(model="Qwen3-Embedding-0.6B", dimensions=64), ["a"])
    embed(paid.open(model="bge-m3", dimensions=64, force_dimensions=True), ["a"])
    assert [body["dimensions"] for body in paid.server.bodies] == [64, 64]
    with pytest.raises(ConfigError, match=r"is 64, but 'bge-m3' is known .* of 1024 dimensions only.*force_dimensions"):
        paid.open(model="bge-m3", dimensions=64)
    with pytest.raises(ConfigError, match=r"of 32, 64, 128, 256, 512, 768, 1024 dimensions only; [^;]*out$"):
        paid.open(model="Qwen3-Embedding-0.6B", dimensions=2048)


def test_each_side_has_the_fields_that_its_server_waits_for(paid: Bench) -> None:
    more = {"extra_body": {"input_type": "passage", "truncate": "NONE"}, "query_extra_body": {"input_type": "query"}}
    embedder = paid.open(model="nv-embed", dimensions=8, **more)
    embed(embedder, ["a"])
    embedder.embed_query("b")
    assert [(body["input_type"], body["truncate"]) for body in paid.server.bodies] == [
        ("passage", "NONE"),
        ("query", "NONE"),
    ]


def test_only_the_document_side_is_in_the_space() -> None:
    plain = space(model="e5-base-v2")
    for same in ({"query_prefix": "q"}, {"task": "Find it"}, {"query_extra_body": {"a": 1}}, {"tokenizer": "estimate"}):
        assert space(model="e5-base-v2", **same) == plain
    for other in ({"document_prefix": "d"}, {"document_prefix": ""}, {"extra_body": {"a": 1}}):
        assert space(model="e5-base-v2", **other) != plain


def test_a_task_stands_in_the_query() -> None:
    assert opened(model="qwen3-embedding:4b", task="Find laws").query_prefix == "Instruct: Find laws\nQuery:"
    assert opened(model="ours", dimensions=8, query_prefix="For {task}: ", task="law").query_prefix == "For law: "
    here = local(query_prefix="{task}? ", task="Which", document_prefix="doc: ")
    assert (here.query_prefix, here.space.document_prefix) == ("Which? ", "doc: ")


def test_tokens_are_counted_by_the_models_own_tokenizer_where_it_is_here() -> None:
    own, guess = opened(model="all-minilm"), opened(model="all-minilm", tokenizer="estimate")
    assert own.tokenizer.count(["unbelievable words"]) == local().tokenizer.count(["unbelievable words"])
    assert own.tokenizer.max_tokens == 256
    assert guess.tokenizer.max_tokens == 170  # of cl100k_base's
    assert f"taken for {MINILM}" in own.assumed
    assert "an estimate" in guess.assumed
    assert opened().assumed == opened(model="ours", dimensions=8).assumed == ""


@pytest.mark.parametrize("fields", [{"input": "a"}, {"model": "b"}, {"dimensions": 8}, {"api_key": "private"}])
def test_fields_that_are_settings_or_secrets_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        opened(extra_body=fields)
    assert "private" not in str(caught.value.errors(include_input=False, include_context=False))


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_writes_numbers_alone_is_asked_for_them_from_then_on(paid: Bench, status: int) -> None:
    paid.server.faults.append(Fault(status, message="encoding_format: Input should be 'float'"))
    embedder = paid.open(concurrency=1, batch_texts=1)
    assert len(embed(embedder, ["a", "b", "c"])) == 3
    asked = [(body["encoding_format"], body["input"]) for body in paid.server.bodies]
    assert asked == [("base64", ["a"]), ("float", ["a"]), ("float", ["b"]), ("float", ["c"])]
    assert embedder.space.fingerprint == paid.open().space.fingerprint
