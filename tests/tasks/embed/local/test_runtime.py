"""Which runtime a local model gets, and that each one makes the model's own vectors."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.embed.local.runtime import openvino_runtime
from tasks.embed.local.runtime.base import Features, padded, unit_rows
from tasks.embed.local.runtime.conversion import quantised
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.local.runtime.openvino_runtime import OpenVinoRuntime, import_openvino, rest_of
from tasks.embed.local.runtime.probes import TESTED_TEXTS, calibration_features, self_test_texts
from tasks.embed.local.runtime.processes import DeviceProcesses
from tasks.embed.local.weights import find_folder
from tasks.errors import ConfigError, MissingExtraError, ServiceError
from tasks.records import Vectors
from tests.tasks.embed.local.local_model import embed, local

REPOSITORY = Path(__file__).parents[4]


def short_texts(count: int) -> list[str]:
    return [text[:400] for text in self_test_texts()[:count]]


def tiny_model(folder: Path, architecture: str, pooling: str) -> Path:
    """A random model of a few thousand weights, with the tokenizer of a real one."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    torch.manual_seed(0)
    small: dict[str, Any] = {"vocab_size": 30522, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    small |= {"intermediate_size": 64, "max_position_embeddings": 300, "pad_token_id": 0}
    if architecture == "DistilBert":
        small = {"vocab_size": 30522, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    if architecture == "Qwen3":
        small |= {"head_dim": 8, "num_key_value_heads": 2}
    config = getattr(transformers, f"{architecture}Config")(**small)
    weights = folder / "weights"
    getattr(transformers, f"{architecture}Model")(config).save_pretrained(weights)
    here = find_folder("all-MiniLM-L6-v2", None)
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(here / "tokenizer.json"), pad_token="[PAD]", unk_token="[UNK]", model_max_length=256
    ).save_pretrained(weights)
    body = Transformer(str(weights))
    dense = Dense(in_features=32, out_features=24)
    model = SentenceTransformer(modules=[body, Pooling(32, pooling_mode=pooling), dense], device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def kept_weights(model: str) -> Path:
    """Where the converted weights of a model are kept."""
    embed(local(model=model, precision="float32"), ["a text"])
    return ModelCache(local(model=model).files).folder / "float32" / "model.bin"


@pytest.mark.model
@pytest.mark.parametrize(
    ("architecture", "pooling"),
    [("Bert", "cls"), ("MPNet", "mean"), ("DistilBert", "max"), ("XLMRoberta", "mean"), ("Qwen3", "lasttoken")],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_any_architecture_is_converted_with_its_pooling(architecture: str, pooling: str, tmp_path: Path) -> None:
    folder = str(tiny_model(tmp_path, architecture, pooling))
    texts = short_texts(6)
    fast, slow = local(model=folder, runtime="openvino"), local(model=folder, runtime="torch")
    np.testing.assert_allclose(embed(fast, texts), embed(slow, texts), atol=1e-4)
    assert fast.space == slow.space
    assert fast.space.dimension == 24


@pytest.mark.model
def test_the_fastest_runtime_is_chosen_without_being_told() -> None:
    embedder = local()
    assert embedder.runtime == ""
    embed(embedder, ["a text"])
    assert embedder.runtime.startswith("openvino, ")


@pytest.mark.model
def test_a_second_process_needs_no_torch(user_cache: Path) -> None:
    embed(local(), ["a text"])
    code = (
        "import sys; from config.embedders import SentenceTransformersEmbedder as C;"
        "from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder as E;"
        "e = E(C(kind='sentence-transformers')); e.embed_query('a text');"
        "print(e.runtime.split(',')[0], 'torch' in sys.modules, sys.modules['openvino_telemetry'])"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(user_cache)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "openvino False None\n"


@pytest.mark.model
@pytest.mark.parametrize(("threads", "lanes"), [("1", 1), ("1,2", 1), ("", None), ("many", None)])
def test_openvino_takes_no_more_threads_than_libraries_are_told_to(
    threads: str, lanes: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And makes the same vectors with fewer."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    texts, usual = ["a text", "another one"], local(precision="float32")
    vectors, most = embed(usual, texts), usual.choose_runtime().runtime.lanes
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    told = local(precision="float32")
    np.testing.assert_array_equal(embed(told, texts), vectors)
    assert told.choose_runtime().runtime.lanes == (lanes or most)


@pytest.mark.model
def test_a_runtime_that_makes_other_vectors_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = str(tiny_model(tmp_path, "Bert", "cls"))
    weights = kept_weights(model)
    content = weights.read_bytes()
    size = len(content) // 4 * 4
    numbers = np.frombuffer(content[:size], np.float32).copy()
    is_weight = (np.abs(numbers) > 1e-4) & (np.abs(numbers) < 10)
    numbers[is_weight] *= np.linspace(0.3, 1, int(is_weight.sum()), dtype=np.float32)
    weights.write_bytes(numbers.tobytes() + content[size:])
    for other in (weights.parent / "compiled", *weights.parents[1].glob("proof-*")):
        shutil.rmtree(other)
    embedder = local(model=model, precision="float32")
    expected = embed(local(model=model, runtime="torch"), ["a text"])
    np.testing.assert_allclose(embed(embedder, ["a text"]), expected, atol=1e-6)
    assert embedder.runtime.startswith("torch, float32, cpu; not openvino, float32, cpu: its vectors are not the model")
    with pytest.raises(ConfigError, match="vectors are not the model's"):
        embed(local(model=model, runtime="openvino", precision="float32"), ["a text"])


@pytest.mark.model
def test_a_runtime_that_fails_its_proof_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    closed: list[OpenVinoRuntime] = []
    calls: list[OpenVinoRuntime] = []
    forward = OpenVinoRuntime.forward

    def fail_once_open(runtime: OpenVinoRuntime, features: Features) -> Vectors:
        calls.append(runtime)
        if len(calls) > 1:
            raise RuntimeError("no more")
        return forward(runtime, features)

    monkeypatch.setattr(OpenVinoRuntime, "forward", fail_once_open)
    monkeypatch.setattr(OpenVinoRuntime, "close", lambda runtime: closed.append(runtime))
    embedder = local(model=str(tiny_model(tmp_path, "Bert", "cls")), precision="float32")
    embed(embedder, ["a text"])
    assert embedder.runtime == "torch, float32, cpu; not openvino, float32, cpu: no more"
    assert closed == calls[:1]


@pytest.mark.model
def test_a_kept_model_that_is_damaged_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = str(tiny_model(tmp_path, "Bert", "cls"))
    weights = kept_weights(model)
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    shutil.rmtree(weights.parent / "compiled")
    embedder = local(model=model, precision="float32")
    embed(embedder, ["a text"])
    assert embedder.runtime == "openvino, float32, cpu"
    assert weights.read_bytes() == content


@pytest.mark.model
def test_without_openvino_torch_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    embedder = local()
    assert embed(embedder, ["a text"]).shape == (1, 384)
    assert embedder.runtime.startswith("torch, float32, cpu; not openvino, float32, cpu: ")
    with pytest.raises(ConfigError, match="openvino"):
        embed(local(runtime="openvino", precision="float32"), ["a text"])


@pytest.mark.model
def test_a_cache_that_cannot_be_written_costs_speed_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    embedder = local(model=str(tiny_model(tmp_path, "Bert", "cls")))
    assert embed(embedder, ["a text"]).shape == (1, 24)
    assert "Not a directory" in embedder.runtime


def test_int8_is_a_vector_space_of_its_own_and_nothing_else_is() -> None:
    spaces = {
        precision: local(precision=precision).space.fingerprint for precision in ("auto", "float32", "bfloat16", "int8")
    }
    assert len({spaces["auto"], spaces["float32"], spaces["bfloat16"], local(runtime="torch").space.fingerprint}) == 1
    assert spaces["int8"] != spaces["auto"]


@pytest.mark.model
def test_int8_is_near_the_model() -> None:
    texts = short_texts(TESTED_TEXTS)
    cosines = np.einsum("ij,ij->i", embed(local(precision="int8"), texts), embed(local(), texts))
    assert 0.99 < cosines.min() < 0.9999


@pytest.mark.model
@pytest.mark.parametrize(
    ("architecture", "second_half"),
    [("Bert", r"\d\.output\.dense"), ("DistilBert", r"ffn\.lin2"), ("Qwen3", r"mlp\.down_proj")],
)
def test_the_second_half_of_a_feed_forward_block_stays_as_it_is(
    architecture: str, second_half: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_model(tmp_path, architecture, "mean")
    calibration = calibration_features(local(model=str(model)).tokenizer, 0)
    layers = dict(products(quantised(ModelCache(f"tiny-{architecture}"), model, calibration) / "model.xml"))
    as_they_are = [name for name, is_int8 in layers.items() if not is_int8]
    assert len(as_they_are) == 2
    assert all(re.search(second_half, name) for name in as_they_are)
    assert len(layers) >= 13
    assert capsys.readouterr().out == ""


def products(path: Path) -> Iterator[tuple[str, bool]]:
    """The products with weights in a converted model, and whether their input is made of integers."""
    for operation in import_openvino().Core().read_model(path).get_ordered_ops():
        if operation.get_type_name() == "MatMul" and operation.input(1).get_partial_shape().is_static:
            yield operation.get_friendly_name(), operation.input_value(0).get_node().get_type_name() == "FakeQuantize"


def test_besides_integers_int8_uses_the_fastest_that_the_processor_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_bfloat16, rest in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(openvino_runtime, "cpu_has_bfloat16", lambda has=has_bfloat16: has)
        assert (rest_of("int8"), rest_of("float32"), rest_of("bfloat16")) == (rest, "float32", "bfloat16")


@pytest.mark.model
def test_everybody_makes_the_same_int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = str(tiny_model(tmp_path, "Bert", "mean"))
    found: list[Vectors] = []
    for machine in ("one", "another"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))
        found.append(embed(local(model=model, precision="int8"), short_texts(8)))
    np.testing.assert_array_equal(*found)


@pytest.mark.model
def test_int8_without_its_library_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"\.\[int8\]"):
        embed(local(model=str(tiny_model(tmp_path, "Bert", "cls")), precision="int8"), ["a text"])


@pytest.mark.model
def test_several_devices_work_in_processes_of_their_own() -> None:
    embedder = local(runtime="torch")
    encodings = [embedder.tokenizer.loaded.encode(text) for text in short_texts(4)]
    processes = DeviceProcesses(find_folder("all-MiniLM-L6-v2", None), ("cpu", "cpu"), "float32")
    try:
        assert processes.lanes == 4
        batches = [processes.forward(padded([encoding], 0)) for encoding in encodings]
        found = unit_rows(np.concatenate(batches), 384)
        np.testing.assert_allclose(found, embed(embedder, short_texts(4)), atol=1e-5)
        pids = [worker.pid for worker in processes._workers]
        assert len(set(pids)) == 2
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(ServiceError, match="lower batch_tokens"):
            _ = [processes.forward(padded(encodings[:1], 0)) for _ in pids]
    finally:
        processes.close()
