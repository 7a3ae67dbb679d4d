"""Voyage's embeddings protocol on a loopback server."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.provider_server import Asked, Fault, ProviderServer


class VoyageDialect:
    """As Voyage's API reference has it: POST /v1/embeddings."""

    dimension = 1024
    most_inputs = 1000
    most_tokens = 320_000
    is_sided = True
    has_indexes = True
    too_large = Fault(
        400,
        message="Request to model 'voyage-4' failed. The max allowed tokens per submitted batch is 320000. Your batch"
        " has 321138 tokens after truncation. Please lower the number of tokens in the batch.",
    )
    no_money = Fault(402)

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        assert path == "/v1/embeddings"
        assert body["truncation"] is False
        key = headers.get("authorization", "").removeprefix("Bearer ")
        return Asked(key, body["model"], body["input"], body["input_type"], body.get("output_dimension"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        assert (body["encoding_format"], body["output_dtype"]) == ("base64", "float")
        data = [
            {
                "object": "embedding",
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode(),
                "index": place,
            }
            for place, row in rows
        ]
        return {"object": "list", "data": data, "model": body["model"], "usage": {"total_tokens": tokens}}

    def error(self, fault: Fault, /) -> object:
        return {"detail": fault.message or f"fault {fault.status}"}


class VoyageServer(ProviderServer):
    """`url` is what stands in `base_url`."""

    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(VoyageDialect(), key, "/v1")
