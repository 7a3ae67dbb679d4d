"""Models as data: what stands in config/models is complete, says where it was read, and comes with the package."""

import re
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from tasks.embed.models import (
    PaidModel,
    local_model,
    local_models,
    paid_models,
    providers,
    retirement_note,
    served_model,
)
from tasks.embed.tokens.tokenizers import TiktokenTokenizer

FOLDER = Path(str(files("config") / "models"))
PROVIDERS = providers()
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MODELS = [
    pytest.param(model, id=f"{provider}/{name}")
    for provider in PROVIDERS
    for name, model in {"other": paid_models(provider).other, **paid_models(provider).models}.items()
]


def test_every_file_is_read() -> None:
    assert {*PROVIDERS, "local"} == {path.stem for path in FOLDER.glob("*.yaml")}
    assert local_model("all-MiniLM-L6-v2") == local_model("sentence-transformers/all-MiniLM-L6-v2")
    assert local_model("nobody/has-this-model") is None


@pytest.mark.parametrize("model", MODELS)
def test_a_limit_says_on_which_day_and_where_it_was_read(model: PaidModel) -> None:
    limits = (model.limits.inputs_per_request, model.limits.tokens_per_request, model.limits.tokens_per_input)
    assert all(limit.most > 0 and re.match(r"20\d\d-\d\d-\d\d, \S", limit.read) for limit in limits)
    assert bool(model.priced) == bool(model.usd_per_million_tokens)
    assert not model.priced or re.match(r"20\d\d-\d\d-\d\d, \S", model.priced)


