"""The local model: real weights, exact batches, and a device that runs out of memory."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.embed.api.dispatch.packing import by_sum
from tasks.embed.local.lanes import by_padded_tokens
from tasks.embed.local.runtime.base import NO_VECTOR, Features
from tasks.embed.local.runtime.choice import Chosen
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.embed.local.weights import find_folder, with_tokenizer
from tasks.errors import ConfigError, ServiceError
from tasks.records import Vectors
from tests.tasks.embed.local.local_model import embed, local

GOLDEN = Path(__file__).parents[3] / "data/golden/all-MiniLM-L6-v2.json"
TOKENS = st.lists(st.integers(1, 300), max_size=200)


@given(TOKENS, st.integers(1, 5000))
def test_batches_stay_within_the_padded_budget(tokens: list[int], budget: int) -> None:
    batches = list(by_padded_tokens(tokens, lambda: budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(tokens)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(tokens[row] for row in batch) <= budget


@given(TOKENS, st.integers(1, 50), st.integers(1, 5000))
def test_requests_stay_within_both_limits(tokens: list[int], rows: int, total: int) -> None:
    batches = list(by_sum(tokens, rows, total))
    assert [row for batch in batches for row in batch] == list(range(len(tokens)))
    for batch in batches:
        assert len(batch) == 1 or (len(batch) <= rows and sum(tokens[row] for row in batch) <= total)


def test_sorting_by_tokens_leaves_hardly_any_padding() -> None:
    tokens = np.random.default_rng(1).integers(20, 256, size=2000).tolist()
    padded = sum(len(batch) * max(tokens[row] for row in batch) for batch in by_padded_tokens(tokens, lambda: 4096))
    assert padded / sum(tokens) <= 1.03


@pytest.mark.model
@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_vectors_are_those_of_the_reference(runtime: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    embedder = local(runtime=runtime, precision="float32")
    found = embed(embedder, golden["texts"])
    assert embedder.runtime == f"{runtime}, float32, cpu"
    for vector, first in zip(found, golden["first_numbers"], strict=True):
        np.testing.assert_allclose(vector[: len(first)], first, atol=2e-5)


class SmallDevice:
    """A real runtime with memory for so many texts at once."""

    def __init__(self, embedder: SentenceTransformersEmbedder, most: int) -> None:
        self._real = embedder._chosen.runtime
        self._most = most
        self.name, self.hardware, self.lanes = self._real.name, self._real.hardware, 1
        self.sizes: list[int] = []
        embedder.__dict__["_chosen"] = Chosen(self, ())

    def forward(self, features: Features, /) -> Vectors:
        self.sizes.append(len(features["input_ids"]))
        if self.sizes[-1] > self._most:
            raise MemoryError
        return self._real.forward(features)

    def close(self) -> None:
        self._real.close()


@pytest.mark.model
def test_running_out_of_memory_halves_the_batch_and_loses_nothing() -> None:
    texts = [f"text number {number} of the batch" for number in range(24)]
    expected = embed(local(), texts)
    embedder = local()
    device = SmallDevice(embedder, 7)
    np.testing.assert_allclose(embed(embedder, texts), expected, atol=2e-5)
    assert sorted(device.sizes) == [6, 6, 6, 6, 12, 12, 24]
    device.sizes.clear()
    embed(embedder, texts)
    assert max(device.sizes) < 24  # what did not fit is not tried again


@pytest.mark.model
def test_a_text_that_never_fits_is_an_error_not_a_loop() -> None:
    embedder = local()
    device = SmallDevice(embedder, 0)
    with pytest.raises(ServiceError, match="too little memory"):
        embed(embedder, ["a", "b"])
    assert len(device.sizes) <= 3


@pytest.mark.model
def test_a_text_without_a_vector_is_rejected_and_the_others_are_not() -> None:
    texts = ["one", "two two", "three three three"]
    expected = embed(local(), texts)
    embedder = local()
    device = SmallDevice(embedder, 9)
    real, longest = device.forward, max(embedder.tokenizer.count(texts))

    def senseless(features: Features, /) -> Vectors:
        """The longest text has no vector, in whatever company."""
        vectors = np.array(real(features))
        vectors[features["attention_mask"].sum(axis=1) == longest] = np.nan
        return vectors

    device.forward = senseless  # type: ignore[method-assign]
    batches = list(embedder.embed(texts, embedder.tokenizer.count(texts)))
    assert sorted(row for batch in batches for row in batch.rows) == [0, 1]
    assert [dict(batch.rejected) for batch in batches if batch.rejected] == [{2: NO_VECTOR}]
    assert sorted(device.sizes) == [1, 3]
    for batch in batches:
        np.testing.assert_allclose(batch.vectors, expected[list(batch.rows)], atol=2e-5)


def test_a_text_over_the_limit_is_refused_not_cut() -> None:
    with pytest.raises(ServiceError, match="nothing is cut"):
        embed(local(), ["word " * 300])


def test_the_tokenizer_neither_cuts_nor_pads() -> None:
    assert local().tokenizer.count(["word " * 500, "word"]) == [502, 3]


def test_one_model_has_one_space_wherever_it_lies(tmp_path: Path) -> None:
    here = local()
    folder = tmp_path / "copy"
    shutil.copytree(find_folder("all-MiniLM-L6-v2", None), folder)
    assert local(model=str(folder)).space == here.space
    assert here.space.dimension == 384
    assert local(dimensions=64, force_dimensions=True).space != here.space


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "forged" / "model"
    shutil.copytree(find_folder("all-MiniLM-L6-v2", None), folder)
    (folder / "model.safetensors").write_bytes(b"forged")
    monkeypatch.setattr("tasks.embed.local.weights._packaged", lambda _: folder)
    with pytest.raises(ConfigError, match="not the published weights"):
        local()


def test_a_model_that_is_not_to_be_had_names_the_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="set `model` to a folder"):
        local(model="nobody/has-this-model")
    monkeypatch.setattr("tasks.embed.local.weights._packaged", lambda _: None)
    with pytest.raises(ConfigError, match=r"\.\[offline-model\]"):
        local()


def test_pickled_weights_are_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ConfigError, match="safetensors"):
        _ = local(model=str(tmp_path)).space


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="'cuda:7'"):
        _ = local(device="cuda:7").devices
    with pytest.raises(ConfigError, match="cuda:7"):
        local(device="cuda:7").check()


def test_more_dimensions_than_the_model_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="makes 384"):
        _ = local(dimensions=512).space


def test_a_folder_without_a_fast_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no tokenizer\.json; expected a model with a fast tokenizer"):
        with_tokenizer(tmp_path)
