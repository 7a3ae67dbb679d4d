"""A local model of sentence-transformers: batched by padded tokens, tokenised on the way, on the fastest runtime."""

from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config import embedders
from tasks.embed.local.batch_size import CPU_TOKENS, GPU_TOKENS, BatchSize
from tasks.embed.local.lanes import Lanes
from tasks.embed.local.runtime.base import padded, unit_rows
from tasks.embed.local.runtime.choice import Chosen, LocalWeights, open_runtime
from tasks.embed.local.runtime.conversion import RECIPE
from tasks.embed.local.runtime.device import choose_devices
from tasks.embed.local.weights import find_folder, read_json, weights_hash
from tasks.embed.models import LocalModel, local_model
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError, ServiceError
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

NO_VECTOR = "the model answers a vector that is zero or not finite"


class SentenceTransformersEmbedder:
    """The model's files are found at once; its weights are loaded with the first text."""

    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    server = other_model = ""

    def __init__(self, config: embedders.SentenceTransformersEmbedder) -> None:
        """Raises ConfigError when the model is not to be had."""
        self._config = config
        self.model = config.model
        self._folder = find_folder(config.model, config.revision)
        self._known = _prompts(config.model, self._folder)

    @property
    def tokenizer(self) -> ModelTokenizer:
        """The model's own, without truncation."""
        return self._tokenizer

    @property
    def space(self) -> VectorSpace:
        """The space, named by architecture and weights: one model has one space, by hub id, by folder or by package."""
        return self._space

    @property
    def query_prefix(self) -> str:
        """What the registry or the model's own files say."""
        return self._known.query_prompt("")

    @property
    def runtime(self) -> str:
        """Library, precision and device, and why not a faster one; empty before the first text."""
        if "_chosen" not in self.__dict__:
            return ""
        return "; not ".join([self._chosen.runtime.name, *self._chosen.passed_over])

    @cached_property
    def _tokenizer(self) -> ModelTokenizer:
        if not (self._folder / "tokenizer.json").exists():
            raise ConfigError(f"{self._folder} has no tokenizer.json; expected a model with a fast tokenizer")
        return ModelTokenizer(self._folder, self._known.document_prefix, _max_tokens(self._folder))

    @cached_property
    def _hash(self) -> str:
        return weights_hash(self._folder)

    @cached_property
    def _space(self) -> VectorSpace:
        own = _dimension(self._folder)
        wanted = self._config.dimensions
        if wanted and wanted > own:
            raise ConfigError(f"embedder.dimensions is {wanted}, but {self._config.model!r} makes {own}")
        return VectorSpace(
            provider="sentence-transformers",
            model=str(read_json(self._folder, "config.json").get("architectures", ["unknown"])[0]),
            revision=self._hash + (f"/{RECIPE}" if self._config.precision == "int8" else ""),
            dimension=wanted or own,
            max_tokens=_max_tokens(self._folder),
            document_prefix=self._known.document_prefix,
            frozen_query_prefix=self._known.frozen_query_prefix or "",
            pooling=_pooling(self._folder),
        )

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Where the model runs."""
        return choose_devices(self._config.device)

    @cached_property
    def _chosen(self) -> Chosen:
        weights = LocalWeights(self._folder, self._hash, self.tokenizer, self._padding)
        return open_runtime(weights, self._config, self.devices)

    @cached_property
    def _lanes(self) -> Lanes:
        """The lanes, kept from window to window: what was learnt about the size of a batch holds."""
        is_cpu, wanted = self.devices == ("cpu",), self._config.batch_tokens
        size = BatchSize(wanted or (CPU_TOKENS if is_cpu else GPU_TOKENS), grows=not wanted and not is_cpu)
        return Lanes(self._chosen.runtime.lanes, size)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Halves the batches when the device runs out of memory, as often as it takes."""
        if not texts:
            return
        batches = self._lanes.run(tokens, lambda rows: self._vectors([texts[row] for row in rows]), _are_vectors)
        try:
            for rows, vectors, bad in batches:
                yield EmbeddedBatch(tuple(rows), vectors, rejected=dict.fromkeys(bad, NO_VECTOR))
        except MemoryError as error:
            raise ServiceError(
                f"{', '.join(self.devices)} has too little memory for one text of up to {max(tokens)} tokens;"
                " lower chunking.max_tokens, or choose a smaller model"
            ) from error
        finally:
            batches.close()

    def embed_query(self, text: str, /) -> Vector:
        """The query's vector, cut to what the model reads: a long query still finds something."""
        encoding = self.tokenizer.loaded.encode(self.query_prefix + text)
        encoding.truncate(self.space.max_tokens)
        vectors = self._chosen.runtime.forward(padded([encoding], self._padding))
        vector: Vector = unit_rows(vectors, self.space.dimension)[0]
        return vector

    def check(self) -> None:
        """The files were found when it was opened; a device that is named may be missing."""
        if self._config.device not in ("auto", "cpu"):
            _ = self.devices

    def close(self) -> None:
        """Drop the weights; the next text loads them again."""
        if "_chosen" in self.__dict__:
            self._chosen.runtime.close()
            del self.__dict__["_chosen"]
            self.__dict__.pop("_lanes", None)

    @cached_property
    def _padding(self) -> int:
        """The id of the model's padding token; 0 where its tokenizer has none."""
        named = read_json(self._folder, "tokenizer_config.json").get("pad_token")
        token = named.get("content") if isinstance(named, dict) else named
        return self.tokenizer.loaded.token_to_id(token) or 0 if token else 0

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """One batch; rows of unit length, or zero where there is no vector; shape (n, dimension)."""
        encodings = self.tokenizer.loaded.encode_batch_fast([self._known.document_prefix + text for text in texts])
        self._refuse_too_long(max(len(encoding) for encoding in encodings))
        return unit_rows(self._chosen.runtime.forward(padded(encodings, self._padding)), self.space.dimension)

    def _refuse_too_long(self, longest: int) -> None:
        limit = self.space.max_tokens
        if longest > limit:
            raise ServiceError(
                f"a text has {longest} tokens and the model reads {limit}; nothing is cut in silence, so the chunker"
                " and the model do not count alike: lower chunking.max_tokens"
            )


def _are_vectors(vectors: Vectors) -> NDArray[np.bool_]:
    """Zero stands for a vector that is none."""
    good: NDArray[np.bool_] = np.any(vectors, axis=1)
    return good


def _prompts(model: str, folder: Path) -> LocalModel:
    """The model's row, and what it leaves open from the model's own files."""
    prompts = read_json(folder, "config_sentence_transformers.json").get("prompts") or {}
    query = prompts.get("query") or ""
    own = {
        "document_prefix": prompts.get("document") or prompts.get("passage") or "",
        "query_prefix": query,
        "frozen_query_prefix": query,
    }
    known = local_model(model) or LocalModel()
    return known.model_copy(update={name: said for name, said in own.items() if not getattr(known, name)})


def _max_tokens(folder: Path) -> int:
    known = read_json(folder, "sentence_bert_config.json").get("max_seq_length")
    limit = known or read_json(folder, "config.json").get("max_position_embeddings")
    if not limit:
        raise ConfigError(f"{folder} does not say how many tokens the model reads; expected sentence_bert_config.json")
    return int(limit)


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
