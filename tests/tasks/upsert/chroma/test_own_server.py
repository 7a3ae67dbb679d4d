"""The private server over a folder."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tasks.errors import LockedError, MissingExtraError, ServiceError, TransientError
from tasks.records import PointId, Sentinel
from tasks.upsert.chroma import server as servers
from tasks.upsert.chroma.server import OwnServer
from tasks.upsert.chroma.store import ChromaStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]

# Says what it is about to do (?) and what was acknowledged (!), one line each.
WRITER = """
import sys, uuid
import numpy as np
from tasks.records import Points
from tasks.upsert.chroma.server import OwnServer
from tasks.upsert.chroma.store import ChromaStore
server = OwnServer(sys.argv[1])
store = ChromaStore(server, "notes")
store.ensure(8)
print(server.pid, flush=True)
while True:
    ids = [str(uuid.uuid4()) for _ in range(300)]
    print("?", *ids, flush=True)
    store.upsert(Points(ids, np.ones((300, 8), dtype="f4"), [{"headrace": {"document": "s:a"}}] * 300))
    print("!", *ids, flush=True)
"""


def opened(folder: Path, start_seconds: float = 30) -> ChromaStore:
    return ChromaStore(OwnServer(str(folder), start_seconds), "notes")


def wait_for_end(pid: int) -> None:
    """Of a server without users."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "the server outlived its users"
        time.sleep(0.05)


def test_what_was_written_is_there_after_reopening(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(5)
    with opened(tmp_path / "db") as store:
        store.ensure(8)
        store.upsert(columns(*points))
        store.mark(Sentinel("line", 1, "space"))
    with opened(tmp_path / "db") as store:
        assert dict(store.scan()) == {one.id: one.payload for one in points}
        assert store.sentinel() == Sentinel("line", 1, "space")


def test_reading_starts_nothing_where_there_is_no_database(tmp_path: Path, make_points: MakePoints) -> None:
    server = OwnServer(str(tmp_path / "db"))
    with ChromaStore(server, "notes") as store:
        assert (store.count(), store.sentinel(), list(store.scan())) == (0, None, [])
        store.delete([one.id for one in make_points(1)])
        assert server.pid is None
    assert not (tmp_path / "db").exists()


def test_texts_are_their_owners_alone(tmp_path: Path, make_points: MakePoints) -> None:
    before = os.umask(0o077)
    try:
        with opened(tmp_path / "db") as store:
            store.ensure(8)
            store.upsert(columns(*make_points(1)))
    finally:
        os.umask(before)
    paths = [tmp_path / "db", *(tmp_path / "db").rglob("*")]
    assert {oct(stat.S_IMODE(path.stat().st_mode) & 0o077) for path in paths} == {"0o0"}


def test_the_server_ends_with_the_store(tmp_path: Path) -> None:
    server = OwnServer(str(tmp_path))
    with ChromaStore(server, "notes") as store:
        store.ensure(8)
        pid = server.pid
        assert pid is not None
    wait_for_end(pid)


def test_two_processes_share_a_server_and_the_last_ends_it(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(4)
    first, second = OwnServer(str(tmp_path)), OwnServer(str(tmp_path))
    one, other = ChromaStore(first, "notes"), ChromaStore(second, "notes")
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        pid = int(writer.stdout.readline())
        one.upsert(columns(*points[:2]))
        other.upsert(columns(*points[2:]))
        assert (first.pid, second.pid) == (None, None)
        writer.kill()
        writer.stdout.read()
    assert Path(f"/proc/{pid}").exists()
    one.close()
    assert other.present([point.id for point in points]) == {point.id for point in points}
    other.close()
    wait_for_end(pid)


def test_a_server_on_another_machine_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.ensure(8)
        note = tmp_path / "server.json"
        note.write_text(note.read_text().replace(socket.gethostname(), "elsewhere"))
        late = opened(tmp_path, start_seconds=0)
        with pytest.raises(LockedError, match=rf"{tmp_path} was started by process {os.getpid()} on .* wait for that"):
            late.count()
        late.close()


def test_a_server_that_dies_may_be_tried_again_and_keeps_what_it_acknowledged(
    tmp_path: Path, make_points: MakePoints
) -> None:
    points = make_points(40)
    server = OwnServer(str(tmp_path))
    with ChromaStore(server, "notes") as store:
        store.ensure(8)
        store.upsert(columns(*points[:20]))
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # it takes the request, and dies before it answers
        killer = subprocess.Popen([sys.executable, "-c", f"import os,time; time.sleep(1); os.kill({pid}, 9)"])
        with pytest.raises(TransientError, match=rf"{tmp_path} cannot be reached: .* nothing is lost: try again"):
            store.upsert(columns(*points[20:]))
        killer.wait()
        wait_for_end(pid)
        store.upsert(columns(*points[20:]))
        assert store.present([one.id for one in points]) == {one.id for one in points}


def test_a_killed_process_takes_its_server_along_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[PointId] = set()
    begun: set[PointId] = set()
    for lines in (2, 5, 8):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            pid = int(writer.stdout.readline())
            for number, line in enumerate(writer.stdout, start=1):
                if number == lines:
                    writer.kill()  # later lines may still be in the pipe, and count
                mark, *ids = line.split()
                (acknowledged if mark == "!" else begun).update(PointId(one) for one in ids if len(one) == 36)
        wait_for_end(pid)
    with opened(tmp_path) as store:
        assert len(acknowledged) >= 6 * 300
        assert store.present(list(acknowledged)) == acknowledged
        records = dict(store.scan())
        assert store.count() == len(records)
        assert set(records) <= begun
        assert store.vectors(list(records)).keys() == records.keys()


def test_a_damaged_database_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_text("no database" * 100)
    with opened(tmp_path) as store, pytest.raises(ServiceError, match=r"not a database.*moved away and synced again"):
        store.count()


def test_a_port_that_is_taken_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = servers._launch
    ports: list[int] = []
    with socket.socket() as taken:

        def too_late(folder: Path, port: int, lock: int | None, output: IO[bytes]) -> "subprocess.Popen[bytes]":
            if not ports:
                taken.bind(("127.0.0.1", port))
                taken.listen()
            ports.append(port)
            return launch(folder, port, lock, output)

        monkeypatch.setattr(servers, "_launch", too_late)
        with opened(tmp_path) as store:
            store.ensure(8)
            assert store.count() == 0
    assert len(ports) == 2


def test_without_the_package_a_folder_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_spec", lambda _: None)
    with opened(tmp_path / "db") as store, pytest.raises(MissingExtraError, match=r"\.\[chroma\]"):
        store.ensure(8)
    assert not (tmp_path / "db").exists()
