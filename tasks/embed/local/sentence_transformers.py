"""A local model of sentence-transformers: batched by padded tokens, tokenised on the way, on the fastest runtime."""

from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path
from socket import gethostname
from threading import Semaphore

import numpy as np
from numpy.typing import NDArray

from config import embedders
from tasks.embed.local.batch_size import CPU_TOKENS, GPU_TOKENS, BatchSize
from tasks.embed.local.lanes import Lanes
from tasks.embed.local.late import LateEmbedder
from tasks.embed.local.runtime.base import NO_VECTOR, Features, Spans, padded, unit_rows
from tasks.embed.local.runtime.choice import Chosen, LocalWeights, open_runtime
from tasks.embed.local.runtime.conversion import RECIPE
from tasks.embed.local.runtime.device import choose_devices
from tasks.embed.local.runtime.processes import ElsewhereRuntime
from tasks.embed.local.runtime.torch_runtime import TorchRuntime
from tasks.embed.local.shape import REMOTE_CODE, read_shape
from tasks.embed.local.weights import find_folder, read_json, weights_hash, with_tokenizer
from tasks.embed.models import local_model, own_model
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.errors import ConfigError, ServiceError
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace
from tasks.slices import slices
from tasks.system.worker import StartWorkers

QUERIES = 32  # in a batch


class SentenceTransformersEmbedder:
    """The model's files are found at once; its weights are loaded with the first text."""

    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    server = other_model = ""

    def __init__(self, config: embedders.SentenceTransformersEmbedder, start: StartWorkers | None = None) -> None:
        """Raises ConfigError when the model is not to be had; `start` starts workers for texts of documents."""
        self._config = config
        self._start = start
        self.model = config.model
        known = local_model(config.model)
        if known and known.remote_code and not Path(config.model).is_dir():  # it is not loaded from the hub in vain
            raise ConfigError(f"the model {config.model!r} {REMOTE_CODE}")
        self._folder = find_folder(config.model, config.revision)
        self._shape = read_shape(self._folder)
        self._known = own_model(config, self._shape.prompts)

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
        """What the configuration, the registry or the model's own files say."""
        return self._known.query_prompt(self._config.task)

    @property
    def assumed(self) -> str:
        """What of the model no registry knew, so that its own files decided; empty where it has a row."""
        if local_model(self.model):
            return self._shape.assumed
        shape, document = self._shape, self._known.document_prefix
        told = (
            f"{self.model} is not in the registry, so its own files speak: {shape.pooling or 'no'} pooling,"
            f" {shape.max_tokens} tokens, prompts {document!r} for documents and {self.query_prefix!r} for queries"
        )
        return "; ".join(filter(None, [told, shape.assumed]))

    @property
    def runtime(self) -> str:
        """Library, precision and device, and why not a faster one; empty before the first text."""
        if "_torch" in self.__dict__:
            return f"{self._torch.name}, whole documents at once"
        if "_chosen" not in self.__dict__:
            return ""
        return "; not ".join([self._chosen.runtime.name, *self._chosen.passed_over])

    @cached_property
    def _tokenizer(self) -> ModelTokenizer:
        folder = with_tokenizer(self._shape.folders[0])
        prefix, limit = self._known.document_prefix, self._shape.max_tokens
        return ModelTokenizer(folder, prefix, limit, is_bare=self._shape.is_static)

    @cached_property
    def _hash(self) -> str:
        return weights_hash(self._shape.folders)

    @property
    def files(self) -> str:
        """A name for all that is in the folder."""
        return f"{self._hash}-{self._shape.digest}"

    @cached_property
    def _space(self) -> VectorSpace:
        dimension, own = self._config.dimensions or self._shape.dimension, self._shape.dimension
        _check_dimension(self._config, dimension, {own, *self._known.sizes, *self._shape.sizes})
        is_centred = self._known.layer_norm and dimension < own
        return VectorSpace(
            provider="sentence-transformers",
            model=self._shape.architecture,
            revision=self._hash + (f"/{RECIPE}" if self._config.precision == "int8" else ""),
            dimension=dimension,
            max_tokens=self._shape.max_tokens,
            document_prefix=self._known.document_prefix,
            frozen_query_prefix=self._known.frozen_query_prefix or "",
            pooling=self._shape.pooling + ("+layer norm" if is_centred else ""),
        )

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Where the model runs."""
        return self._elsewhere.devices if self._start else choose_devices(self._config.device)

    @cached_property
    def _elsewhere(self) -> ElsewhereRuntime:
        assert self._start
        return ElsewhereRuntime(self._start, NodeRuntime, self._config, self.files)

    @cached_property
    def _chosen(self) -> Chosen:
        if self._start:
            return Chosen(self._elsewhere, ())
        return self.choose_runtime()

    def choose_runtime(self) -> Chosen:
        """The fastest one that is the model's, on this machine."""
        weights = LocalWeights(self._folder, self.files, self.tokenizer, self._padding, self._shape.is_static)
        return open_runtime(weights, self._config, self.devices)

    @cached_property
    def _lanes(self) -> Lanes:
        """The lanes, kept from window to window: what was learnt about the size of a batch holds."""
        return Lanes(self._chosen.runtime.lanes, self._size)

    @property
    def _size(self) -> BatchSize:
        is_cpu, wanted = self.devices == ("cpu",), self._config.batch_tokens
        return BatchSize(wanted or (CPU_TOKENS if is_cpu else GPU_TOKENS), grows=not wanted and not is_cpu)

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
        return self.embed_queries([text])[0]

    def embed_queries(self, texts: Sequence[str], /) -> list[Vector]:
        """Those of similar length together."""
        encodings, vectors = [self.tokenizer.cut(self.query_prefix + text) for text in texts], dict[int, Vector]()
        for rows in slices(sorted(range(len(texts)), key=lambda row: len(encodings[row])), QUERIES):
            features = padded([encodings[row] for row in rows], self._padding)
            vectors |= zip(rows, self._unit_rows(self._chosen.runtime.forward(features)), strict=True)
        if lost := [texts[row] for row, vector in vectors.items() if not vector.any()]:
            raise ServiceError(f"the query {lost[0][:80]!r} finds nothing: {NO_VECTOR}; ask in other words")
        return [vectors[row] for row in range(len(texts))]

    @cached_property
    def _late(self) -> LateEmbedder:
        """Raises ConfigError where the model cannot do it."""
        settings = f"runtime {self._config.runtime} and precision {self._config.precision}"
        why = ""
        if not self._shape.is_mean:
            why = f"its pooling is {self._shape.pooling or 'not named'}, expected the mean over all tokens"
        elif self._config.runtime == "openvino" or self._config.precision in ("int8", "bfloat16"):
            why = f"with {settings}, expected torch in float32: set both to auto"
        if why:
            raise ConfigError(f"chunking.late, but {self.model!r} cannot embed chunks inside their document: {why}")
        return LateEmbedder(self.tokenizer, self._padding, self._forward_spans, self._unit_rows, Lanes(1, self._size))

    @property
    def late(self) -> LateEmbedder:
        """Where the model takes the mean over its tokens, so that a part of them has a mean of its own."""
        return self._late

    @cached_property
    def _torch(self) -> TorchRuntime:
        """The other runtimes keep the tokens' own vectors to themselves."""
        return TorchRuntime(self._folder, self.devices[0], "float32")

    def _forward_spans(self, features: Features, spans: Spans) -> Vectors:
        return self._torch.forward(features, spans)

    def check(self) -> None:
        """The files were found when it was opened; a device that is named may be missing."""
        if self._config.device not in ("auto", "cpu"):
            _ = self.devices

    def close(self) -> None:
        """Drop the weights; the next text loads them again."""
        if "_chosen" in self.__dict__:
            self._chosen.runtime.close()
            del self.__dict__["_chosen"]
            self.__dict__.pop("_elsewhere", None)
            self.__dict__.pop("_lanes", None)
        if "_torch" in self.__dict__:
            self._torch.close()
            del self.__dict__["_torch"]

    @cached_property
    def _padding(self) -> int:
        """The id of the model's padding token; 0 where its tokenizer has none."""
        first = self._shape.modules[0]
        named = read_json(first.folder, "tokenizer_config.json").get("pad_token")
        token = named.get("content") if isinstance(named, dict) else named
        known = self.tokenizer.loaded.token_to_id(token) if token else first.config.get("pad_token_id")
        return int(known or 0)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """One batch; rows of unit length, or zero where there is no vector; shape (n, dimension)."""
        encodings = self.tokenizer.loaded.encode_batch_fast([self._known.document_prefix + text for text in texts])
        longest, limit = max(len(encoding) for encoding in encodings), self.space.max_tokens
        if longest > limit:
            raise ServiceError(
                f"a text has {longest} tokens and the model reads {limit}; nothing is cut in silence, so the chunker"
                " and the model do not count alike: lower chunking.max_tokens"
            )
        return self._unit_rows(self._chosen.runtime.forward(padded(encodings, self._padding)))

    def _unit_rows(self, vectors: Vectors) -> Vectors:
        return unit_rows(vectors, self.space.dimension, layer_norm=self._known.layer_norm)


