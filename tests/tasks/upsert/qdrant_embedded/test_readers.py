"""Who reads while another process has the collection open, or where nothing may be written."""

import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import LockedError, ServiceError
from tasks.records import Query, Sentinel
from tasks.system.process_lock import ProcessLock
from tasks.upsert.qdrant_embedded import access, snapshot
from tasks.upsert.qdrant_embedded.engine import ServingEngine
from tasks.upsert.qdrant_embedded.readers import LONGEST_ADDRESS, SOCKET
from tasks.upsert.qdrant_embedded.snapshot import Snapshot, disk_usage
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.points import Point, columns

MakePoints = Callable[[int], list[Point]]
OpenElsewhere = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]
QUERY = np.ones(8, dtype=np.float32)


def filled(folder: Path, points: list[Point]) -> QdrantStore:
    """Open to write."""
    store = QdrantStore(str(folder), "c", wait_seconds=120)
    store.ensure(8)
    store.upsert(columns(*points))
    return store


def test_whoever_comes_while_writers_come_and_go_is_answered(
    tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "READ_SECONDS", 120.0)
    points = make_points(3 * access.MANY)
    filled(tmp_path, points[:1]).close()
    is_over, counts = threading.Event(), [1]

    def read() -> None:
        with QdrantStore(str(tmp_path), "c") as reader:
            while not is_over.is_set():
                counts.append(len(reader.present([one.id for one in points])))
                assert len(reader.search(Query(QUERY, 1))) == 1

    failures: list[BaseException] = []

    def watched() -> None:
        try:
            read()
        except BaseException as error:
            failures.append(error)

    reading = threading.Thread(target=watched)
    reading.start()
    for size in (1, 5, access.MANY, 7, 2 * access.MANY):
        with filled(tmp_path, points[:size]):
            pass
    is_over.set()
    reading.join()
    assert failures == []
    assert counts == sorted(counts)


def test_a_killed_process_leaves_a_socket_that_is_in_nobodys_way(
    tmp_path: Path, make_points: MakePoints, open_elsewhere: OpenElsewhere
) -> None:
    filled(tmp_path, make_points(3)).close()
    with open_elsewhere(tmp_path) as other:
        with QdrantStore(str(tmp_path), "c") as reader:
            assert reader.count() == 3
            other.kill()
            other.wait(timeout=30)
            assert (tmp_path / "c" / SOCKET).exists()
            assert len(list(reader.scan())) == 3
        with filled(tmp_path, make_points(1)) as store:
            assert len(list(store.scan())) == 4
    assert not (tmp_path / "c" / SOCKET).exists()


def test_a_process_that_stands_still_is_named_to_whoever_reads(
    tmp_path: Path, open_elsewhere: OpenElsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "READ_SECONDS", 0.3)
    with open_elsewhere(tmp_path) as other, QdrantStore(str(tmp_path), "c") as reader:
        os.kill(other.pid, signal.SIGSTOP)
        try:
            with pytest.raises(LockedError, match=rf"open in process {other.pid} .* does not answer"):
                reader.search(Query(QUERY, 1))
        finally:
            os.kill(other.pid, signal.SIGCONT)
        monkeypatch.undo()
        assert reader.count() == 0


def test_a_process_that_waits_to_write_and_stands_still_is_named_too(
    tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "READ_SECONDS", 0.1)
    filled(tmp_path, make_points(1)).close()
    waiting = ProcessLock(tmp_path / "c" / "lock.next")
    assert waiting.acquire(0) is None
    with QdrantStore(str(tmp_path), "c") as reader:
        with pytest.raises(LockedError, match=f"process {os.getpid()} "):
            list(reader.scan())
        waiting.release()
        assert len(list(reader.scan())) == 1


def test_a_folder_with_a_long_path_has_readers_too(tmp_path: Path, make_points: MakePoints) -> None:
    folder = tmp_path / ("long-" * 30) / "again"
    assert len(str(folder)) > LONGEST_ADDRESS
    with filled(folder, make_points(2)), QdrantStore(str(folder), "c") as reader:
        assert len(list(reader.scan())) == 2


