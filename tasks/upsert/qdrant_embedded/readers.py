"""How others read a collection that one process has open: that process answers them on a local socket.

The engine's files take one process at a time, and a first sync has them for hours. The socket lies in the collection's
folder and is its owner's alone; messages are JSON behind their length, never pickles, and none of them writes.
"""

import base64
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from tasks.errors import HeadraceError, MissingTextIndexError, ServiceError
from tasks.records import AnyOf, Condition, Filter, Hit, Payload, PointId, Query, Vector

SOCKET = "socket"
LEAVE = "leave"  # asks whoever has the collection open for reading alone to close it
LONGEST_ADDRESS = 100  # bytes; systems differ between 104 and 108
LARGEST_BYTES = 1 << 30

Page = tuple[list[tuple[PointId, Payload]], str | None]  # records, and where the next page begins: None after the last


class Reader(Protocol):
    """What can be asked without writing. Foreign errors arrive as ours."""

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Those that are there."""
        ...

    def page(self, start: str | None, /) -> Page:
        """Records in the order of their ids; `start` is None, or what the page before returned."""
        ...

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """The vectors, at unit length."""
        ...

    def search(self, query: Query, /) -> list[Hit]:
        """Exact, best first."""
        ...

    def count(self, conditions: Sequence[Condition] = (), /) -> int:
        """The number of all records that pass the conditions."""
        ...


class GoneError(Exception):
    """Nobody answers any more: who did has closed the collection, or is dead. Another try may find somebody else."""


class SocketReader:
    """Asks the process that has the collection in `folder` open.

    GoneError where nobody has it; TimeoutError where an answer takes longer than `seconds`.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        """Connects at once."""
        self._connection = _connected(folder, seconds)
        self._answers = self._connection.makefile("rb")

    def present(self, ids: Sequence[PointId], /) -> set[PointId]:
        """Asks with the ids."""
        return set(self._ask("present", list(ids)))

    def page(self, start: str | None, /) -> Page:
        """Asks for one page."""
        records, after = self._ask("page", start)
        return [(PointId(point), payload) for point, payload in records], after

    def vectors(self, ids: Sequence[PointId], /) -> dict[PointId, Vector]:
        """Asks with the ids."""
        return {PointId(point): _as_vector(text) for point, text in self._ask("vectors", list(ids)).items()}

    def search(self, query: Query, /) -> list[Hit]:
        """Asks with the whole query."""
        conditions = [_as_plain(condition) for condition in query.conditions]
        hits = self._ask("search", _as_text(query.vector), query.limit, conditions, query.offset, query.words)
        if hits is None:
            raise MissingTextIndexError("the collection has no text index yet; the next sync makes it")
        return [Hit(PointId(point), score, payload) for point, score, payload in hits]

    def count(self, conditions: Sequence[Condition] = (), /) -> int:
        """Asks for the number alone."""
        return int(self._ask("count", [_as_plain(condition) for condition in conditions]))

    def close(self) -> None:
        """Let go."""
        self._answers.close()
        self._connection.close()

    def _ask(self, *call: object) -> Any:
        try:
            _send(self._connection, call)
            answer = _received(self._answers)
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise GoneError from error
        if answer is None:
            raise GoneError
        if "error" in answer:
            raise ServiceError(answer["error"])
        return answer["is"]


def ask_to_leave(folder: Path) -> None:
    """Whoever has the collection open for reading alone closes it soon; nothing happens where nobody does."""
    with suppress(GoneError, OSError), _connected(folder, 1.0) as connection:
        _send(connection, [LEAVE])


