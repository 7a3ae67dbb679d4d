"""CLIP and its kin, in torch: pictures and texts in one space."""

import hashlib
import importlib.util
import json
import re
import string
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from config import embedders
from tasks.embed.local.batch_size import CPU_TOKENS, GPU_TOKENS, BatchSize
from tasks.embed.local.lanes import Lanes
from tasks.embed.local.runtime.base import runtime_name, unit_rows
from tasks.embed.local.runtime.device import choose_devices, release_memory
from tasks.embed.local.weights import find_folder, read_json, weights_hash, with_tokenizer
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError, MissingExtraError, ServiceError
from tasks.image import Image
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NO_VECTOR = "the model answers a vector that is zero or not finite"
# What makes pixels of a picture; other entries of the file name classes and versions.
_SEEN = (
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor"),
    *("do_normalize", "image_mean", "image_std", "patch_size", "max_num_patches"),
)


class Family(NamedTuple):
    """What a model's config.json leaves out where it is as usual; with `fills` all texts get the same length."""

    max_tokens: int
    dimension: int
    patch_size: int
    fills: bool


class SiglipTokenizer(ModelTokenizer):
    """Texts as SigLIP was trained with them: in lower case, and for its first version without punctuation."""

    @cached_property
    def loaded(self) -> "Tokenizer":
        """Not every tokenizer.json does it; what is done twice is done once."""
        from tokenizers import Regex, normalizers

        tokenizer = super().loaded
        steps: list[normalizers.Normalizer] = [normalizers.Lowercase()]
        if str(read_json(self._path.parent, "tokenizer_config.json").get("tokenizer_class")).startswith("SiglipT"):
            steps += [
                normalizers.Replace(Regex(f"[{re.escape(string.punctuation)}]"), ""),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Strip(),
            ]
        own = tokenizer.normalizer
        tokenizer.normalizer = normalizers.Sequence([*steps, *([own] if own else [])])
        return tokenizer


FAMILIES = {
    "clip": Family(77, 512, 32, fills=False),
    "siglip": Family(64, 768, 16, fills=True),
    "siglip2": Family(64, 768, 16, fills=True),
}


