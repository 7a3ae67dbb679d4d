"""A loopback server that speaks a paid provider's protocol, counts what it is asked, and fails on request."""

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from tasks.embed.api.dispatch.transport import Side


@dataclass
class Fault:
    """One answer that goes wrong: a status with headers and an error code, a dropped connection, or a bent answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = ""
    message: str = ""
    drop: bool = False
    bend: str = ""  # reorder, short, nan, zero, dimension


@dataclass(frozen=True)
class Asked:
    """What one request asks for; `side` None where the protocol knows none."""

    key: str
    model: str
    texts: list[str]
    side: Side | None = None
    dimension: int | None = None


class Dialect(Protocol):
    """How one provider writes requests, answers and errors; the limits are what its own pages say."""

    dimension: int  # where none is asked for
    most_inputs: int
    most_tokens: int  # of one request
    is_sided: bool
    has_indexes: bool  # an answer says which vector belongs to which text, so it may come in any order
    too_large: Fault
    no_money: Fault

    def read(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], /) -> Asked: ...

    def answer(self, body: Mapping[str, Any], rows: Sequence[tuple[int, np.ndarray]], tokens: int, /) -> object:
        """`rows` are indexes of texts with their vectors."""
        ...

    def error(self, fault: Fault, /) -> object: ...


class ProviderServer:
    """`requests` holds the texts of every request, answered or not; `faults` are taken one by one."""

    def __init__(self, dialect: Dialect, key: str, base: str = "") -> None:
        self.dialect = dialect
        self.key = key
        self.requests: list[list[str]] = []
        self.asked: list[Asked] = []
        self.answered: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.billed_tokens = 0  # lost answers included
        self.count: Callable[[str], int] = lambda text: len(text.split())  # tokens to bill
        self.before_answer: Callable[[list[str]], None] = lambda _: None
        self.faults: deque[Fault] = deque()
        self.too_many = Fault(400, message="at most {most} texts a request")
        self.refused: set[str] = set()  # texts for which a whole request is answered 400
        self.senseless: set[str] = set()  # texts whose vector is never a vector
        self.bend: Callable[[np.ndarray], np.ndarray] = lambda rows: rows  # of all vectors of one answer
        # Another endpoint's answer to (method, path, content), None where it is not asked.
        self.elsewhere: Callable[[str, str, bytes], tuple[int, bytes] | None] = lambda *_: None
        self.compute: Callable[[Asked, int], list[np.ndarray]] = _drawn  # the model
        self.headers: dict[str, str] = {}  # of every answer that goes well
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{base}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self) -> None:
        """As if nothing had been asked yet."""
        for seen in (self.requests, self.asked, self.answered, self.bodies):
            seen.clear()
        self.billed_tokens = 0

    def _fault(self, asked: Asked) -> Fault:
        fault = self.faults.popleft() if self.faults else Fault()
        if not fault.drop and asked.key != self.key:
            return Fault(401, code="invalid_api_key", message=f"Incorrect API key provided: {asked.key}")
        if not (fault.drop or fault.status) and len(asked.texts) > self.dialect.most_inputs:
            said = self.too_many.message.format(most=self.dialect.most_inputs, sent=len(asked.texts))
            return replace(self.too_many, message=said)
        if not (fault.drop or fault.status) and self.refused & set(asked.texts):
            return Fault(400, code="invalid_input")
        return fault

    def _answer(self, body: Mapping[str, Any], asked: Asked, tokens: int, bend: str) -> object:
        rows = _vectors(asked, asked.dimension or self.dialect.dimension, bend, self)
        bent = self.bend(np.stack([row for _, row in rows])) if rows else []
        rows = [(place, vector) for (place, _), vector in zip(rows, bent, strict=True)]
        self.answered += asked.texts
        return self.dialect.answer(body, rows, tokens)

    def _handler(server: Self) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if _is_elsewhere(self, server, content):
                    return
                body = json.loads(content)
                asked = server.dialect.read(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                server.bodies.append(body)
                server.asked.append(asked)
                server.requests.append(asked.texts)
                server.before_answer(asked.texts)
                fault = server._fault(asked)
                tokens = sum(map(server.count, asked.texts))
                server.billed_tokens += tokens if fault.drop or not fault.status else 0
                if fault.drop:
                    self.close_connection = True
                    self.connection.close()
                elif fault.status:
                    self._send(fault.status, server.dialect.error(fault), fault.headers)
                else:
                    self._send(200, server._answer(body, asked, tokens, fault.bend), server.headers)

            do_GET = do_POST  # noqa: N815 - the base class names it

            def _send(self, status: int, body: object, headers: Mapping[str, str]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                with suppress(ConnectionError):  # who asked has given up
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


def _is_elsewhere(handler: BaseHTTPRequestHandler, server: ProviderServer, content: bytes) -> bool:
    """Whether another endpoint was asked, which has then answered; a status of 0 is an answer that gets lost."""
    reply = server.elsewhere(handler.command, handler.path, content)
    if reply is None:
        return False
    status, content = reply
    if not status:
        handler.close_connection = True
        handler.connection.close()
        return True
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    return True


def vector_of(text: str, dimension: int, side: Side | None = None) -> np.ndarray:
    """The one right answer for a text, of unit length; a query's is near its document's, and another."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).normal(size=dimension)
    if side == "query":
        vector += 0.2 * np.random.default_rng(seed + 1).normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype("<f4")


def _drawn(asked: Asked, dimension: int) -> list[np.ndarray]:
    return [vector_of(text, dimension, asked.side) for text in asked.texts]


def _vectors(asked: Asked, dimension: int, bend: str, server: ProviderServer) -> list[tuple[int, np.ndarray]]:
    rows = server.compute(asked, dimension + (bend == "dimension"))
    rows = [row * (text not in server.senseless) for row, text in zip(rows, asked.texts, strict=True)]
    if bend in ("nan", "zero"):
        rows[0] = rows[0] * (np.nan if bend == "nan" else 0)
    numbered = list(enumerate(rows))
    return {"reorder": numbered[::-1], "short": numbered[:-1]}.get(bend, numbered)
