"""Every family of local models makes the vectors that sentence-transformers itself makes of it."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.errors import ConfigError, ServiceError
from tasks.records import Vectors
from tests.tasks.embed.local.families import FAMILIES, TEXTS, build, edit
from tests.tasks.embed.local.local_model import embed, local

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LEAST = 0.9999
Folder = Callable[[str], Path]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Each model is built once."""
    return cache(lambda name: build(FAMILIES[name], tmp_path_factory.mktemp("model")))


@pytest.fixture
def own(folder: Folder, tmp_path: Path) -> Folder:
    """A copy that a test may change."""
    return lambda name: Path(shutil.copytree(folder(name), tmp_path / "own"))


@cache
def library(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@cache
def of_library(folder: Path, side: str) -> Vectors:
    """What sentence-transformers makes of the texts on that side, at unit length."""
    model = library(folder)
    prompt = {"prompt_name": "passage"} if side == "document" and "passage" in model.prompts else {}
    vectors: Vectors = getattr(model, f"encode_{side}")(list(TEXTS), **prompt)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def least_cosine(ours: Vectors, theirs: Vectors) -> float:
    return float(np.einsum("ij,ij->i", ours, theirs).min())


def queries(embedder: SentenceTransformersEmbedder) -> Vectors:
    return np.stack([embedder.embed_query(text) for text in TEXTS])


@pytest.mark.parametrize("name", FAMILIES)
def test_vectors_are_those_of_sentence_transformers(name: str, folder: Folder) -> None:
    embedder = local(model=str(folder(name)), runtime="torch")
    theirs = of_library(folder(name), "document")
    assert embedder.space.dimension == theirs.shape[1]
    assert least_cosine(embed(embedder, TEXTS), theirs) >= LEAST
    assert least_cosine(queries(embedder), of_library(folder(name), "query")) >= LEAST
    others = theirs @ theirs.T - np.eye(len(TEXTS))
    assert others.max() < 0.999  # so that a vector of another text would show


@pytest.mark.parametrize("name", ["BERT, mean", "XLM-R", "Qwen3, last token"])
def test_another_pooling_would_show(name: str, own: Folder, folder: Folder) -> None:
    wrong = own(name)
    pooling = "mean" if name.startswith("Qwen3") else "cls"
    edit(wrong, "1_Pooling/config.json", pooling_mode=pooling)
    embedder = local(model=str(wrong), runtime="torch")
    assert least_cosine(embed(embedder, TEXTS), of_library(folder(name), "document")) < LEAST
    assert embedder.space != local(model=str(folder(name))).space


@pytest.mark.parametrize("name", ["XLM-R", "Qwen3, last token", "Gemma3", "static"])
def test_another_prompt_would_show(name: str, own: Folder, folder: Folder) -> None:
    wrong = own(name)
    edit(wrong, "config_sentence_transformers.json", prompts={})
    embedder = local(model=str(wrong), runtime="torch")
    assert least_cosine(queries(embedder), of_library(folder(name), "query")) < LEAST
    if not name.startswith("Qwen3"):
        assert least_cosine(embed(embedder, TEXTS), of_library(folder(name), "document")) < LEAST


@pytest.mark.model
@pytest.mark.parametrize("name", ["ModernBERT", "Gemma3"])
def test_whatever_runtime_is_chosen_makes_the_same(name: str, folder: Folder) -> None:
    embedder = local(model=str(folder(name)), precision="float32")
    assert least_cosine(embed(embedder, TEXTS), of_library(folder(name), "document")) >= LEAST
    assert "TorchScript" in embedder.runtime if name == "Gemma3" else embedder.runtime == "openvino, float32, cpu"


@pytest.mark.model
def test_equal_weights_with_another_pooling_are_converted_anew(own: Folder, folder: Folder) -> None:
    embed(local(model=str(folder("BERT, mean")), precision="float32"), TEXTS)
    other = own("BERT, mean")
    edit(other, "1_Pooling/config.json", pooling_mode="cls")
    embedder = local(model=str(other), precision="float32")
    assert least_cosine(embed(embedder, TEXTS), of_library(other, "document")) >= LEAST
    assert embedder.runtime == "openvino, float32, cpu"


def test_a_long_query_is_cut_before_its_last_token(own: Folder) -> None:
    short = own("Qwen3, last token")
    edit(short, "tokenizer_config.json", model_max_length=32)
    embedder = local(model=str(short), runtime="torch")
    assert embedder.space.max_tokens == 32
    assert least_cosine(queries(embedder), of_library(short, "query")) >= LEAST


@pytest.mark.parametrize("name", ["XLM-R", "MPNet"])
def test_positions_that_begin_behind_the_padding_are_not_counted(name: str, folder: Folder) -> None:
    embedder = local(model=str(folder(name)), runtime="torch")
    assert embedder.space.max_tokens == 256
    long = "a" * 300
    while embedder.tokenizer.count([long])[0] > 256:
        long = long[:-1]
    assert np.isfinite(embed(embedder, [long])).all()
    with pytest.raises(ServiceError, match="257 tokens and the model reads 256"):
        embed(embedder, [long + "a"])


def test_a_model_without_a_transformer_has_no_limit_of_its_own(folder: Folder) -> None:
    embedder = local(model=str(folder("static")), runtime="torch")
    assert embedder.space.max_tokens == 32_768
    assert embedder.tokenizer.count([" ".join(TEXTS) * 20])[0] > 2048
    assert np.isfinite(embed(embedder, [" ".join(TEXTS) * 20])).all()


def test_weights_behind_the_transformer_are_part_of_the_space(own: Folder, folder: Folder) -> None:
    other = own("Gemma3")
    shutil.copy(other / "2_Dense/model.safetensors", other / "2_Dense/twice.safetensors")
    assert local(model=str(other)).space.revision != local(model=str(folder("Gemma3"))).space.revision


def test_what_its_own_files_say_is_told(folder: Folder) -> None:
    assert local().assumed == ""
    told = local(model=str(folder("ModernBERT"))).assumed
    assert "cls pooling, 2048 tokens, prompts 'search_document: ' for documents" in told
    assert "no file names a pooling" in local(model=str(folder("BERT, mean") / ".." / "weights")).assumed


@pytest.mark.parametrize(
    ("file", "settings", "words"),
    [
        ("config.json", {"auto_map": {}, "model_type": "new"}, "code of its own from the hub"),
        ("config.json", {"auto_map": {}, "architectures": ["JinaBertForMaskedLM"]}, "code of its own from the hub"),
        ("1_Pooling/config.json", {"include_prompt": False}, "include_prompt"),
        ("sentence_bert_config.json", {"max_seq_length": 0}, ""),
        ("config.json", {"auto_map": {"AutoModel": "modeling.BertModel"}}, ""),
    ],
)
def test_a_model_that_would_be_computed_otherwise_is_refused(
    file: str, settings: dict[str, object], words: str, own: Folder
) -> None:
    model = own("BERT, mean")
    edit(model, file, **settings)
    if words:
        with pytest.raises(ConfigError, match=words):
            local(model=str(model))
    else:
        assert embed(local(model=str(model), runtime="torch"), ["a text"]).any()


def test_a_model_that_the_registry_knows_to_need_its_own_code_is_not_even_fetched() -> None:
    with pytest.raises(ConfigError, match=r"jina-embeddings-v3' needs code of its own.*transformers"):
        local(model="jinaai/jina-embeddings-v3")


def test_an_unknown_module_is_refused_by_name(own: Folder) -> None:
    model = own("layer norm")
    modules = (model / "modules.json").read_text()
    for name, words in (("x.Router", "sentence_transformers"), ("custom_st.LayerNorm", "custom_st")):
        changed = modules.replace("sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm", name)
        (model / "modules.json").write_text(changed.replace('"x.', '"sentence_transformers.base.modules.router.'))
        with pytest.raises(ConfigError, match="Router" if name == "x.Router" else words):
            local(model=str(model))


def test_weights_of_another_architecture_are_refused(own: Folder) -> None:
    from safetensors.numpy import load_file, save_file

    model = own("BERT, mean")
    weights = load_file(model / "model.safetensors")
    save_file({name: table for name, table in weights.items() if "layer.1" not in name}, model / "model.safetensors")
    with pytest.raises(ConfigError, match=r"not those of BertModel: .*layer\.1.* missing"):
        embed(local(model=str(model), runtime="torch"), ["a text"])


def test_a_setting_that_changes_the_tokens_is_refused(own: Folder) -> None:
    model = own("XLM-R")
    edit(model, "sentence_bert_config.json", do_lower_case=True)
    with pytest.raises(ConfigError, match="other tokens"):
        embed(local(model=str(model), runtime="torch"), ["A Text"])


def test_vectors_are_shortened_only_where_the_model_was_trained_for_it(own: Folder) -> None:
    model = own("BERT, mean")
    with pytest.raises(ConfigError, match=r"trained for 32 only.*force_dimensions: true"):
        _ = local(model=str(model), dimensions=16).space
    forced = local(model=str(model), dimensions=16, force_dimensions=True, runtime="torch")
    edit(model, "config.json", matryoshka_dims=[8, 16])
    trained = local(model=str(model), dimensions=16, runtime="torch")
    assert trained.space == forced.space
    theirs = of_library(model, "document")[:, :16]
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    assert least_cosine(embed(trained, TEXTS), theirs) >= LEAST
    np.testing.assert_allclose(np.linalg.norm(embed(trained, TEXTS), axis=1), 1, atol=1e-6)
    with pytest.raises(ConfigError, match="trained for 8, 16, 32 only"):
        _ = local(model=str(model), dimensions=12).space
    with pytest.raises(ConfigError, match="makes 32"):
        _ = local(model=str(model), dimensions=64, force_dimensions=True).space


def test_a_length_that_the_model_itself_asks_for_is_its_own(own: Folder) -> None:
    model = own("BERT, mean")
    edit(model, "config_sentence_transformers.json", truncate_dim=16)
    embedder = local(model=str(model), runtime="torch")
    assert embedder.space.dimension == 16
    assert least_cosine(embed(embedder, TEXTS), of_library(model, "document")) >= LEAST


def test_a_layer_norm_comes_before_vectors_are_shortened(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("tasks.embed.local.sentence_transformers.find_folder", lambda *_: folder("layer norm"))
    settings = {"dimensions": 8, "force_dimensions": True, "runtime": "torch"}
    embedder = local(model="nomic-ai/nomic-embed-text-v1.5", **settings)
    prompted = [f"search_document: {text}" for text in TEXTS]
    whole = torch.from_numpy(library(folder("layer norm")).encode_document(prompted))
    short = torch.nn.functional.layer_norm(whole, whole.shape[1:])[:, :8]
    theirs = torch.nn.functional.normalize(short, dim=1).numpy()
    ours = embed(embedder, TEXTS)
    assert least_cosine(ours, theirs) >= LEAST
    plain = local(model=str(folder("layer norm")), **settings)
    assert least_cosine(embed(plain, prompted), theirs) < LEAST
    assert "layer norm" in embedder.space.pooling
