"""Google's embeddings API, that of an API key, through its SDK."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from config import embedders
from tasks.embed.api.dispatch.backoff import Clock, duration_seconds
from tasks.embed.api.dispatch.outcomes import Answer
from tasks.embed.api.dispatch.sizes import LONGEST_SECONDS
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.provider import asked, lower_case, unreachable, words_of
from tasks.embed.api.sdk import (
    Connections,
    Refusal,
    certificates,
    count_of,
    decoded,
    key_of,
    meaning,
    reading,
)
from tasks.embed.models import paid_models
from tasks.errors import HeadraceError

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.errors import APIError
    from google.genai.types import EmbedContentResponse

ADDRESS = "https://generativelanguage.googleapis.com"
MONEY = re.compile(r"per ?day|free.?tier is not|billing (account|is not)|credits? (is|are)|spend", re.IGNORECASE)


class GeminiProvider:
    """A document and a query are told apart by the task type, or by a prompt where a model's row has one."""

    family = "gemini"
    name = "Gemini"

    def __init__(self, config: embedders.GeminiEmbedder) -> None:
        """The SDK is loaded with the first request."""
        self._config = config
        self._connections = Connections()
        self.models = paid_models("gemini")

    @property
    def account(self) -> tuple[str, str]:
        """The address and the key; the SDK would also take other ways to prove who is asking."""
        return self._config.base_url or ADDRESS, key_of(self._config, self)

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """One content for each text: of a plain list of texts, newer models make one vector."""
        from google.genai import types

        model, dimension = asked(self._config, self.models, side)
        task = None if self.models.row(model).query_prefix else f"RETRIEVAL_{side.upper()}"
        contents = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        with reading():
            answer = self._client.models.embed_content(
                model=model,
                contents=contents,
                config=types.EmbedContentConfig(task_type=task, output_dimensionality=dimension),
            )
            return _read(answer)

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """The SDK's errors of its other doors, such as functions that a model calls, cannot come."""
        import httpx
        from google.genai.errors import APIError

        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            return unreachable(self.name, error)
        if isinstance(error, APIError):
            return meaning(_refusal(error), self, clock)
        return None

    def close(self) -> None:
        """Close the connections."""
        self.__dict__.pop("_client", None)
        self._connections.close()

    @cached_property
    def _client(self) -> "Client":
        import httpx
        from google import genai
        from google.genai import types

        address, key = self.account
        options = types.HttpOptions(
            base_url=address,
            timeout=int(LONGEST_SECONDS * 1000),
            httpx_client=self._connections.client,
            # Never used; the SDK would make a slow one.
            httpx_async_client=httpx.AsyncClient(verify=certificates(), trust_env=False),
        )
        return genai.Client(api_key=key, vertexai=False, http_options=options)


def _read(answer: "EmbedContentResponse") -> Answer:
    usage, response = answer.usage_metadata, answer.sdk_http_response
    headers = lower_case(response.headers or {}) if response else {}
    tokens = count_of(usage.prompt_token_count) if usage else None
    return Answer([decoded(one.values) for one in answer.embeddings or ()], tokens, headers)


def _refusal(error: "APIError") -> Refusal:
    """An invalid key comes as 400, and a day's limit with the status of a minute's."""
    response = getattr(error, "response", None)
    parts = list(_details(error.details))
    reasons = " ".join(str(part) for part in parts)
    words = f"{error.message} {reasons}"
    delay = next((duration_seconds(str(part["retryDelay"])) for part in parts if "retryDelay" in part), None)
    return Refusal(
        error.code or 500,
        words_of(error.message) or words_of(error.details) or type(error).__name__,
        dict(getattr(response, "headers", None) or {}),
        delay,
        is_about_money=error.code in (400, 429) and bool(MONEY.search(words)),
        is_about_settings=error.code == 400 and ("API_KEY_INVALID" in words or error.status == "FAILED_PRECONDITION"),
    )


def _details(body: object) -> Iterator[Mapping[str, object]]:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    details = error.get("details") if isinstance(error, Mapping) else ()
    yield from (part for part in details if isinstance(part, Mapping)) if isinstance(details, list) else ()
