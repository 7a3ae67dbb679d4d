"""Cohere's embeddings API through its SDK."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from config import embedders
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.provider import asked, lower_case, unreachable, words_of
from tasks.embed.api.sdk import (
    AnsweredError,
    Connections,
    Refusal,
    count_of,
    decoded,
    key_of,
    meaning,
    reading,
    refuse_error,
)
from tasks.embed.models import paid_models
from tasks.errors import HeadraceError

if TYPE_CHECKING:
    from cohere import ClientV2, EmbedByTypeResponse
    from cohere.core.api_error import ApiError

ADDRESS = "https://api.cohere.com"
TYPES: Mapping[str, Literal["base64", "int8", "ubinary"]] = {"float": "base64", "int8": "int8", "binary": "ubinary"}


class CohereProvider:
    """A document and a query are told apart by `input_type`, and nothing is cut off a text."""

    family = "cohere"
    name = "Cohere"

    def __init__(self, config: embedders.CohereEmbedder) -> None:
        """The SDK is loaded with the first request."""
        self._config = config
        self._connections = Connections()
        self.models = paid_models("cohere")

    @property
    def account(self) -> tuple[str, str]:
        """The address and the key."""
        return self._config.base_url or ADDRESS, key_of(self._config, self)

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """Floats come as base64: else the SDK computes for a second, in which no other answer could be read."""
        model, dimension = asked(self._config, self.models, side)
        more: dict[str, Any] = {"output_dimension": dimension} if dimension else {}  # a null is not left out
        dtype = self._config.output_dtype
        with reading():
            answer = self._client.with_raw_response.embed(
                model=model,
                texts=texts,
                input_type="search_query" if side == "query" else "search_document",
                embedding_types=[TYPES[dtype]],
                truncate="NONE",
                **more,
            )
            return _read(answer.data, lower_case(answer.headers), dtype)

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """Every error of the SDK, and of the HTTP library that it lets through."""
        import httpx
        from cohere.core.api_error import ApiError
        from cohere.core.parse_error import ParsingError

        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            return unreachable(self.name, error)
        if isinstance(error, AnsweredError):
            return meaning(Refusal(error.status, str(error)), self, clock)
        if isinstance(error, ParsingError):
            return MalformedError("the answer cannot be read")
        if isinstance(error, ApiError):
            return meaning(_refusal(error), self, clock)
        return None

    def close(self) -> None:
        """Close the connections."""
        self.__dict__.pop("_client", None)
        self._connections.close()

    @cached_property
    def _client(self) -> "ClientV2":
        import cohere

        address, key = self.account
        return cohere.ClientV2(key, base_url=address, max_retries=0, httpx_client=self._connections.client)


def _read(answer: "EmbedByTypeResponse", headers: Mapping[str, str], dtype: str) -> Answer:
    """The SDK does not look at what it hands out, and a server of another make may send floats."""
    embeddings = getattr(answer, "embeddings", None)
    rows = getattr(embeddings, TYPES[dtype], None) or getattr(embeddings, "float_", None)
    if not isinstance(rows, list):
        refuse_error(getattr(answer, "model_extra", None) or {})
        raise MalformedError("there are no vectors in the answer")
    units = getattr(getattr(answer, "meta", None), "billed_units", None)
    tokens = count_of(getattr(units, "input_tokens", None))
    return Answer([decoded(row, dtype) for row in rows], tokens, headers)


def _refusal(error: "ApiError") -> Refusal:
    said, status = words_of(error.body), error.status_code or 500
    return Refusal(  # 498, InvalidToken in the SDK, is no bad key: a text holds a word that Cohere does not take
        status,
        said or type(error).__name__,
        error.headers or {},
        is_about_money=status == 429 and "month" in said.lower(),  # a trial key's calls: they come back in weeks
    )
