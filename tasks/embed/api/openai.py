"""OpenAI's embeddings API, or a server that speaks its protocol, through the provider's SDK."""

import json
from functools import cached_property
from typing import TYPE_CHECKING

from config import embedders
from config.fields import public_url
from tasks.embed.api.contextual import chunks_of, read_rows
from tasks.embed.api.dispatch.backoff import Clock, asked_delay
from tasks.embed.api.dispatch.outcomes import (
    Answer,
    MalformedError,
    OutageError,
    RateLimitedError,
    RefusedError,
    TooLargeError,
)
from tasks.embed.api.dispatch.sizes import LONGEST_SECONDS
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.guard import guard
from tasks.embed.api.openai_answer import read_answer
from tasks.embed.api.openai_batches import OpenAIBatches
from tasks.embed.api.provider import (
    CONNECT_SECONDS,
    LATE,
    asked,
    lower_case,
    scrubbed,
    too_large,
    unreachable,
    words_of,
)
from tasks.embed.api.sdk import AnsweredError, reading
from tasks.embed.api.served import with_served
from tasks.embed.models import paid_models
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.system.proxies import through_proxies

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

DTYPES = {"base64_int8": "int8", "base64_binary": "binary"}  # Perplexity's formats
BILLING_CODES = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}


class OpenAIProvider:
    """OpenAI's own models know no query side; those that others serve have their prompts from the registry."""

    family = "openai"
    name = "OpenAI"

    def __init__(self, config: embedders.OpenAIEmbedder) -> None:
        """The SDK is loaded with the first request."""
        self._config = config
        self.models = with_served(paid_models("openai"), config)
        self._format = "base64"

    @property
    def account(self) -> tuple[str, str]:
        """The address as the SDK writes it, which stands in the account's number, and the key, where it finds it."""
        return str(self._client.base_url), self._client.api_key

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """One POST, its answer read in one pass; a document of chunks in context goes to an endpoint of its own."""
        import openai

        # Not `embeddings.create`: it walks through every text before sending, and through every vector after.
        body = self._body(texts, side)
        is_contextual = self.models.row(str(body["model"])).contextual
        path = "/contextualizedembeddings" if is_contextual else "/embeddings"
        try:
            answer = self._client.post(path, body=body, cast_to=openai.HttpxBinaryResponseContent)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if body["encoding_format"] != "base64" or "encoding_format" not in str(error.body):
                raise
            self._format = body["encoding_format"] = "float"  # some servers write vectors as numbers alone
            answer = self._client.post(path, body=body, cast_to=openai.HttpxBinaryResponseContent)
        dtype = DTYPES.get(str(body["encoding_format"]), "float")
        try:
            if is_contextual:
                with reading():
                    return read_rows(json.loads(answer.content), texts, dtype, is_contextual=True)
            return read_answer(answer.content, len(texts), lower_case(answer.response.headers), dtype)
        except AnsweredError as error:
            answer.response.status_code = error.status
            raise openai.APIStatusError(str(error), response=answer.response, body=error.body) from None

    @property
    def batch_api(self) -> OpenAIBatches | None:
        """OpenAI's Batch API, where documents may wait."""
        if self._config.delivery == "now":
            return None
        return OpenAIBatches(lambda: self._client, lambda text: self._body([text], "document"))

    def _body(self, texts: list[str], side: Side) -> dict[str, object]:
        model, dimensions = asked(self._config, self.models, side)
        more = {**(self._config.extra_body or {}), **(self._config.query_extra_body or {} if side == "query" else {})}
        body: dict[str, object] = {"encoding_format": self._format, **more, "model": model, "input": texts}
        if self.models.row(model).contextual:
            body |= {"encoding_format": "base64_int8", "input": [chunks_of(text) for text in texts]}
        if dimensions:
            body["dimensions"] = dimensions
        return body

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """Every error of the SDK has a meaning here."""
        import openai

        if isinstance(error, openai.APIConnectionError):
            return unreachable(self.name, error)
        if isinstance(error, openai.APIStatusError):
            words = words_of(error.body) or type(error).__name__
            text = f"OpenAI answered {error.status_code}: {scrubbed(words, self._client.api_key)}"
            return _too_large(error, text, words) or _meaning(error, clock, text)
        if isinstance(error, openai.OpenAIError):
            return MalformedError(f"the answer cannot be read ({type(error).__name__})")
        return None

    def close(self) -> None:
        """Close the SDK's client."""
        if "_client" in self.__dict__:
            self.__dict__.pop("_client").close()

    @cached_property
    def _client(self) -> "OpenAI":
        import openai

        key = self._config.api_key.get_secret_value() if self._config.api_key else None
        with through_proxies():
            client = openai.DefaultHttpxClient()
        guard(client)
        try:
            return openai.OpenAI(
                api_key=key,
                base_url=self._config.base_url,
                max_retries=0,
                timeout=openai.Timeout(LONGEST_SECONDS, connect=CONNECT_SECONDS),
                http_client=client,
            )
        except openai.OpenAIError as error:
            client.close()
            raise ConfigError(
                "no key for OpenAI: embedder.api_key is not set, nor the environment variable OPENAI_API_KEY;"
                " export OPENAI_API_KEY=… or write api_key: '${OPENAI_API_KEY}'"
            ) from error


def _meaning(error: "APIStatusError", clock: Clock, text: str) -> HeadraceError:
    status, headers = error.status_code, lower_case(error.response.headers)
    if error.code in BILLING_CODES:
        return ServiceError(f"{text}; nothing more is embedded until the account may spend again")
    if status in (401, 403, 404, 405, 501) or 300 <= status < 400:
        asked = f" (asked at {public_url(str(error.response.url))})" if status in (404, 405) else ""
        settings = "OPENAI_API_KEY or embedder.api_key, embedder.model and embedder.base_url"
        return ConfigError(f"{text}{asked}; check {settings}")
    if status == 429:
        return RateLimitedError(text, asked_delay(headers, clock), headers)
    if status in (408, 409) or status >= 500:
        text, wish = f"{text}; the server is not well, run again later", asked_delay(headers, clock)
        return OutageError(text, wish, may_be_billed=status in LATE)
    return RefusedError(text)


def _too_large(error: "APIStatusError", text: str, words: str) -> TooLargeError | None:
    """By words, and where they say nothing by code and status."""
    by_code = error.status_code == 413 or error.code == "max_tokens_per_request"
    is_meant = error.status_code in (400, 422) or (error.status_code == 429 and "too large" in words.lower())
    by_words = too_large(text, words)
    if by_words and (by_code or is_meant or (error.status_code == 500 and by_words.is_one_text)):  # llama.cpp's
        return by_words
    return TooLargeError(text) if by_code else None
