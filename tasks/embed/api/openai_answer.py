"""What OpenAI's embeddings endpoint answers.

An answer is up to 17 MB of base64 in JSON. Read here in one pass it takes a tenth of the time that the SDK's own models
and Python's base64 need, during which no other answer could be read.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from tasks.embed.api.dispatch.outcomes import Answer, MalformedError
from tasks.embed.api.sdk import count_of, decoded, refuse_error


class _Part(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")


class _Item(_Part):
    index: int
    # Some servers send lists whatever they are asked for.
    embedding: Annotated[bytes | list[float], Field(union_mode="left_to_right")]


class Body(_Part):
    """The body of an answer, as far as it is read."""

    data: list[_Item] | None = None
    usage: JsonValue = None
    model: JsonValue = None
    error: JsonValue = None
    detail: JsonValue = None


def read_answer(content: bytes, count: int, headers: Mapping[str, str], dtype: str = "float") -> Answer:
    """Vectors in the order of the texts; MalformedError for an answer that does not fit the `count` texts.

    AnsweredError where there is an error in their place. `dtype` is that of `decoded`.
    """
    try:
        body = Body.model_validate_json(content)
    except ValueError as error:  # without its cause: it quotes the answer
        where = _kind(content) or (_place(error) if isinstance(error, ValidationError) else "")
        raise MalformedError(f"the answer cannot be read{where and f': {where}'}") from None
    return answer_of(body, count, headers, dtype)


def answer_of(body: Body, count: int, headers: Mapping[str, str], dtype: str = "float") -> Answer:
    """The same, of a body that was read."""
    data = sorted(body.data or (), key=lambda item: item.index)
    vectors = [decoded(item.embedding, dtype) for item in data]
    if not data:
        refuse_error({"error": body.error, "detail": body.detail})
    if [item.index for item in data] != list(range(count)):
        places = "" if len(data) != count else ", and their indexes are not those of the texts"
        raise MalformedError(f"{len(data)} vectors came for {count} texts{places}")
    named = body.model if isinstance(body.model, str) else ""
    told = body.usage.get("total_tokens") if isinstance(body.usage, dict) else None
    return Answer(vectors, count_of(told), headers, named)


def _kind(content: bytes) -> str:
    """What comes in place of JSON as a rule: a proxy's page, or a log-in."""
    return {b"": "it is empty", b"<": "it is a web page"}.get(content.lstrip()[:1], "")


def _place(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"][:3]))
    if place.endswith(".embedding"):
        return f"{place} is neither base64 nor a list of numbers"
    return f"{place} {first['msg']}".strip()