class ClipEmbedder:
    """The model's files are found at once; its weights are loaded with the first text or picture."""

    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    server = other_model = query_prefix = assumed = ""
    late = None

    def __init__(self, config: embedders.ClipEmbedder) -> None:
        """Raises ConfigError when the model is not to be had, or of another kind."""
        if importlib.util.find_spec("PIL") is None:
            raise MissingExtraError("clip", "images")
        self.model = config.model
        self._device = config.device
        self._folder = find_folder(config.model, config.revision)
        self._config = read_json(self._folder, "config.json")
        kind = str(self._config.get("model_type"))
        if kind not in FAMILIES:
            raise ConfigError(
                f"{config.model!r} is a model of the type {kind!r}, expected one of {', '.join(FAMILIES)}; code that a"
                " model brings along is not run"
            )
        self._family = FAMILIES[kind]

    @property
    def tokenizer(self) -> ModelTokenizer:
        """The model's own, without truncation."""
        return self._tokenizer

    @property
    def space(self) -> VectorSpace:
        """The space, named by architecture, weights and what is done to a picture before."""
        return self._space

    @cached_property
    def _tokenizer(self) -> ModelTokenizer:
        limit = self._part("text").get("max_position_embeddings", self._family.max_tokens)
        kind = SiglipTokenizer if self._family.fills else ModelTokenizer
        return kind(with_tokenizer(self._folder), "", int(limit))

    @cached_property
    def _space(self) -> VectorSpace:
        text = self._part("text")
        own = text.get("projection_size") or text.get("hidden_size") if self._family.fills else None
        seen = read_json(self._folder, "preprocessor_config.json")
        seen = seen or read_json(self._folder, "processor_config.json").get("image_processor") or {}
        recipe = json.dumps({name: seen[name] for name in _SEEN if name in seen}, sort_keys=True)
        return VectorSpace(
            provider="clip",
            model=str((self._config.get("architectures") or ["unknown"])[0]),
            revision=f"{weights_hash([self._folder])}/{hashlib.sha256(recipe.encode()).hexdigest()[:16]}",
            dimension=int(own or self._config.get("projection_dim") or self._family.dimension),
            max_tokens=self.tokenizer.max_tokens,
        )

    @property
    def runtime(self) -> str:
        """Library, precision and device; empty before the first text."""
        return runtime_name("torch", "float32", (self._chosen,)) if "_loaded" in self.__dict__ else ""

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Halves the batches when the device runs out of memory, as often as it takes."""
        counts = [self.space.max_tokens] * len(texts) if self._family.fills else tokens
        return self._embed(counts, lambda rows: self._of_texts([texts[row] for row in rows]))

    def embed_images(self, images: Sequence[Image], /) -> Generator[EmbeddedBatch, None, None]:
        """The same for pictures, each of which takes a place for each of its patches."""
        vision = self._part("vision")
        patch = vision.get("patch_size", self._family.patch_size)
        counts = [(vision.get("image_size", 224) // patch) ** 2 + 1] * len(images)
        return self._embed(counts, lambda rows: self._of_images([images[row] for row in rows]))

    def embed_query(self, text: str, /) -> Vector:
        """The query's vector, cut to what the model reads: a long query still finds something."""
        limit, ids = self.tokenizer.max_tokens, self.tokenizer.loaded.encode(text).ids
        if len(ids) > limit:
            ids = [*ids[: limit - 1], ids[-1]]  # the mark at the end is where the model looks for the meaning
        vector: Vector = self._forward("text", self._features([ids]))[0]
        if not vector.any():
            raise ServiceError(f"the query {text[:80]!r} finds nothing: {NO_VECTOR}; ask in other words")
        return vector

    def check(self) -> None:
        """The files were found when it was opened; a device that is named may be missing."""
        if self._device not in ("auto", "cpu"):
            _ = self._chosen

    def close(self) -> None:
        """Drop the weights; the next text loads them again."""
        if self.__dict__.pop("_loaded", None):
            release_memory(self._chosen)

    @cached_property
    def _chosen(self) -> str:
        return choose_devices(self._device)[0]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The model, and what prepares pictures for it: by Pillow, for torchvision's vectors differ a little."""
        import torch
        from transformers import AutoImageProcessor, AutoModel
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no types here
        own: Any = {"local_files_only": True, "trust_remote_code": False}
        model: Any = AutoModel.from_pretrained(self._folder, dtype=torch.float32, use_safetensors=True, **own)
        eyes = AutoImageProcessor.from_pretrained(self._folder, backend="pil", **own)  # type: ignore[no-untyped-call]
        return model.eval().to(self._chosen), eyes

    @cached_property
    def _lanes(self) -> Lanes:
        """A GPU computes while the next pictures are made ready."""
        is_cpu = self._chosen == "cpu"
        return Lanes(1 if is_cpu else 2, BatchSize(CPU_TOKENS if is_cpu else GPU_TOKENS, grows=not is_cpu))

    @cached_property
    def _padding(self) -> int:
        named = read_json(self._folder, "tokenizer_config.json").get("pad_token")
        token = named.get("content") if isinstance(named, dict) else named
        return self.tokenizer.loaded.token_to_id(token) or 0 if token else 0

    def _part(self, tower: Literal["text", "vision"]) -> Mapping[str, Any]:
        part: Mapping[str, Any] = self._config.get(f"{tower}_config") or {}
        return part

    def _embed(
        self, counts: Sequence[int], call: Callable[[Sequence[int]], Vectors]
    ) -> Generator[EmbeddedBatch, None, None]:
        if not counts:
            return
        _ = self._loaded  # by one thread
        batches = self._lanes.run(counts, call, lambda vectors: np.any(vectors, axis=1))
        try:
            for rows, vectors, bad in batches:
                yield EmbeddedBatch(tuple(rows), vectors, rejected=dict.fromkeys(bad, NO_VECTOR))
        except MemoryError as error:
            raise ServiceError(
                f"{self._chosen} has too little memory for {self.model!r}; choose a smaller one"
            ) from error
        finally:
            batches.close()

    def _of_texts(self, texts: Sequence[str]) -> Vectors:
        ids = [encoding.ids for encoding in self.tokenizer.loaded.encode_batch(list(texts))]
        if (longest := max(map(len, ids))) > (limit := self.tokenizer.max_tokens):
            raise ServiceError(
                f"a text has {longest} tokens and the model reads {limit}; nothing is cut in silence, so the chunker"
                " and the model do not count alike: lower chunking.max_tokens"
            )
        return self._forward("text", self._features(ids))

    def _of_images(self, images: Sequence[Image]) -> Vectors:
        from PIL import Image as Pillow

        shown = [Pillow.frombytes("RGB", (image.columns, image.rows), image.pixels) for image in images]
        return self._forward("image", self._loaded[1](images=shown, return_tensors="pt"))

    def _features(self, ids: Sequence[Sequence[int]]) -> Mapping[str, Any]:
        """SigLIP learnt with all texts of one length and without a mask: it reads the padding, too."""
        import torch

        limit = self.tokenizer.max_tokens if self._family.fills else max(map(len, ids))
        tokens = torch.full((len(ids), limit), self._padding)
        mask = torch.zeros_like(tokens)
        for row, one in enumerate(ids):
            tokens[row, : len(one)], mask[row, : len(one)] = torch.tensor(one), 1
        return {"input_ids": tokens} if self._family.fills else {"input_ids": tokens, "attention_mask": mask}

    def _forward(self, tower: Literal["text", "image"], features: Mapping[str, Any]) -> Vectors:
        """Rows of unit length, or zero where there is no vector; shape (n, dimension)."""
        import torch

        model, _ = self._loaded
        with torch.inference_mode():
            moved = {name: tensor.to(self._chosen) for name, tensor in features.items()}
            vectors: Vectors = getattr(model, f"get_{tower}_features")(**moved).pooler_output.float().cpu().numpy()
        return unit_rows(vectors, self.space.dimension)
