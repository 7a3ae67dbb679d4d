"""A real `chroma run` on loopback, on a free port, in a folder of its own."""

import atexit
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

import httpx

from tasks.upsert.base import VectorStore
from tasks.upsert.chroma.server import OwnServer, RemoteServer
from tasks.upsert.chroma.store import ChromaStore

START_SECONDS = 120.0
_QUIET: WeakSet[VectorStore] = WeakSet()


class ChromaServer:
    """Started and stopped by its own process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-chroma-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Also after `kill`."""
        folder = Path(self._folder.name)
        command = [Path(sys.executable).with_name("chroma"), "run", "--host", "127.0.0.1", "--port", str(self.port)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--path", folder / "database"], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat").raise_for_status()
                return
            except httpx.HTTPError:
                assert self.process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.05)

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._folder.cleanup()


@contextmanager
def chroma_database() -> Generator[str]:
    """The URL of an empty database on a server of its own."""
    with ChromaServer() as server:
        yield server.url


def chroma_of_server(url: str, collection: str) -> ChromaStore:
    return ChromaStore(RemoteServer(url, "", "default_tenant", "default_database"), collection)


def chroma_of_folder(path: str, collection: str) -> ChromaStore:
    return ChromaStore(OwnServer(path), collection)


def let_requests_end(store: VectorStore) -> None:
    """A server carries out what it has read, although the process that asked was killed."""
    if store in _QUIET:
        return
    count = -1
    while count != (count := store.count()):
        time.sleep(0.5 if count else 0)
    _QUIET.add(store)


@cache
def shared_server() -> ChromaServer:
    """One for all tests of this process; each takes a collection of its own."""
    server = ChromaServer()
    server.start()
    atexit.register(server.__exit__, None, None, None)
    return server
