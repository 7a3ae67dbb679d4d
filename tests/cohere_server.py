"""Cohere's embeddings protocol on a loopback server."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.embed.api.dispatch.transport import Side
from tests.provider_server import Asked, Fault, ProviderServer
from tests.voyage_server import whole_numbers

SIDES: Mapping[str, Side] = {"search_document": "document", "search_query": "query"}


class CohereDialect:
    """As Cohere's API reference has it: POST /v2/embed."""

    dimension = 2048
    most_inputs = 96
    most_tokens = 192_000
    is_sided = True
    has_indexes = False
    too_large = Fault(400, message="too many tokens: size limit exceeded by 11326 tokens. Try using fewer inputs.")
    no_money = Fault(402)

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked:
        assert path == "/v2/embed"
        assert body["truncate"] == "NONE"
        key = headers.get("authorization", "").removeprefix("Bearer ")
        side = SIDES[body["input_type"]]
        return Asked(key, body["model"], body["texts"], side, body.get("output_dimension"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        types = {
            "float": lambda row: row.tolist(),
            "base64": lambda row: base64.b64encode(row.astype("<f4").tobytes()).decode(),
            "int8": lambda row: whole_numbers(row).tolist(),
            "ubinary": lambda row: np.packbits(row > 0).tolist(),
        }
        embeddings = {name: [types[name](row) for _, row in rows] for name in body["embedding_types"]}
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": float(tokens)}}
        return {"id": "0", "response_type": "embeddings_by_type", "embeddings": embeddings, "meta": meta}

    def error(self, fault: Fault, /) -> object:
        return {"id": "0", "message": fault.message or f"fault {fault.status}"}


class CohereServer(ProviderServer):
    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(CohereDialect(), key)