class NodeRuntime:
    """The runtime that a worker chooses for its own device, from its own copy of the model's files."""

    def __init__(self, config: embedders.SentenceTransformersEmbedder, name: str) -> None:
        """ConfigError where the files are not those that the run began with, which are in `name`."""
        embedder = SentenceTransformersEmbedder(config)
        if embedder.files != name:
            raise ConfigError(
                f"the node {gethostname()} has other files of {config.model!r} than the machine that runs Headrace;"
                " expected the same everywhere: copy them, or set `revision`"
            )
        self._runtime = embedder.choose_runtime().runtime
        self._devices = embedder.devices
        self._free = Semaphore(self._runtime.lanes)

    def described(self) -> tuple[str, tuple[str, ...], int]:
        """Library, precision and device for a person; the devices; and how many batches are computed at once."""
        return self._runtime.name, self._devices, self._runtime.lanes

    def forward(self, features: Features, /) -> Vectors:
        """One batch; called by more threads than there are lanes, some wait."""
        with self._free:
            return self._runtime.forward(features)


def _check_dimension(config: embedders.SentenceTransformersEmbedder, wanted: int, sizes: set[int]) -> None:
    """Raise ConfigError for a length that the model was not trained for: the first numbers of others mean little."""
    if wanted > max(sizes):
        raise ConfigError(f"embedder.dimensions is {wanted}, but {config.model!r} makes {max(sizes)}")
    if wanted not in sizes and not config.force_dimensions:
        raise ConfigError(
            f"embedder.dimensions is {wanted}, but {config.model!r} is known to be trained for"
            f" {', '.join(map(str, sorted(sizes)))} only; choose one of these, leave `dimensions` out, or shorten it"
            " all the same with force_dimensions: true"
        )


def _are_vectors(vectors: Vectors) -> NDArray[np.bool_]:
    """Zero stands for a vector that is none."""
    good: NDArray[np.bool_] = np.any(vectors, axis=1)
    return good
