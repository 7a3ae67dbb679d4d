"""The Gemini API's protocol of embeddings on a loopback server."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.embed.api.dispatch.transport import Side
from tests.provider_server import Asked, Fault, ProviderServer

SIDES: Mapping[str | None, Side] = {"RETRIEVAL_DOCUMENT": "document", "RETRIEVAL_QUERY": "query"}
PROMPTS: Mapping[str, Side] = {"title: none | text: ": "document", "task: search result | query: ": "query"}
NO_KEY = "API key not valid. Please pass a valid API key."
CODES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


class GeminiDialect:
    """As the SDK sends it: POST /v1/models/MODEL:batchEmbedContents, a request in it for each text."""

    dimension = 3072
    most_inputs = 100
    most_tokens = 200_000
    is_sided = True
    has_indexes = False
    too_large = Fault(400, message="* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
    no_money = Fault(429, {"Retry-After": "5"}, code="EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier")

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        named = re.fullmatch(r"/v1(?:beta)?/(models/[^:/]+):batchEmbedContents", path)
        assert named, path
        asked = {self._asked(request) for request in body["requests"]}
        assert len(asked) == 1, "one side, one dimension and one model for all"
        [(model, side, dimension)] = asked
        assert model == named[1]
        texts = [_text(request).removeprefix(_prompt(request)) for request in body["requests"]]
        return Asked(headers.get("x-goog-api-key", ""), model.removeprefix("models/"), texts, side, dimension)

    def _asked(self, request: Mapping[str, Any]) -> tuple[str, Side, int | None]:
        task, prompt = request.get("taskType"), _prompt(request)
        assert bool(task) != bool(prompt), "the newer model ignores the task type"
        side = PROMPTS[prompt] if prompt else SIDES[task]
        return request["model"], side, request.get("outputDimensionality")

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        """Below its own dimension the vectors are not of unit length."""
        embeddings = [{"values": (0.7 * row).tolist()} for _, row in rows]
        return {"embeddings": embeddings, "usageMetadata": {"promptTokenCount": tokens}}

    def error(self, fault: Fault, /) -> object:
        """A key that is wrong comes as a bad request; limits of a minute and of a day have one status."""
        details: list[object] = []
        if fault.code:
            violations = [{"quotaMetric": "embed_content_free_tier_requests", "quotaId": fault.code}]
            details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations})
        code = CODES.get(fault.status, "UNAVAILABLE")
        message = fault.message or f"fault {fault.status}"
        return {"error": {"code": fault.status, "message": message, "status": code, "details": details}}


class GeminiServer(ProviderServer):
    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(GeminiDialect(), key)


def _text(request: Mapping[str, Any]) -> str:
    """A content has one text: several would become one vector."""
    [part] = request["content"]["parts"]
    return str(part["text"])


def _prompt(request: Mapping[str, Any]) -> str:
    return next((prompt for prompt in PROMPTS if _text(request).startswith(prompt)), "")