class ReadServer:
    """Answers in threads of its own, until it is closed or the process ends."""

    def __init__(self, folder: Path, reader: Reader, leave: Callable[[], None] | None = None) -> None:
        """Only for who holds the lock of `folder`: what is left of a killed process there is replaced.

        `leave` closes the collection, where others may ask for that. A file system without sockets serves nobody.
        """
        self._path = folder / SOCKET
        self._reader = reader
        self._leave = leave
        self._connections: set[socket.socket] = set()
        self._is_over = False
        self._asking = threading.Lock()  # the engine is not closed in the middle of an answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            with _address(folder) as address:
                self._listener.bind(address)
            self._path.chmod(0o600)  # before anybody can connect
            self._listener.listen(128)
        threading.Thread(target=self._accept, name="readers", daemon=True).start()

    def close(self) -> None:
        """Nobody is answered from here on; who waits hears that there is none; an answer that is begun is awaited."""
        self._is_over = True
        self._path.unlink(missing_ok=True)
        for one in (self._listener, *list(self._connections)):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
        self._listener.close()
        with self._asking:
            pass

    def _accept(self) -> None:
        with suppress(OSError):  # the end
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), name="reader", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            # What a stranger sends, or what comes after the end, breaks this connection and nothing else.
            with connection, suppress(OSError, ValueError, TypeError, LookupError):
                if _may_ask(connection) and not self._is_over:
                    self._answer_all(connection)
        finally:
            self._connections.discard(connection)

    def _answer_all(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as requests:
            while call := _received(requests):
                if call == [LEAVE]:
                    if self._leave is not None:
                        self._leave()
                    return
                with self._asking:
                    if self._is_over:
                        return
                    answer = self._answer(call)
                _send(connection, answer)

    def _answer(self, call: Any) -> dict[str, Any]:
        try:
            return {"is": _ANSWERS[call[0]](self._reader, *call[1:])}
        except HeadraceError as error:
            return {"error": str(error)}


def _search(reader: Reader, vector: str, limit: int, conditions: Any, *rest: Any) -> Any:
    query = Query(_as_vector(vector), limit, [_as_condition(one) for one in conditions], *rest)
    try:
        hits = reader.search(query)
    except MissingTextIndexError:
        return None
    return [(hit.id, hit.score, hit.payload) for hit in hits]


def _vectors(reader: Reader, ids: Any) -> Any:
    return {point: _as_text(vector) for point, vector in reader.vectors(ids).items()}


def _present(reader: Reader, ids: Any) -> Any:
    return list(reader.present(ids))


def _page(reader: Reader, start: Any) -> Any:
    return reader.page(start)


def _count(reader: Reader, conditions: Any) -> Any:
    return reader.count([_as_condition(one) for one in conditions])


_ANSWERS: dict[str, Callable[..., Any]] = {
    "present": _present,
    "page": _page,
    "vectors": _vectors,
    "search": _search,
    "count": _count,
}


def _as_plain(condition: Condition) -> Any:
    if isinstance(condition, Filter):
        return [condition.field, condition.operator, condition.values]
    return {"any": [[_as_plain(one) for one in every] for every in condition.alternatives]}


def _as_condition(plain: Any) -> Condition:
    if isinstance(plain, dict):
        return AnyOf(tuple(tuple(Filter(f, o, tuple(v)) for f, o, v in every) for every in plain["any"]))
    name, operator, values = plain
    return Filter(name, operator, tuple(values))


def _as_text(vector: Vector) -> str:
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def _as_vector(text: str) -> Vector:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


def _send(connection: socket.socket, message: object) -> None:
    body = json.dumps(message).encode()
    connection.sendall(struct.pack(">I", len(body)) + body)


def _received(file: BinaryIO) -> Any:
    """None at the end; ValueError for what is no message of ours."""
    header = file.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack(">I", header)
    if length > LARGEST_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return json.loads(file.read(length))


def _connected(folder: Path, seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        with _address(folder) as address:
            connection.connect(address)
    except OSError as error:
        connection.close()
        raise GoneError from error
    return connection


@contextmanager
def _address(folder: Path) -> Generator[str]:
    """A long path has a short name while its folder is open, where the system gives one (Linux)."""
    path = str(folder / SOCKET)
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield path
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{SOCKET}"
    finally:
        os.close(opened)


def _may_ask(connection: socket.socket) -> bool:
    """The mode of the socket keeps others out already, but a mode can be changed."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in (os.geteuid(), 0)
