"""A local model through sentence-transformers: tokenised once, batched by padded tokens."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from config import schema
from tasks.embed.batching import by_padded_tokens
from tasks.embed.device import Device, choose_device, is_out_of_memory, release_memory
from tasks.embed.models import LocalModel, local_model
from tasks.embed.tokenizers import ModelTokenizer
from tasks.embed.weights import find_folder, read_json, weights_hash
from tasks.errors import ConfigError, ServiceError
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Encoding


class SentenceTransformersEmbedder:
    """The model's files are found at once; its weights are loaded with the first text."""

    usd_per_million_tokens = 0.0

    def __init__(self, config: schema.SentenceTransformersEmbedder) -> None:
        """Raises ConfigError when the model is not to be had."""
        self._config = config
        self._folder = find_folder(config.model, config.revision)
        self._known = local_model(config.model) or _own_prompts(self._folder)

    @property
    def tokenizer(self) -> ModelTokenizer:
        """The model's own, without truncation."""
        return self._tokenizer

    @property
    def space(self) -> VectorSpace:
        """Named by architecture and weights, so one model has one space, by hub id, by folder or by package."""
        return self._space

    @cached_property
    def _tokenizer(self) -> ModelTokenizer:
        if not (self._folder / "tokenizer.json").exists():
            raise ConfigError(f"{self._folder} has no tokenizer.json; expected a model with a fast tokenizer")
        return ModelTokenizer(self._folder, self._known.document_prefix, _max_tokens(self._folder))

    @cached_property
    def _space(self) -> VectorSpace:
        own = _dimension(self._folder)
        wanted = self._config.dimensions
        if wanted and wanted > own:
            raise ConfigError(f"embedder.dimensions is {wanted}, but {self._config.model!r} makes {own}")
        return VectorSpace(
            provider="sentence-transformers",
            model=str(read_json(self._folder, "config.json").get("architectures", ["unknown"])[0]),
            revision=weights_hash(self._folder),
            dimension=wanted or own,
            max_tokens=_max_tokens(self._folder),
            document_prefix=self._known.document_prefix,
            query_prefix=self._known.query_prefix,
            pooling=_pooling(self._folder),
        )

    @cached_property
    def device(self) -> Device:
        """Where the model runs."""
        return choose_device(self._config.device, self._config.batch_tokens)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Halves the batches when the device runs out of memory, as often as it takes."""
        encodings = self.tokenizer.loaded.encode_batch_fast([self._known.document_prefix + text for text in texts])
        lengths = [len(encoding) for encoding in encodings]
        self._refuse_too_long(lengths)
        waiting = list(by_padded_tokens(lengths, self.device.batch_tokens))[::-1]
        while waiting:
            rows = waiting.pop()
            vectors = self._try(self._forward, [encodings[row] for row in rows])
            if vectors is not None:
                bad = [row for row, is_good in zip(rows, np.any(vectors, axis=1), strict=True) if not is_good]
                waiting += [[row] for row in bad if len(rows) > 1]
                yield _without(bad, rows, vectors)
            elif len(rows) == 1:
                raise ServiceError(
                    f"{self.device.name} has too little memory for one text of {lengths[rows[0]]} tokens;"
                    " lower chunking.max_tokens, or choose a smaller model"
                )
            else:
                half = len(rows) // 2
                waiting += [rows[half:], rows[:half]]

    def embed_query(self, text: str, /) -> Vector:
        """Cut to what the model reads: a long query still finds something."""
        encoding = self.tokenizer.loaded.encode(self._known.query_prefix + text)
        encoding.truncate(self.space.max_tokens)
        vector: Vector = self._forward([encoding])[0]
        return vector

    def close(self) -> None:
        """Drop the weights; the next text loads them again."""
        if "_model" in self.__dict__:
            del self.__dict__["_model"]
            release_memory(self.device)

    @cached_property
    def _model(self) -> "SentenceTransformer":
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no types here
        model = SentenceTransformer(
            str(self._folder),
            device=self.device.name,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": self.device.dtype},
        )
        return model.eval()

    def _try(self, forward: "Callable[[Sequence[Encoding]], Vectors]", part: "Sequence[Encoding]") -> Vectors | None:
        """None when the device ran out of memory."""
        try:
            return forward(part)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        release_memory(self.device)
        return None

    def _forward(self, encodings: "Sequence[Encoding]") -> Vectors:
        """One batch through the model; rows of unit length, or zero where there is no vector; shape (n, dimension)."""
        import torch

        with torch.inference_mode():
            features = {name: array.to(self.device.name) for name, array in _padded(encodings).items()}
            vectors = self._model(features)["sentence_embedding"].float()[:, : self.space.dimension]
            unit: Vectors = torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()
        unit[~np.isfinite(unit).all(axis=1)] = 0.0
        return unit

    def _refuse_too_long(self, lengths: Sequence[int]) -> None:
        limit = self.space.max_tokens
        longest = max(lengths, default=0)
        if longest > limit:
            raise ServiceError(
                f"a text has {longest} tokens and the model reads {limit}; nothing is cut in silence, so the chunker"
                " and the model do not count alike: lower chunking.max_tokens"
            )


def _without(bad: Sequence[int], rows: Sequence[int], vectors: Vectors) -> EmbeddedBatch:
    """The rows that have a vector; a row that has none even when it is alone is rejected."""
    good = [index for index, row in enumerate(rows) if row not in bad]
    why = "the model answers a vector that is zero or not finite"
    rejected = dict.fromkeys(rows, why) if bad and len(rows) == 1 else {}
    return EmbeddedBatch(tuple(rows[index] for index in good), vectors[good], rejected=rejected)


def _padded(encodings: "Sequence[Encoding]") -> dict[str, Any]:
    import torch

    longest = max(len(encoding) for encoding in encodings)
    ids = np.zeros((len(encodings), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding)] = encoding.ids
        types[row, : len(encoding)] = encoding.type_ids
        mask[row, : len(encoding)] = 1
    arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _own_prompts(folder: Path) -> LocalModel:
    """What the model's card says in its own files."""
    prompts = read_json(folder, "config_sentence_transformers.json").get("prompts") or {}
    document = prompts.get("document") or prompts.get("passage") or ""
    return LocalModel(document_prefix=document, query_prefix=prompts.get("query") or "")


def _max_tokens(folder: Path) -> int:
    known = read_json(folder, "sentence_bert_config.json").get("max_seq_length")
    found = known or read_json(folder, "config.json").get("max_position_embeddings")
    if not found:
        raise ConfigError(f"{folder} does not say how many tokens the model reads; expected sentence_bert_config.json")
    return int(found)


def _dimension(folder: Path) -> int:
    for name in ("2_Dense/config.json", "3_Dense/config.json"):
        if size := read_json(folder, name).get("out_features"):
            return int(size)
    shape = read_json(folder, "1_Pooling/config.json")
    size = shape.get("word_embedding_dimension") or shape.get("embedding_dimension")
    size = size or read_json(folder, "config.json").get("hidden_size")
    if not size:
        raise ConfigError(f"{folder} does not say how long its vectors are; expected a sentence-transformers model")
    return int(size)


def _pooling(folder: Path) -> str:
    shape = read_json(folder, "1_Pooling/config.json")
    chosen = sorted(name.removeprefix("pooling_mode_") for name, is_on in shape.items() if is_on is True)
    return str(shape.get("pooling_mode") or ",".join(chosen))
