"""Perplexity's protocol of chunks in context on a loopback server."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.openai_server import OpenAIDialect
from tests.provider_server import Asked, ProviderServer
from tests.voyage_server import chunk_vectors, whole_numbers


class PerplexityDialect(OpenAIDialect):
    """As its API reference has it: POST /v1/contextualizedembeddings, and whole numbers alone."""

    dimension = 1024
    most_inputs = 512
    most_tokens = 120_000

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        assert path == "/v1/contextualizedembeddings"
        assert body["encoding_format"] == "base64_int8"
        texts = ["\0".join(chunks) for chunks in body["input"]]
        key = headers.get("authorization", "").removeprefix("Bearer ")
        return Asked(key, body["model"], texts, None, body.get("dimensions"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        made = ((place, chunk_vectors(body["input"][place], row, None)) for place, row in rows)
        data = [
            {"object": "list", "index": place, "data": [_chunk(*one) for one in reversed([*enumerate(chunks)])]}
            for place, chunks in made
        ]
        return {"object": "list", "model": body["model"], "data": data, "usage": {"total_tokens": tokens}}


def _chunk(index: int, vector: np.ndarray) -> dict[str, object]:
    return {
        "object": "embedding", "index": index,
        "embedding": base64.b64encode(whole_numbers(np.nan_to_num(vector)).tobytes()).decode(),
    }  # fmt: skip


class PerplexityServer(ProviderServer):
    """`url` is what stands in `base_url`."""

    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(PerplexityDialect(), key, "/v1")