def asked(folder: Path, message: bytes) -> bytes:
    """What comes back to whoever sends this, until the connection ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(folder / "c" / SOCKET))
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answers:
            return answers.read()


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def test_what_is_no_question_is_not_answered_and_does_no_harm(tmp_path: Path, make_points: MakePoints) -> None:
    points = make_points(2)
    with filled(tmp_path, points) as store:
        for message in (
            b"",
            b"\xff" * 9,
            framed(b"{not json"),
            framed(pickle.dumps(["count"])),
            framed(b"[]"),
            framed(b"{}"),
            framed(b'["present"]'),
            framed(b'["search", "AAAA", 3, [], 0]'),
            framed(f'["delete", ["{points[0].id}"]]'.encode()),
            framed(b'["close"]'),
            framed(b'["leave"]'),
            b"\x00\x00\x00\x09[1",
        ):
            assert asked(tmp_path, message) == b"", message
        assert asked(tmp_path, framed(b'["count", []]')) == framed(b'{"is": 2}')
        assert store.count() == 2
        assert (tmp_path / "c" / SOCKET).stat().st_mode & 0o777 == 0o600


STRANGER = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.connect("socket")
    connection.sendall(b'\\x00\\x00\\x00\\x0d["count", []]')
    print(connection.recv(99))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_account_is_not_answered_even_where_the_mode_would_let_it(
    tmp_path: Path, make_points: MakePoints
) -> None:
    with filled(tmp_path, make_points(2)):
        (tmp_path / "c" / SOCKET).chmod(0o666)
        (tmp_path / "c").chmod(0o711)
        command = [sys.executable, "-c", STRANGER]  # from inside the folder: it may not pass those above
        answer = subprocess.run(command, cwd=tmp_path / "c", capture_output=True, text=True, check=False)
        is_cut = "ConnectionResetError" in answer.stderr or "BrokenPipeError" in answer.stderr
        assert answer.stdout == "b''\n" or is_cut, answer


def test_an_error_of_the_engine_reaches_whoever_asked(tmp_path: Path, make_points: MakePoints) -> None:
    with filled(tmp_path, make_points(2)), QdrantStore(str(tmp_path), "c") as reader:
        with pytest.raises(ServiceError, match=f"{tmp_path}/c"):
            reader.search(Query(np.ones(7, dtype=np.float32), 1))
        assert len(reader.search(Query(QUERY, 5))) == 2


def test_whoever_may_not_write_reads_a_copy_until_the_next_run(
    tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = make_points(5)
    with filled(tmp_path / "db", points[:3]) as store:
        store.mark(Sentinel("line", 1, "space"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    before = sorted(path for path in (tmp_path / "db").rglob("*"))
    with QdrantStore(str(tmp_path / "db"), "c") as reader:
        monkeypatch.setattr(access, "may_write", lambda *paths: False)
        assert dict(reader.scan()) == {one.id: one.payload for one in points[:3]}
        assert sorted(path for path in (tmp_path / "db").rglob("*")) == before
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        with QdrantStore(str(tmp_path / "db"), "c") as store:
            store.mark(Sentinel("line", 2, "space"))
            store.upsert(columns(*points[3:]))
            assert len(list(reader.scan())) == 5  # the same account is answered by the run
        assert len(list(reader.scan())) == 5
        assert len(list((tmp_path / "tmp").iterdir())) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("deleted", [100, 1500])
def test_another_process_answers_while_a_collection_is_compacted(
    deleted: int, tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is begun only where enough was deleted."""
    points = make_points(3000)
    filled(tmp_path, points).close()
    monkeypatch.setattr(access, "LARGE", 1000)
    answers: list[tuple[int, int]] = []

    class Compacting(ServingEngine):
        def optimize(self) -> None:
            if deleted > 1000:
                with QdrantStore(str(tmp_path), "c") as reader:
                    answers.append((len(list(reader.scan())), len(reader.search(Query(QUERY, 9)))))
            super().optimize()

    monkeypatch.setattr(access, "ServingEngine", Compacting)
    started: list[object] = []
    monkeypatch.setattr(access, "Snapshot", lambda shard: started.append(shard) or Snapshot(shard))
    with QdrantStore(str(tmp_path), "c") as store:
        store.delete([one.id for one in points[:deleted]])
    assert answers == ([(1500, 9)] if deleted > 1000 else [])
    assert len(started) == len(answers)
    with QdrantStore(str(tmp_path), "c") as store:
        assert {one for one, _ in store.scan()} == {one.id for one in points[deleted:]}
    assert not (tmp_path / "c" / SOCKET).exists()


def test_a_copy_keeps_the_holes_of_its_files(tmp_path: Path, make_points: MakePoints) -> None:
    filled(tmp_path, make_points(3)).close()
    shard = tmp_path / "c" / "generation-000001" / "shard"
    copy = Snapshot(shard)
    files = [path.relative_to(shard) for path in shard.rglob("*") if path.is_file()]
    assert len(files) > 5
    for file in files:
        assert (copy.shard / file).read_bytes() == (shard / file).read_bytes()
    assert disk_usage(copy.shard) <= disk_usage(shard) + (1 << 20)
    copy.close()
    assert not copy.shard.exists()


def test_a_copy_that_has_no_room_is_not_begun(
    tmp_path: Path, make_points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, make_points(3)).close()
    monkeypatch.setattr(access, "may_write", lambda *paths: False)
    monkeypatch.setattr(snapshot, "RESERVE_BYTES", 1 << 60)
    with QdrantStore(str(tmp_path), "c") as reader, pytest.raises(ServiceError, match=r"MB left.*TMPDIR"):
        list(reader.scan())
