"""CLIP and SigLIP: the vectors of the real classes, through the processor of their makers."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.embedders import ClipEmbedder as Settings
from tasks.embed.local.clip import ClipEmbedder
from tasks.errors import ConfigError, ServiceError
from tasks.image import Image
from tests.clip_models import save_model

TEXTS = ["a photo of a cat", "x", "two dogs, one house: 3 trees!", "naïve 日本語 🙂"]


@pytest.fixture(scope="module", params=["clip", "siglip", "siglip2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clip_folder: Path) -> Path:
    return clip_folder if request.param == "clip" else save_model(tmp_path_factory.mktemp("model"), request.param)


@pytest.fixture(scope="module")
def embedder(folder: Path) -> ClipEmbedder:
    return opened(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> tuple[Any, Any]:
    """The model and the processor, as their makers say to use them."""
    from transformers import AutoModel, AutoProcessor

    return AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder, backend="pil")


def opened(folder: Path, **settings: object) -> ClipEmbedder:
    return ClipEmbedder(Settings.model_validate({"kind": "clip", "model": str(folder), "device": "cpu", **settings}))


def picture(seed: int, columns: int, rows: int) -> Image:
    """Soft colours of chance."""
    from PIL import Image as Pillow

    few = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    pixels = Pillow.fromarray(few).resize((columns, rows), Pillow.Resampling.BICUBIC).tobytes()
    return Image(columns, rows, columns, rows, zlib.compress(pixels))


PICTURES = [picture(seed, *size) for seed, size in enumerate([(60, 40), (40, 200), (32, 32), (448, 300), (3, 5)])]


def vectors(batches: Any, count: int) -> np.ndarray:
    found: dict[int, np.ndarray] = {}
    for batch in batches:
        found.update(zip(batch.rows, batch.vectors, strict=True))
    return np.stack([found[row] for row in range(count)])


def of_texts(embedder: ClipEmbedder, texts: list[str]) -> np.ndarray:
    return vectors(embedder.embed(texts, embedder.tokenizer.count(texts)), len(texts))


def features(outputs: Any) -> np.ndarray:
    rows: np.ndarray = outputs.pooler_output.detach().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_pictures_vector_is_that_of_the_models_own_processor(
    embedder: ClipEmbedder, reference: tuple[Any, Any]
) -> None:
    from PIL import Image as Pillow

    model, processor = reference
    shown = [Pillow.frombytes("RGB", (one.columns, one.rows), one.pixels) for one in PICTURES]
    expected = features(model.get_image_features(**processor.image_processor(shown, return_tensors="pt")))
    own = vectors(embedder.embed_images(PICTURES), len(PICTURES))
    assert (own * expected).sum(axis=1).min() > 0.9999
    assert (own @ expected.T).argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


def test_a_texts_vector_is_that_of_the_models_own_processor(embedder: ClipEmbedder, reference: tuple[Any, Any]) -> None:
    model, processor = reference
    padding = "max_length" if "".join(processor.tokenizer.model_input_names) == "input_ids" else True
    given = processor(text=TEXTS, return_tensors="pt", padding=padding, max_length=64, truncation=True)
    expected = features(model.get_text_features(**given))
    assert (of_texts(embedder, TEXTS) * expected).sum(axis=1).min() > 0.9999
    assert (embedder.embed_query(TEXTS[2]) @ expected.T).argmax() == 2


def test_capital_letters_are_small_ones_to_these_models(embedder: ClipEmbedder) -> None:
    np.testing.assert_allclose(*of_texts(embedder, ["A Photo", "a photo"]), atol=1e-5)


def test_a_long_query_is_cut_before_its_last_mark_and_a_long_text_is_refused(
    embedder: ClipEmbedder, reference: tuple[Any, Any]
) -> None:
    model, processor = reference
    limit, text = embedder.tokenizer.max_tokens, "a photo of many things " * 20
    given = processor(text=[text], return_tensors="pt", padding="max_length", max_length=limit, truncation=True)
    assert embedder.embed_query(text) @ features(model.get_text_features(**given))[0] > 0.9999
    with pytest.raises(ServiceError, match=f"the model reads {limit}; nothing is cut in silence"):
        of_texts(embedder, [text])


def test_a_query_without_a_vector_is_told(embedder: ClipEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "_forward", lambda *_: np.zeros((1, embedder.space.dimension), np.float32))
    with pytest.raises(ServiceError, match="finds nothing"):
        embedder.embed_query("a cat")


def test_the_space_changes_with_what_is_done_to_a_picture_and_with_nothing_else(
    folder: Path, embedder: ClipEmbedder, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert opened(tmp_path).space == embedder.space
    shape = json.loads((tmp_path / "processor_config.json").read_text())
    for name, value, is_same in (("image_processor_type", "Other", True), ("image_mean", [0.5, 0.5, 0.4], False)):
        shape["image_processor"][name] = value
        (tmp_path / "processor_config.json").write_text(json.dumps(shape))
        assert (opened(tmp_path).space == embedder.space) == is_same


def test_what_config_json_leaves_out_is_as_usual(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    family = json.loads((tmp_path / "config.json").read_text())["model_type"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    space = opened(tmp_path).space
    assert (space.dimension, space.max_tokens) == {"clip": (512, 77), "siglip": (768, 64), "siglip2": (768, 64)}[family]


def test_a_model_that_would_run_its_own_code_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text('{"model_type": "jina_clip"}')
    with pytest.raises(ConfigError, match="of the type 'jina_clip', expected one of clip, siglip, siglip2; code"):
        opened(tmp_path)
