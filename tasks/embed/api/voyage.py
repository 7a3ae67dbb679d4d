"""Voyage's embeddings API through its SDK."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from config import embedders
from tasks.embed.api.contextual import chunks_of, read_rows
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.provider import asked, unreachable, words_of
from tasks.embed.api.sdk import AnsweredError, Connections, Refusal, key_of, meaning, reading
from tasks.embed.models import paid_models
from tasks.errors import HeadraceError

if TYPE_CHECKING:
    import httpx
    from requests import PreparedRequest, Response, Session
    from voyageai.error import VoyageError

ADDRESS, MONGODB_ADDRESS = "https://api.voyageai.com/v1", "https://ai.mongodb.com/v1"
MONGODB_KEY = "al-"  # by how it begins, the SDK knows whose server a key is for
_http: "ContextVar[httpx.Client]" = ContextVar("_http")  # of the call that is made; the SDK has one door for all


class VoyageProvider:
    """A document and a query are told apart by `input_type`, and nothing is cut off a text."""

    family = "voyage"
    name = "Voyage"

    def __init__(self, config: embedders.VoyageEmbedder) -> None:
        """The SDK is loaded with the first request."""
        self._config = config
        self._connections = Connections()
        self.models = paid_models("voyage")

    @property
    def account(self) -> tuple[str, str]:
        """The address and the key."""
        key = key_of(self._config, self)
        address = MONGODB_ADDRESS if key.startswith(MONGODB_KEY) else ADDRESS
        return (self._config.base_url or address).rstrip("/"), key

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """Not through the SDK's client: that one drops the places of the vectors, and makes lists of them first."""
        import voyageai
        from voyageai.api_resources import ContextualizedEmbedding, Embedding

        voyageai.requestssession = _session
        model, dimension = asked(self._config, self.models, side)
        is_contextual = self.models.row(model).contextual
        create: Callable[..., object] = ContextualizedEmbedding.create if is_contextual else Embedding.create
        inputs = {"inputs": [chunks_of(text) for text in texts]} if is_contextual else {"input": texts}
        address, key = self.account
        dtype = self._config.output_dtype
        used = _http.set(self._connections.client)
        try:
            with reading():
                answer = create(
                    api_key=key,
                    base_url=address,
                    **inputs,
                    model=model,
                    input_type=side,
                    **({} if is_contextual else {"truncation": False}),  # the other endpoint does not know it
                    output_dtype={"binary": "ubinary"}.get(dtype, dtype),
                    encoding_format="base64",
                    **({"output_dimension": dimension} if dimension else {}),
                )
                return read_rows(answer, texts, dtype, is_contextual=is_contextual)
        finally:
            _http.reset(used)

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """Every error of the SDK, and of the HTTP library under it."""
        import httpx
        from voyageai.error import APIConnectionError, Timeout, VoyageError

        if isinstance(error, httpx.HTTPError | httpx.InvalidURL | APIConnectionError | Timeout):
            return unreachable(self.name, error)
        if isinstance(error, AnsweredError):
            return meaning(Refusal(error.status, str(error)), self, clock)
        if isinstance(error, VoyageError):
            return meaning(_refusal(error), self, clock)
        return None

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


def _session() -> "Session":
    """What the SDK sends through: not `requests`, whose answers have no bound in time and size."""
    from requests import Session
    from requests.adapters import BaseAdapter

    class Adapter(BaseAdapter):
        def send(self, request: "PreparedRequest", *_: object, **__: object) -> "Response":
            return _sent(request)

        def close(self) -> None:
            """The connections are the provider's."""

    session = Session()
    session.headers.clear()
    session.trust_env = False  # or it would put another key into the request, where a file of the machine has one
    for scheme in ("https://", "http://"):
        session.mount(scheme, Adapter())
    return session


def _sent(request: "PreparedRequest") -> "Response":
    from requests import Response
    from voyageai.error import APIError

    body = request.body
    found = _http.get().request(
        str(request.method), str(request.url), headers=request.headers, content=body if isinstance(body, bytes) else b""
    )
    content = found.content.decode(errors="replace")
    if not 200 <= found.status_code < 300 or "\N{REPLACEMENT CHARACTER}" in content:
        # The SDK would drop the words, fail to read them, or take them for an answer.
        make: type[Exception] = APIError
        raise make("", content, found.status_code, None, found.headers)
    answer = Response()
    answer.status_code, answer._content = found.status_code, found.content
    answer.headers.update(found.headers)
    return answer


def _refusal(error: "VoyageError") -> Refusal:
    said = words_of(error.json_body) or _words(error.http_body)
    return Refusal(error.http_status or 500, said or type(error).__name__, error.headers)


def _words(content: object) -> str:
    """Those of an answer that the SDK has not read."""
    try:
        return words_of(json.loads(str(content)))
    except ValueError:
        return words_of(content)
