"""Voyage's embeddings protocol on a loopback server."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.embed.api.dispatch.transport import Side
from tests.provider_server import Asked, Fault, ProviderServer, vector_of


class VoyageDialect:
    """As Voyage's API reference has it: POST /v1/embeddings, and /v1/contextualizedembeddings for models so named."""

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
        is_contextual = "context" in body["model"]
        assert path == ("/v1/contextualizedembeddings" if is_contextual else "/v1/embeddings")
        assert body.get("truncation") is (None if is_contextual else False)
        texts = ["\0".join(chunks) for chunks in body["inputs"]] if is_contextual else body["input"]
        key = headers.get("authorization", "").removeprefix("Bearer ")
        return Asked(key, body["model"], texts, body["input_type"], body.get("output_dimension"))

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        assert body["encoding_format"] == "base64"
        if documents := body.get("inputs"):
            made = ((place, chunk_vectors(documents[place], row, body["input_type"])) for place, row in rows)
            data = [
                {"object": "list", "data": _data([*enumerate(chunks)][::-1], body), "index": place}
                for place, chunks in made
            ]
        else:
            data = _data(rows, body)
        return {"object": "list", "data": data, "model": body["model"], "usage": {"total_tokens": tokens}}

    def error(self, fault: Fault, /) -> object:
        return {"detail": fault.message or f"fault {fault.status}"}


class ContextDialect(VoyageDialect):
    """The same for models of chunks in context, which take fewer tokens."""

    most_tokens = 32_000


def chunk_vectors(chunks: Sequence[str], whole: np.ndarray, side: Side | None) -> list[np.ndarray]:
    """Each chunk's own, moved towards that of the whole document; where that is none, the last one is none either."""
    if len(chunks) == 1:
        return [whole]
    vectors = [vector_of(chunk, len(whole), side) + 0.5 * whole for chunk in chunks]
    if not np.isfinite(whole).all() or not whole.any():
        return [*(vector_of(chunk, len(whole), side) for chunk in chunks[:-1]), whole]
    return [vector / np.linalg.norm(vector) for vector in vectors]


def whole_numbers(vector: np.ndarray) -> np.ndarray:
    """Of a byte each, and of no length in particular."""
    largest = np.abs(vector).max()
    return np.round(127 * vector / largest).astype(np.int8) if largest else np.zeros(len(vector), np.int8)


TYPES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "float": lambda row: row.astype("<f4"),
    "int8": whole_numbers,
    "ubinary": lambda row: np.packbits(row > 0),
}


def _data(rows: Sequence[tuple[int, np.ndarray]], body: Mapping[str, Any]) -> list[dict[str, Any]]:
    made = ((place, TYPES[body["output_dtype"]](row).tobytes()) for place, row in rows)
    return [
        {"object": "embedding", "embedding": base64.b64encode(packed).decode(), "index": place}
        for place, packed in made
    ]


class VoyageServer(ProviderServer):
    """`url` is what stands in `base_url`."""

    speaks: type[VoyageDialect] = VoyageDialect

    def __init__(self, key: str = "sk-test") -> None:
        super().__init__(self.speaks(), key, "/v1")


class ContextServer(VoyageServer):
    """Where chunks in context are asked for."""

    speaks = ContextDialect
