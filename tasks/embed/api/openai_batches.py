"""OpenAI's Batch API: files of requests that are worked off within a day, at half the price."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from pydantic import BaseModel, JsonValue, ValidationError

from tasks.embed.api.dispatch.outcomes import MalformedError, OutageError
from tasks.embed.api.openai_answer import Body, answer_of
from tasks.embed.api.provider import BatchLine, BatchState, words_of
from tasks.embed.api.sdk import AnsweredError
from tasks.errors import HeadraceError
from tasks.records import EmbeddingKey

if TYPE_CHECKING:
    from openai import OpenAI

ENDPOINT: Final = "/v1/embeddings"
OVER = {"completed", "expired", "cancelled", "failed"}
REFUSED = {400, 413, 422}
FULL = "token_limit_exceeded"  # so many tokens may wait at once, for each account and model
MARK = "headrace"
MOST_LISTED = 1000  # batches that are looked through for a mark; the newest come first


class _Reply(BaseModel):
    status_code: int = 0
    body: Body | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Reply | None = None
    error: JsonValue = None


class OpenAIBatches:
    """One text is one request, named by its embedding key, so a result says by itself what it is for."""

    # Read 2026-11-29, openai 3.54.0, types/batch_create_params.py: 50,000 requests, as many inputs, 200 MB.
    most_texts = 50_000
    most_bytes = 190_000_000

    def __init__(self, client: "Callable[[], OpenAI]", body: Callable[[str], dict[str, object]]) -> None:
        """`client` is opened when it is needed; `body` is the request for one text."""
        self._client = client
        self._body = body

    def line(self, key: EmbeddingKey, text: str, /) -> bytes:
        """One request."""
        request = {"custom_id": key.hex(), "method": "POST", "url": ENDPOINT, "body": self._body(text)}
        return json.dumps(request, ensure_ascii=False).encode() + b"\n"

    def upload(self, file: BinaryIO, /) -> str:
        """The id of the file there."""
        named = ("headrace.jsonl", file)
        return self._client().files.create(file=named, purpose="batch").id

    def create(self, file: str, mark: str, /) -> str:
        """The mark stands in the batch's metadata."""
        create = self._client().batches.create
        return create(input_file_id=file, endpoint=ENDPOINT, completion_window="24h", metadata={MARK: mark}).id

    def find(self, mark: str, /) -> str | None:
        """Looks through the newest of the account."""
        for seen, batch in enumerate(self._client().batches.list(limit=100)):
            if (batch.metadata or {}).get(MARK) == mark:
                return batch.id
            if seen >= MOST_LISTED:
                break
        return None

    def state(self, batch_id: str, /) -> BatchState:
        """A batch that expired or was cancelled may have results as well; one that nobody knows any more has none."""
        from openai import NotFoundError

        try:
            batch = self._client().batches.retrieve(batch_id)
        except NotFoundError:
            return BatchState("not there any more", 0, is_over=True)
        files = tuple(filter(None, (batch.output_file_id, batch.error_file_id)))
        errors = (batch.errors.data if batch.errors else None) or []
        why = "; ".join(filter(None, (error.message or error.code for error in errors)))
        is_full = any(error.code == FULL for error in errors)
        done = batch.request_counts.completed if batch.request_counts else 0
        return BatchState(batch.status, done, batch.status in OVER, files, why, is_full)

    def lines(self, file: str, /) -> Iterator[BatchLine]:
        """Read as they come: a file of all vectors is larger than the memory should be.

        A line that cannot be read costs its own text alone; MalformedError where none can. A deleted file has none.
        """
        from openai import NotFoundError

        is_read = is_damaged = False
        with suppress(NotFoundError), self._client().files.with_streaming_response.content(file) as response:
            for line in filter(str.strip, _whole(response.iter_lines())):
                if result := _result(line):
                    is_read = True
                    yield result
                else:
                    is_damaged = True
        if is_damaged and not is_read:
            raise MalformedError("no line of a batch's results can be read")


def _whole(lines: Iterator[str]) -> Iterator[str]:
    """The SDK lets the errors of its HTTP library through here."""
    try:
        yield from lines
    except HeadraceError:
        raise
    except Exception as error:
        raise OutageError(f"OpenAI's answer broke off ({type(error).__name__})") from None


def _result(line: str) -> BatchLine | None:
    try:
        result = _Line.model_validate_json(line)
        key = EmbeddingKey(bytes.fromhex(result.custom_id))
    except (ValidationError, ValueError):
        return None
    reply = result.response or _Reply()
    if reply.status_code != 200 or reply.body is None:
        said = result.error or (reply.body.error if reply.body else None)
        return BatchLine(key, is_refused=reply.status_code in REFUSED, why=words_of(said) or f"{reply.status_code}")
    try:
        answer = answer_of(reply.body, 1, {})
    except (AnsweredError, MalformedError) as error:
        return BatchLine(key, why=str(error))
    return BatchLine(key, answer.vectors[0], answer.billed_tokens)
