"""OpenAI's embeddings protocol on a loopback server."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.provider_server import Asked, Fault, ProviderServer

DIMENSION = 1536


class OpenAIDialect:
    """As OpenAI's API reference has it: POST /v1/embeddings."""

    dimension = DIMENSION
    most_inputs = 2048
    most_tokens = 300_000
    is_sided = False
    has_indexes = True
    too_large = Fault(400, code="max_tokens_per_request")
    no_money = Fault(429, {"Retry-After": "5"}, code="insufficient_quota")
    names: Mapping[str, object] = {}  # in whose name it answers for a model, where not in its own

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        assert path == "/v1/embeddings"
        key = headers.get("authorization", "").removeprefix("Bearer ")
        return Asked(key, body["model"], body["input"], None, body.get("dimensions"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        data = [{"object": "embedding", "index": i, "embedding": _encoded(row, body)} for i, row in rows]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": self.names.get(body["model"], body["model"]), "data": data, "usage": usage}

    def error(self, fault: Fault, /) -> object:
        message = fault.message or f"fault {fault.status}"
        return {"error": {"message": message, "code": fault.code, "type": "fault"}}


class OpenAIServer(ProviderServer):
    """`url` is what stands in `base_url`."""

    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(OpenAIDialect(), key, "/v1")


def _encoded(row: np.ndarray, body: Mapping[str, Any]) -> str | list[float]:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return row.tolist()
