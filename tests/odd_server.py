"""A loopback server that answers as a Prefect server does which is slow, ill, or none at all."""

import select
import socket
import socketserver
import threading
from typing import Self
from urllib.parse import urlsplit


def http(status: str, body: str = "true", kind: str = "application/json") -> bytes:
    """One whole answer, after which the connection ends."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return f"{head}{body}".encode()


class OddServer:
    """`answers` are given one after the other, the last one for ever; `delay_seconds` lie before each byte block."""

    def __init__(self, *answers: bytes, delay_seconds: float = 0.0, block: int = 1 << 20) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._delay_seconds = delay_seconds
        self._block = block
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                request = self.request.recv(65536)
                while request.endswith(b"\r\n\r\n") and request.startswith(b"POST"):
                    request += self.request.recv(65536)
                owner.requests.append(request)
                answer = owner._answers[min(len(owner.requests), len(owner._answers)) - 1]
                for start in range(0, len(answer), owner._block):
                    if owner._ended.wait(owner._delay_seconds):
                        return
                    self.request.sendall(answer[start : start + owner._block])

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                """Who asked has gone away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class Gate:
    """Passes everything on to the server at `url`, until it holds everything back."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._silent = threading.Event()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((owner._target.hostname, owner._target.port)) as server:
                    owner._pass_on(self.request, server)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = self._target._replace(netloc=f"127.0.0.1:{self._server.server_address[1]}").geturl()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def silence(self) -> None:
        """Connections stay open and get no answer."""
        self._silent.set()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while not self._ended.is_set():
            for ready in select.select(list(other), [], [], 0.05)[0]:
                if self._silent.is_set():
                    self._ended.wait()
                    return
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)
