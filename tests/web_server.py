"""A web server on the loopback address, with the pages that a test gives it."""

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Pages = dict[str, tuple[int, bytes, Mapping[str, str]]]


class Site:
    """Pages by path; `asked` are the paths that were requested, `heads` the headers. It serves while it is entered.

    A page whose ETag or Last-Modified the request names is answered with 304.
    """

    def __init__(self) -> None:
        self.pages: Pages = {}
        self.make: Callable[[str], bytes | None] = lambda _path: None
        self.asked: list[str] = []
        self.heads: list[Mapping[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def page(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        self.pages[path] = (status, content, {name.replace("_", "-"): value for name, value in headers.items()})

    def _handler(site: "Site") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.heads.append(dict(self.headers))
                made = site.make(self.path)
                missing = (404, b"none", {})
                status, content, headers = (200, made, {}) if made else site.pages.get(self.path, missing)
                named = {self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")} - {None}
                if named & {headers.get("ETag"), headers.get("Last-Modified")}:
                    status, content = 304, b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


def links(*hrefs: str) -> bytes:
    return "".join(f'<a href="{href}">x</a>' for href in hrefs).encode()
