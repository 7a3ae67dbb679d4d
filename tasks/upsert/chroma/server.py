"""The server that answers: one that is there, or a private one over a folder.

Chroma inside of this process lost its database to a killed process in 4 of 8 series of kills; the same engine behind
`chroma run` lost nothing in 32. So a folder is always served by a process of its own, and never by two at once.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

import httpx

from tasks.errors import LockedError, MissingExtraError, ServiceError
from tasks.system.file_system import keep_private
from tasks.system.process_lock import ProcessLock
from tasks.upsert.chroma.connection import Connection, Database

START_SECONDS = 60.0
END_SECONDS = 1.0
_TRIES = 3  # another program may take the port that was free a moment ago
_POLL_SECONDS = 0.02


class Server(Protocol):
    """Where the connection comes from."""

    @property
    def place(self) -> str:
        """Name for messages."""
        ...

    @property
    def address(self) -> str:
        """URL or folder."""
        ...

    def connection(self, *, create: bool) -> Connection | None:
        """The open one, which may change; None where there is no database, unless it is to be made."""
        ...

    def close(self) -> None:
        """End what was started and nobody else uses."""
        ...


class RemoteServer:
    """`chroma run` somewhere, or Chroma Cloud."""

    def __init__(self, url: str, token: str, tenant: str, database: str) -> None:
        """Nothing is sent yet."""
        parts = urlsplit(url)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.place = f"the Chroma server {self.address}"
        remedy = "is it running, and is `url` under `store` right? Try again"
        self._connection = Connection(Database(url, tenant, database, self.place, remedy), token)

    def connection(self, *, create: bool) -> Connection:
        """The same one each time."""
        return self._connection

    def close(self) -> None:
        """The server goes on."""
        self._connection.close()


class OwnServer:
    """Started by the first who needs it; all who need it at once share it, in this process and in others.

    It holds the file `lock` as long as it lives. Its users hold `users` together, and it ends when there are none.
    """

    def __init__(self, path: str, start_seconds: float = START_SECONDS) -> None:
        """`path` is the database's folder; another process may take `start_seconds` to start the server."""
        self._folder = Path(path)
        self._lock = ProcessLock(self._folder / "lock")
        self._note = self._folder / "server.json"
        self._start_seconds = start_seconds
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._port = 0
        self.address = path
        self.place = f"the Chroma server of {path}"

    @property
    def pid(self) -> int | None:
        """Process of the server, where this object started it."""
        return self._process.pid if self._process else None

    def connection(self, *, create: bool) -> Connection | None:
        """A server that has ended is started again."""
        if not create and not (self._folder / "chroma.sqlite3").exists():
            return None
        try:
            port = self._served()
        except OSError as error:
            raise ServiceError(f"{self.place} cannot be started: {error}; check the folder and the disk") from error
        if self._connection is None or port != self._port:
            self._disconnect()
            remedy = "it is started again by the next call, and nothing is lost: try again"
            database = Database(
                f"http://127.0.0.1:{port}", "default_tenant", "default_database", self.place, remedy, is_ours=True
            )
            self._connection, self._port = Connection(database), port
        return self._connection

    def close(self) -> None:
        """Returns when the server has ended, or a moment later where others use it still."""
        self._disconnect()
        if self._users is not None:
            os.close(self._users)
            self._users = None
        process, self._process = self._process, None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)

    def _served(self) -> int:
        """The port."""
        if self._users is None:
            if find_spec("chromadb_rust_bindings") is None:
                raise MissingExtraError("chroma with a `path`", "chroma")
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            keep_private(self._folder)
            self._users = os.open(self._folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)  # waits for a server that is about to end
        deadline = time.monotonic() + self._start_seconds
        while (holder := self._lock.acquire(0)) is not None:
            with suppress(OSError, ValueError, KeyError):
                note = json.loads(self._note.read_text())
                port = int(note["port"])
                if note["host"] == socket.gethostname() and (port == self._port or _listens(port)):
                    return port
            if time.monotonic() > deadline:
                raise LockedError(
                    f"{self.place} was started by {holder}, and cannot be reached from here; wait for that to end and"
                    " try again"
                )
            time.sleep(_POLL_SECONDS)
        try:
            self._note.unlink(missing_ok=True)
            port = self._start()
            self._note.write_text(json.dumps({"host": socket.gethostname(), "port": port}))
            return port
        finally:
            self._lock.release()  # the server has it, too

    def _start(self) -> int:
        said = ""
        for _ in range(_TRIES):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = int(free.getsockname()[1])
            with tempfile.TemporaryFile() as output:
                self._process = _launch(self._folder, port, self._lock.file, output)
                said = _wait(self._process, port, output)
            if not said:
                return port
            self._process.kill()
            self._process.wait()
            if "is not available" not in said:
                break
        raise ServiceError(
            f"{self.place} did not start: {said}; a damaged database is restored from a backup, or moved away and"
            " synced again: it is written from the cache"
        )

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _launch(folder: Path, port: int, lock: int | None, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(  # noqa: S603 - our own module, with a number and a folder
        [sys.executable, "-P", "-m", "tasks.upsert.chroma.child", str(port), str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=() if lock is None else (lock,),
        start_new_session=True,  # a terminal's signals are for the users, who decide
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "ANONYMIZED_TELEMETRY": "False"},
    )
    threading.Thread(target=process.wait, name="end of chroma", daemon=True).start()
    return process


def _listens(port: int) -> bool:
    """Not while a server ends: it has the lock until it is gone."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _wait(process: "subprocess.Popen[bytes]", port: int, output: IO[bytes]) -> str:
    """Empty once it answers, else what it said; only its own word tells it from another server on the same port."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if f"127.0.0.1:{port}".encode() in _said(output) and http.get("/api/v2/heartbeat").is_success:
                    return ""
            time.sleep(_POLL_SECONDS)
    lines = [" ".join(line.split()) for line in _said(output).decode(errors="replace").splitlines()]
    wanted = [line for line in lines if "rror" in line or "not available" in line]
    return (wanted or lines or ["nothing"])[-1][:300]


def _said(output: IO[bytes]) -> bytes:
    return os.pread(output.fileno(), 1 << 16, 0)
