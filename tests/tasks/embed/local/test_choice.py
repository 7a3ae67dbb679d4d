"""Which runtimes are offered for a setting and a machine, and in which order."""

import importlib.util
from pathlib import Path
from typing import cast

import pytest

from config.embedders import SentenceTransformersEmbedder
from tasks.embed.local.runtime import choice
from tasks.embed.local.runtime.choice import LocalWeights, candidates
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.tokens.tokenizers import ModelTokenizer

WEIGHTS = LocalWeights(Path("model"), "name", cast(ModelTokenizer, None), 0, is_static=False)
GPUS = ("cuda:0", "cuda:1")


@pytest.fixture(autouse=True)
def _every_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose processors have bfloat16, and the library for flash attention."""
    monkeypatch.setattr(choice, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(choice, "has_bfloat16", lambda _device: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def offered(devices: tuple[str, ...], **settings: str) -> list[choice.Candidate]:
    config = SentenceTransformersEmbedder.model_validate({"kind": "sentence-transformers", **settings})
    return candidates(WEIGHTS, config, devices, ModelCache("hash"))


@pytest.mark.parametrize(
    ("devices", "settings", "names"),
    [
        (("cpu",), {}, ["openvino, bfloat16, cpu", "openvino, float32, cpu", "torch, float32, cpu"]),
        (("cpu",), {"precision": "int8"}, ["openvino, int8, cpu"]),
        (("cpu",), {"precision": "float32"}, ["openvino, float32, cpu", "torch, float32, cpu"]),
        (("cpu",), {"precision": "bfloat16"}, ["openvino, bfloat16, cpu", "torch, bfloat16, cpu"]),
        (("cpu",), {"runtime": "openvino"}, ["openvino, bfloat16, cpu", "openvino, float32, cpu"]),
        (("cpu",), {"runtime": "torch"}, ["torch, float32, cpu"]),
        (("cpu",), {"runtime": "torch", "precision": "bfloat16"}, ["torch, bfloat16, cpu"]),
        (("cpu",), {"runtime": "torch", "precision": "int8"}, []),
        (
            GPUS,
            {},
            [
                "torch, flash_attention_2, bfloat16, cuda:0, cuda:1",
                "torch, padded, bfloat16, cuda:0, cuda:1",
                "torch, padded, float32, cuda:0, cuda:1",
            ],
        ),
        (GPUS, {"precision": "float32"}, ["torch, padded, float32, cuda:0, cuda:1"]),
        (GPUS, {"runtime": "openvino"}, []),
        (("mps",), {"precision": "int8"}, []),
    ],
)
def test_the_fastest_is_offered_first_as_far_as_the_settings_allow(
    devices: tuple[str, ...], settings: dict[str, str], names: list[str]
) -> None:
    assert [candidate.name for candidate in offered(devices, **settings)] == names


def test_only_the_model_itself_need_not_prove_that_it_is_the_model() -> None:
    trusted = [candidate.name for candidate in [*offered(("cpu",)), *offered(GPUS)] if not candidate.must_prove]
    assert trusted == ["torch, float32, cpu"]


def test_other_words_for_a_runtime_change_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def runs() -> list[tuple[str, str, bool]]:
        settings = [{}, {"runtime": "torch"}, {"runtime": "openvino"}, {"precision": "bfloat16"}]
        runtimes = [one for each in settings for devices in (("cpu",), GPUS) for one in offered(devices, **each)]
        return [(one.library, one.precision, one.must_prove) for one in runtimes]

    before = runs()
    monkeypatch.setattr(choice, "runtime_name", lambda *_: "the quick one")
    assert runs() == before
