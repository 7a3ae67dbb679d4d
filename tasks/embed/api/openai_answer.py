"""What OpenAI's embeddings endpoint answers.

An answer is up to 17 MB of base64 in JSON. Read here in one pass it takes a tenth of the time that the SDK's own models
and Python's base64 need, during which no other answer could be read.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tasks.embed.api.dispatch.outcomes import Answer, MalformedError
from tasks.records import Vector


class _Part(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")


class _Item(_Part):
    index: int
    # Some servers send lists whatever they are asked for.
    embedding: Annotated[bytes | list[float], Field(union_mode="left_to_right")]


class _Usage(_Part):
    total_tokens: int | None = None


class _Body(_Part):
    data: list[_Item] | None = None
    usage: _Usage | None = None
    model: JsonValue = None


def read_answer(content: bytes, count: int, headers: Mapping[str, str]) -> Answer:
    """Vectors in the order of the texts; MalformedError for an answer that does not fit the `count` texts."""
    try:
        body = _Body.model_validate_json(content)
        data = sorted(body.data or (), key=lambda item: item.index)
        vectors = [_vector(item.embedding) for item in data]
    except ValueError as error:  # without its cause: it quotes the answer
        where = f": {_place(error)}" if isinstance(error, ValidationError) else ""
        raise MalformedError(f"the answer cannot be read{where}") from None
    if [item.index for item in data] != list(range(count)):
        raise MalformedError(f"{len(data)} vectors came for {count} texts")
    named = body.model if isinstance(body.model, str) else ""
    return Answer(vectors, body.usage.total_tokens if body.usage else None, headers, named)


def _place(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return " ".join((".".join(map(str, first["loc"])), first["msg"])).strip()


def _vector(embedding: bytes | list[float]) -> Vector:
    if isinstance(embedding, bytes):
        return np.frombuffer(embedding, dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
