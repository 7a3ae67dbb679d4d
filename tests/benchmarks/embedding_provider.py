"""A provider in a process of its own: OpenAI's embeddings protocol, a fixed latency, limits that it tells and enforces.

`tests/openai_server.py` is for what may go wrong; this one is for speed. Its answers are made before they are asked
for, and it shares no interpreter lock with the client. A text starts with the number of tokens that it stands for.
"""

import base64
import json
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

import numpy as np

VECTORS = 64  # as many different ones
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Per minute; a whole minute's is there at the start, and what is not used up to then is kept."""

    requests: int
    tokens: int
    latency_seconds: float = 0.1
    dimension: int = 1536


@dataclass(frozen=True, slots=True)
class Tally:
    """What the provider has seen."""

    answered: int
    refused: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Provider:
    """`url` is what an OpenAI client calls its base URL."""

    url: str

    def tally(self) -> Tally:
        with urllib.request.urlopen(f"{self.url}/tally") as answer:
            return Tally(**json.load(answer))


@contextmanager
def running(limits: Limits) -> Iterator[Provider]:
    """Ends with the block."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(limits))]
    folder = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        try:
            yield Provider(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        finally:
            process.terminate()


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection: the sleep and the sending release the lock."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, limits: Limits) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.limits = limits
        self.answered = self.refused = self.tokens = 0
        self._lock = threading.Lock()
        self._level = {"requests": float(limits.requests), "tokens": float(limits.tokens)}
        self._at = time.monotonic()

    def admit(self, tokens: int) -> tuple[bool, dict[str, str]]:
        """Whether it goes through, and the headers that say so."""
        allowed = {"requests": self.limits.requests, "tokens": self.limits.tokens}
        wanted = {"requests": 1, "tokens": tokens}
        with self._lock:
            now = time.monotonic()
            elapsed, self._at = now - self._at, now
            for kind, limit in allowed.items():
                self._level[kind] = min(limit, self._level[kind] + elapsed * limit / 60)
            fits = all(self._level[kind] >= wanted[kind] for kind in wanted)
            for kind in wanted:
                self._level[kind] -= wanted[kind] * fits
            self.answered += fits
            self.refused += not fits
            self.tokens += tokens * fits
            headers = {f"x-ratelimit-limit-{kind}": str(limit) for kind, limit in allowed.items()}
            headers |= {f"x-ratelimit-remaining-{kind}": str(int(self._level[kind])) for kind in allowed}
        if not fits:
            waits = [(wanted[kind] - self._level[kind]) * 60 / allowed[kind] for kind in wanted]
            headers["retry-after-ms"] = str(int(max(1000 * wait for wait in waits)) + 1)
        return fits, headers


class Connection(socketserver.StreamRequestHandler):
    """Plain HTTP/1.1 without the standard library's parser, which would take longer than the answer."""

    server: Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while first := self.rfile.readline():
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            found = _LENGTH.search(head)
            body = self.rfile.read(int(found[1])) if found else b""
            if first.startswith(b"GET"):
                seen = Tally(self.server.answered, self.server.refused, self.server.tokens)
                self._answer(200, {}, json.dumps(asdict(seen)).encode())
            else:
                self._embed(json.loads(body)["input"])

    def _embed(self, texts: list[str]) -> None:
        arrived = time.monotonic()
        tokens = sum(int(text.partition(" ")[0]) for text in texts)
        fits, headers = self.server.admit(tokens)
        limits = self.server.limits
        data = _data(len(texts), limits.dimension) if fits else b""
        time.sleep(max(0.0, arrived + limits.latency_seconds - time.monotonic()))
        if fits:
            usage = b'],"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (tokens, tokens)
            self._answer(200, headers, data, usage)
        else:
            error = {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}
            self._answer(429, headers, json.dumps({"error": error}).encode())

    def _answer(self, status: int, headers: dict[str, str], *parts: bytes) -> None:
        known = {"content-type": "application/json", "content-length": str(sum(map(len, parts))), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in known.items())
        self.wfile.write(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode())
        for part in parts:
            self.wfile.write(part)


@cache
def _data(count: int, dimension: int) -> bytes:
    """All of an answer but its end, which says how many tokens it was."""
    vectors = np.random.default_rng(1).normal(size=(VECTORS, dimension)).astype("<f4")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [base64.b64encode(row.tobytes()).decode() for row in unit]
    items = (
        f'{{"object":"embedding","index":{index},"embedding":"{texts[index % VECTORS]}"}}' for index in range(count)
    )
    return ('{"object":"list","model":"text-embedding-3-small","data":[' + ",".join(items)).encode()


if __name__ == "__main__":
    with Server(Limits(**json.loads(sys.argv[1]))) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
