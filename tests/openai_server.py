"""A loopback server that speaks OpenAI's embeddings protocol, counts what it is asked, and fails on request."""

import base64
import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np

DIMENSION = 1536


@dataclass
class Fault:
    """One answer that goes wrong: a status with headers and an error code, a dropped connection, or a bent answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = ""
    message: str = ""
    drop: bool = False
    bend: str = ""  # reorder, short, nan, zero, dimension


class OpenAIServer:
    """`requests` holds the inputs of every request, answered or not; `faults` are taken one by one."""

    def __init__(self, key: str = "sk-test") -> None:
        self.key = key
        self.requests: list[list[str]] = []
        self.answered: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.faults: deque[Fault] = deque()
        self.refused: set[str] = set()  # texts for which a whole request is answered 400
        self.senseless: set[str] = set()  # texts whose vector is never a vector
        self.headers: dict[str, str] = {}  # of every answer that goes well
        self.count: Callable[[str], int] = lambda text: len(text.split())  # tokens to bill
        self.billed_tokens = 0
        self.before_answer: Callable[[list[str]], None] = lambda _: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

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

    def _fault(self, authorization: str, inputs: list[str]) -> Fault:
        fault = self.faults.popleft() if self.faults else Fault()
        if not fault.drop and authorization != f"Bearer {self.key}":
            return Fault(401, code="invalid_api_key", message=f"Incorrect API key provided: {authorization}")
        if not (fault.drop or fault.status) and self.refused & set(inputs):
            return Fault(400, code="invalid_input")
        return fault

    def _handler(server: Self) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                server.requests.append(body["input"])
                server.before_answer(body["input"])
                fault = server._fault(self.headers["Authorization"], body["input"])
                tokens = sum(map(server.count, body["input"]))
                server.billed_tokens += tokens if fault.drop or not fault.status else 0
                if fault.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault.status:
                    said = fault.message or f"fault {fault.status}"
                    error = {"message": said, "code": fault.code, "type": "fault"}
                    self._answer(fault.status, {"error": error}, fault.headers)
                    return
                server.answered += body["input"]
                self._answer(200, _embeddings(body, tokens, fault.bend, server.senseless), server.headers)

            def _answer(self, status: int, body: object, headers: Mapping[str, str]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


def vector_of(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """The one right answer for a text, of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).normal(size=dimension).astype("<f4")
    return vector / np.linalg.norm(vector)


def _embeddings(body: Mapping[str, Any], tokens: int, bend: str, senseless: Set[str]) -> dict[str, Any]:
    dimension = body.get("dimensions", DIMENSION) + (bend == "dimension")
    rows = [vector_of(text, dimension) for text in body["input"]]
    rows = [row * (text not in senseless) for row, text in zip(rows, body["input"], strict=True)]
    if bend in ("nan", "zero"):
        rows[0] = rows[0] * (np.nan if bend == "nan" else 0)
    data = [{"object": "embedding", "index": i, "embedding": _encoded(row, body)} for i, row in enumerate(rows)]
    data = {"reorder": data[::-1], "short": data[:-1]}.get(bend, data)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body["model"], "data": data, "usage": usage}


def _encoded(row: np.ndarray, body: Mapping[str, Any]) -> str | list[float]:
    if body.get("encoding_format") == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return row.tolist()
