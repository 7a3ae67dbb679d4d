"""A real MariaDB server on loopback, on a free port, where one is installed or MARIADB_FOLDER names its programs."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import pymysql

START_SECONDS = 60.0


def mariadb_folder() -> Path | None:
    """Where a package is unpacked: /, or what MARIADB_FOLDER says."""
    for folder in filter(None, (os.environ.get("MARIADB_FOLDER"), "/")):
        if (Path(folder) / "usr/sbin/mariadbd").exists():
            return Path(folder)
    return None


class MariadbServer:
    """Started and stopped by its own process; as root it runs as `nobody`."""

    def __init__(self) -> None:
        root = mariadb_folder()
        assert root is not None
        self.folder = Path(tempfile.mkdtemp(prefix="headrace-maria-"))
        libraries = ":".join(str(root / part / "x86_64-linux-gnu") for part in ("usr/lib", "lib"))
        self._usual: dict[str, Any] = {"env": {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._usual |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._root = root

    def __enter__(self) -> Self:
        (self.folder / "start.sql").write_text(
            "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'a/pass';\nGRANT ALL ON *.* TO reader@'127.0.0.1';\n"
        )
        (self.folder / "start.sql").chmod(0o644)
        (self.folder / "bootstrap.sql").write_text(self._tables())
        settings = ["--no-defaults", f"--datadir={self.folder}/data", f"--lc-messages-dir={self._root}/usr/share/mysql"]
        program = str(self._root / "usr/sbin/mariadbd")
        subprocess.run(["mkdir", f"{self.folder}/data"], check=True, **self._usual)
        with (self.folder / "bootstrap.sql").open() as script:
            subprocess.run(
                [program, *settings, "--bootstrap"], stdin=script, check=True, capture_output=True, **self._usual
            )
        settings += [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/s"]
        settings += [f"--init-file={self.folder}/start.sql", "--skip-name-resolve", "--character-set-server=utf8mb4"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([program, *settings], stdout=log, stderr=log, **self._usual)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                pymysql.connect(host="127.0.0.1", port=self.port, user="reader", password="a/pass").close()
                return self
            except pymysql.MySQLError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "the server did not come up"
                time.sleep(0.05)

    def new_database(self, name: str) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user="reader", password="a/pass") as connection:
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return f"mysql://reader:a%2Fpass@127.0.0.1:{self.port}/{name}"

    def _tables(self) -> str:
        share = self._root / "usr/share/mysql"
        files = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
        return "CREATE DATABASE mysql;\nUSE mysql;\n" + "".join((share / file).read_text() for file in files)

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
