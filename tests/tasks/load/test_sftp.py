"""A real SFTP server: who it is is checked, who asks is told by a key or the environment, and holes are told."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import fsspec
import pytest
from fsspec.config import conf, set_conf_env

from config.sources import FilesSource
from tasks.errors import ConfigError
from tasks.load.base import Source
from tasks.load.open import open_source

PASSWORD = "right"
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sshfs leaves sockets


class Guarded(asyncssh.SSHServer):
    """One user, by password; `connections` gets each that is made."""

    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ada", PASSWORD)


class Files(asyncssh.SFTPServer):
    """A folder named `closed` cannot be listed."""

    def scandir(self, path: bytes):
        if path.endswith(b"closed"):
            raise asyncssh.SFTPPermissionDenied("no")
        return super().scandir(path)


@dataclass
class Server:
    """It serves `root` on `port`, with the host key `key`; `mine` is a user's key that it knows."""

    root: Path
    key: asyncssh.SSHKey
    mine: asyncssh.SSHKey
    port: int = field(default=0, init=False)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list, init=False)

    def open(self, **settings: object) -> Source:
        url = f"sftp://ada@127.0.0.1:{self.port}/"
        return open_source(FilesSource.model_validate({"path": url, "name": "s", **settings}))

    async def start(self, folder: Path) -> asyncssh.SSHAcceptor:
        known = folder / "authorized"
        known.write_bytes(self.mine.export_public_key())
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.key], server_factory=lambda: Guarded(self.connections),
            authorized_client_keys=str(known),
            sftp_factory=lambda channel: Files(channel, chroot=str(self.root).encode()),
        )  # fmt: skip
        self.port = server.get_port()
        return server

    async def stop(self, acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        for connection in self.connections:
            connection.abort()
            await connection.wait_closed()
        await acceptor.wait_closed()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made = Server(tmp_path / "docs", *(asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)))
    for name in ("a.md", "sub/b.md", "sub/c.bin"):
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_text(f"# {name}\n\ntext\n")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(made.start(tmp_path), loop).result()
    know(home, made, made.key)
    try:
        yield made
    finally:
        fsspec.get_filesystem_class("sftp").clear_instance_cache()
        asyncio.run_coroutine_threadsafe(made.stop(acceptor), loop).result()
        gc.collect()  # the clients, whose sockets their file systems would leave for later
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        conf.clear()


def know(home: Path, server: Server, key: asyncssh.SSHKey) -> None:
    host = f"[127.0.0.1]:{server.port} ".encode()
    (home / ".ssh/known_hosts").write_bytes(host + key.export_public_key())


def give_key(home: Path, key: asyncssh.SSHKey) -> None:
    path = home / ".ssh/id_ed25519"
    path.write_bytes(key.export_private_key())
    path.chmod(0o600)


@pytest.mark.parametrize("by", ["key", "password"])
def test_files_are_listed_and_read(server: Server, tmp_path: Path, by: str) -> None:
    if by == "key":
        give_key(tmp_path / "home", server.mine)
    else:
        set_conf_env(conf, {"FSSPEC_SFTP_PASSWORD": PASSWORD})
    source = server.open()
    listing = source.list()
    assert (listing.failed, [ref.id for ref in listing.refs]) == ((), ["s:a.md", "s:sub/b.md"])
    assert dict(listing.passed_over) == {".bin": 1}
    assert source.read(listing.refs[1]).text == "# sub/b.md\n\ntext\n"
    assert all(ref.hint for ref in listing.refs)
    (server.root / "sub/b.md").write_text("# Another, longer\n")
    after = source.list()
    assert (after.refs[0].hint, after.refs[1].hint != listing.refs[1].hint) == (listing.refs[0].hint, True)


@pytest.mark.parametrize("problem", ["other host key", "unknown host", "wrong password", "no password", "away"])
def test_a_server_that_is_not_the_right_one_or_refuses_is_a_failed_scope(
    server: Server, tmp_path: Path, problem: str
) -> None:
    set_conf_env(conf, {"FSSPEC_SFTP_PASSWORD": "wrong" if problem == "wrong password" else PASSWORD})
    if problem == "other host key":
        know(tmp_path / "home", server, asyncssh.generate_private_key("ssh-ed25519"))
    elif problem == "unknown host":
        (tmp_path / "home/.ssh/known_hosts").unlink()
    elif problem == "no password":
        conf.clear()
    elif problem == "away":
        server.port = 1
    listing = server.open().list()
    assert listing.refs == ()
    assert [scope.prefix for scope in listing.failed] == ["s:"]
    assert "wrong" not in listing.failed[0].reason
    assert PASSWORD not in listing.failed[0].reason


def test_a_folder_that_cannot_be_listed_makes_the_listing_incomplete(server: Server, tmp_path: Path) -> None:
    give_key(tmp_path / "home", server.mine)
    (server.root / "closed").mkdir()
    (server.root / "closed/d.md").write_text("d")
    listing = server.open().list()
    assert [scope.prefix for scope in listing.failed] == ["s:"]


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="FSSPEC_SFTP_PASSWORD") as error:
        open_source(FilesSource(path="sftp://ada:hidden@host/x"))
    assert "hidden" not in str(error.value)
