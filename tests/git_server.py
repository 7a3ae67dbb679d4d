"""Git repositories for the tests: made on disk, and served over HTTP by git's own backend."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Repository:
    """A work tree whose commits are an hour apart."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.hours = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *words: str) -> str:
        date = f"{1_704_067_200 + 3600 * self.hours} +0000"
        people = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (
            ("NAME", "Ada Lovelace"), ("EMAIL", "ada@example.org"), ("DATE", date))}  # fmt: skip
        kept = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C", "GIT_ALLOW_PROTOCOL": "file"}
        done = subprocess.run(["git", *words], cwd=self.folder, env={**kept, **people}, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def write(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, **files: str) -> str:
        """The new commit's id; names with `__` for a slash and `_` for a dot."""
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_", "."), text)
        self.hours += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")


class Server:
    """`asked` are the bodies of requests for objects; `status` answers all of them where it is not 0."""

    def __init__(self, root: Path, password: str) -> None:
        self.root = root
        self.asked: list[bytes] = []
        self.status = 0
        self.wanted = "Basic " + base64.b64encode(f"ada:{password}".encode()).decode() if password else ""
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_port}"

    def _handler(server: "Server") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if server.status or (server.wanted and self.headers.get("Authorization") != server.wanted):
                    self.send_response(server.status or 401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                path, _, query = self.path.partition("?")
                if self.command == "POST":
                    server.asked.append(body)
                head, _, answer = _backend(server.root, path, query, self.command, dict(self.headers), body)
                self.send_response(200)
                for line in head.decode().splitlines():
                    self.send_header(*line.split(": ", 1))
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


def _backend(
    root: Path, path: str, query: str, method: str, headers: dict[str, str], body: bytes
) -> tuple[bytes, bytes, bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
        "GIT_CONFIG_VALUE_0": "true",
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
    return done.stdout.partition(b"\r\n\r\n")


@contextmanager
def served(root: Path, password: str = "") -> Iterator[Server]:
    """The repositories below `root`, for `ada` with the password where there is one."""
    server = Server(root, password)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