@pytest.mark.parametrize("model", MODELS)
def test_a_text_of_the_longest_chunk_is_one_that_the_provider_takes(model: PaidModel) -> None:
    limits = model.limits
    assert 0 < model.max_tokens * model.tokens_factor <= limits.tokens_per_input.most <= limits.tokens_per_request.most
    assert TiktokenTokenizer(model.encoding, model.max_tokens).count(["a word"]) == [2]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_known_model_has_a_dimension_and_an_unknown_one_has_not(provider: str) -> None:
    known = paid_models(provider)
    assert all(model.dimension for model in known.models.values())
    assert (known.other.dimension, known.other.usd_per_million_tokens) == (0, 0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_models_of_one_space_take_the_same_texts_and_make_the_same_lengths(provider: str) -> None:
    """Documents are cut for one of them, and vectors kept for all."""
    spaces: dict[str, set[tuple[object, ...]]] = {}
    for model in paid_models(provider).models.values():
        shape = (model.max_tokens, model.encoding, model.document_prefix, model.dimension, model.sizes, model.any_size)
        spaces.setdefault(model.space, set()).add(shape)
    assert {space for space, shapes in spaces.items() if space and len(shapes) > 1} == set()


def test_the_registry_knows_what_people_choose() -> None:
    known = [*local_models(), *(name for provider in PROVIDERS for name in paid_models(provider).models)]
    assert len(known) >= 60
    families = (
        "minilm mpnet bge e5 gte nomic mxbai arctic qwen3 gemma harrier jina granite potion clip embed-v4 voyage-4"
    )
    assert [family for family in families.split() if not any(family in name.lower() for name in known)] == []


@pytest.mark.parametrize("name", local_models())
def test_a_local_model_says_its_licence_and_revision_and_shortens_only(name: str) -> None:
    model = local_models()[name]
    assert model.licence
    assert re.fullmatch("[0-9a-f]{40}", model.revision)
    assert all(size < model.dimension for size in model.sizes)


@pytest.mark.parametrize(
    ("served", "hub_id"),
    [
        ("bge-m3:latest", "BAAI/bge-m3"),
        ("baai/bge-m3", "BAAI/bge-m3"),
        ("Qwen3-Embedding-0.6B", "Qwen/Qwen3-Embedding-0.6B"),
        ("nomic-embed-text-v1.5:f16", "nomic-ai/nomic-embed-text-v1.5"),
        ("nomic-embed-text", "nomic-ai/nomic-embed-text-v1.5"),
        ("qwen3-embedding:0.6b", "Qwen/Qwen3-Embedding-0.6B"),
        ("qwen3-embedding:latest", "Qwen/Qwen3-Embedding-8B"),
        ("all-minilm:33m", "sentence-transformers/all-MiniLM-L12-v2"),
        ("/models/bge-m3-Q8_0.gguf", "BAAI/bge-m3"),
        ("text-embedding-nomic-embed-text-v1.5@q4_k_m", "nomic-ai/nomic-embed-text-v1.5"),
        ("Qwen/Qwen3-Embedding-4B-GGUF", "Qwen/Qwen3-Embedding-4B"),
        ("my-e5-base-v2", ""),
        ("qwen3-embedding:0.6b-q8_0", "Qwen/Qwen3-Embedding-0.6B"),
        ("qwen3-embedding:4b-q4_K_M", "Qwen/Qwen3-Embedding-4B"),
        ("qwen3-embedding:fp16", "Qwen/Qwen3-Embedding-8B"),
        ("qwen3-embedding:14b", ""),
        ("all-minilm:22m", MINILM),
        ("all-minilm:l6-v2", MINILM),
        ("all-minilm:33m-l12-v2-fp16", "sentence-transformers/all-MiniLM-L12-v2"),
        ("bge-m3:567m", "BAAI/bge-m3"),
        ("bge-m3@main", "BAAI/bge-m3"),
        ("/models/bge-m3/", "BAAI/bge-m3"),
        ("/hub/models--BAAI--bge-m3/snapshots/5617a9f", "BAAI/bge-m3"),
        ("jeffh/intfloat-multilingual-e5-large:f16", "intfloat/multilingual-e5-large"),
        ("mlx-community/Qwen3-Embedding-0.6B-4bit-DWQ", "Qwen/Qwen3-Embedding-0.6B"),
        ("embeddinggemma:300m-qat-q8_0", "google/embeddinggemma-300m"),
        ("bge-m3-onnx-int8", "BAAI/bge-m3"),
        ("bge-m3-unsupervised", ""),
    ],
)
def test_a_served_model_is_known_by_the_last_part_of_its_name(served: str, hub_id: str) -> None:
    assert served_model(served) == ((hub_id, local_models()[hub_id]) if hub_id else None)


@pytest.mark.parametrize(
    ("provider", "name", "row"),
    [
        ("openai", "openai/text-embedding-3-small", "text-embedding-3-small"),
        ("openai", "mistralai/mistral-embed-2312", "mistral-embed-2312"),
        ("gemini", "models/gemini-embedding-001", "gemini-embedding-001"),
    ],
)
def test_a_gateways_name_for_a_paid_model_is_known_too(provider: str, name: str, row: str) -> None:
    models = paid_models(provider)
    found = models.row(name)
    assert (found.dimension, found.limits, found.retires) == (
        models.models[row].dimension,
        models.models[row].limits,
        models.models[row].retires,
    )
    assert models.space_of(name) == name


def test_a_task_stands_in_the_query_prompt_of_models_that_follow_instructions() -> None:
    model = local_models()["Qwen/Qwen3-Embedding-0.6B"]
    assert model.query_prompt("Find the law") == "Instruct: Find the law\nQuery:"
    assert "{task}" not in model.query_prompt("")
    served = served_model("snowflake-arctic-embed2:568m")
    assert served
    assert served[1].query_prompt("") == "query: "


def test_a_retirement_is_told_half_a_year_before() -> None:
    name, day = "gemini-embedding-001", date(2028, 5, 14)
    when = {days: datetime.combine(day - timedelta(days), time(), UTC) for days in (181, 180, 0)}
    assert retirement_note(name, when[181]) == ""
    assert "is to be retired on 2028-05-14, in 180 days" in retirement_note(name, when[180])
    assert "was to be retired on 2028-05-14" in retirement_note(name, when[0])
    assert retirement_note("text-embedding-3-small") == retirement_note("/a/folder") == ""
