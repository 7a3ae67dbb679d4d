"""Pinecone's REST API of version 2026-07 on a loopback server: both planes, its limits, and faults on demand.

Made after the service's public specification and what the SDK sends; where those leave something open it is as strict
as can be: numbers come back as floats, lists with truth values are refused, addresses are short.
"""

import json
import operator
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np

KEY = "pc-test-key"
VERSION = "2026-07"
MOST_ADDRESS = 8192
MOST_BYTES = 2_000_000
Metadata = dict[str, Any]
Records = dict[str, tuple[np.ndarray, Metadata]]
Change = Callable[[Records], object]


@dataclass
class Fault:
    """What happens to the next request whose path begins with `path`.

    `status` 0 breaks the connection off. `is_late`: the request has been carried out by then. `partial`: an upsert
    takes so many records alone, and says so.
    """

    path: str = "/"
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    is_late: bool = False
    partial: int | None = None
    body: bytes | None = None
    after: int = 0  # requests of that path that pass before


class RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Namespace:
    """Writes in their order; each shows when its time has come."""

    shown: Records = field(default_factory=dict)
    coming: list[tuple[float, Change]] = field(default_factory=list)
    written: int = 0
    visible: int = 0

    def write(self, change: Change, delay: float) -> None:
        self.coming.append((time.monotonic() + delay, change))
        self.written += 1

    def records(self) -> Records:
        while self.coming and self.coming[0][0] <= time.monotonic():
            self.coming.pop(0)[1](self.shown)
            self.visible += 1
        return self.shown


@dataclass
class Index:
    body: dict[str, Any]
    ready_at: float
    state: str = "Initializing"  # until it is ready
    spaces: dict[str, Namespace] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        return int(self.body["schema"]["fields"]["_values"]["dimension"])


class PineconeServer:
    """`delay`: seconds until a write shows. `tells_numbers`: answers carry the numbers of writes."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.delay = 0.0
        self.ready_seconds = 0.0
        self.tells_numbers = True
        self.any_version = False  # takes requests as older SDKs send them
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str]] = []
        self.sizes: list[int] = []
        self.indexes: dict[str, Index] = {}
        self._turn = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"home": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """What was asked for since the last call."""
        paths = [path for _, path in self.asked]
        self.asked.clear()
        return paths

    def records(self, namespace: str, index: str = "trial") -> Records:
        with self._turn:
            return dict(self.indexes[index].spaces.get(namespace, Namespace()).records())

    # One request

    def note(self, method: str, path: str, size: int) -> Fault | None:
        """The fault that is due."""
        with self._turn:
            self.asked.append((method, path))
            self.sizes.append(size)
            due = next((one for one in self.faults if path.startswith(one.path)), None)
            if due is not None and due.after:
                due.after -= 1
                return None
            if due is not None:
                self.faults.remove(due)
            return due

    def answer(self, method: str, path: str, asked: Any, partial: int | None) -> tuple[int, Any, dict[str, str]]:
        with self._turn:
            if path.startswith("/indexes"):
                return *self._control(method, path, asked), {}
            # One data plane: the test server has no host for each index, so its first part says which one it is.
            _, name, action = path.split("/", 2)
            if name not in self.indexes:
                raise RefusedError(404, f"index {name} not found")
            return self._data(self.indexes[name], f"{method} /{action}", asked, partial)

    def _control(self, method: str, path: str, asked: Any) -> tuple[int, Any]:
        name = path.removeprefix("/indexes").strip("/")
        if method == "POST":
            name = asked["name"]
            if name in self.indexes:
                raise RefusedError(409, f"index {name} exists")
            vector = asked["schema"]["fields"]["_values"]
            if vector["type"] != "dense_vector" or asked["deployment"]["deployment_type"] != "managed":
                raise RefusedError(400, "no such schema or deployment")
            body = {
                **asked,
                "name": name,
                "deletion_protection": "disabled",
                "host": f"{self.url}/{name}",
                "deployment": {"environment": "loopback", **asked["deployment"]},
            }
            self.indexes[name] = Index(body, time.monotonic() + self.ready_seconds)
        if name not in self.indexes:
            raise RefusedError(404, f"index {name} not found")
        if method == "DELETE":
            del self.indexes[name]
            return 202, {}
        index = self.indexes[name]
        is_ready = index.ready_at <= time.monotonic()
        status = {"ready": is_ready, "state": "Ready" if is_ready else index.state}
        return (201 if method == "POST" else 200), {**index.body, "status": status}

    def _data(self, index: Index, action: str, asked: Any, partial: int | None) -> tuple[int, Any, dict[str, str]]:
        name = asked.get("namespace", "")
        if action == "POST /describe_index_stats":
            spaces = {key: {"vectorCount": len(one.records())} for key, one in index.spaces.items()}
            total = sum(one["vectorCount"] for one in spaces.values())
            return 200, {"namespaces": spaces, "dimension": index.dimension, "totalVectorCount": total}, {}
        if action == "POST /vectors/upsert":
            space = index.spaces.setdefault(name, Namespace())
            body: object = self._upsert(index, space, asked["vectors"], partial)
            return 200, body, self._number("x-pinecone-request-lsn", space.written)
        if action == "POST /vectors/delete":
            if name not in index.spaces:
                raise RefusedError(404, "Namespace not found")
            self._delete(index.spaces[name], asked)
            return 200, {}, self._number("x-pinecone-request-lsn", index.spaces[name].written)
        return self._read(index, index.spaces.get(name, Namespace()), action, asked)

    def _read(self, index: Index, space: Namespace, action: str, asked: Any) -> tuple[int, Any, dict[str, str]]:
        records = space.records()
        body: dict[str, Any] = {"namespace": asked.get("namespace", "")}
        if action == "POST /query":
            number = self._number("x-pinecone-max-indexed-lsn", space.visible)
            return 200, body | {"matches": list(_nearest(index, records, asked))}, number
        if action == "GET /vectors/fetch":
            _require(0 < len(asked["ids"]) <= 1000, "1 to 1000 ids a fetch")
            kept = {one: _shown(one, *records[one]) for one in asked["ids"] if one in records}
            return 200, body | {"vectors": kept}, {}
        if action == "GET /vectors/list":
            return 200, body | _page(records, asked), {}
        raise RefusedError(404, f"nothing at {action}")

    def _delete(self, space: Namespace, asked: Any) -> None:
        if asked.get("deleteAll"):
            return space.write(lambda records: records.clear(), self.delay)
        _require(0 < len(asked["ids"]) <= 1000, "1 to 1000 ids a delete")
        space.write(lambda records: [records.pop(one, None) for one in asked["ids"]], self.delay)

    def _upsert(self, index: Index, space: Namespace, vectors: list[Any], partial: int | None) -> object:
        _require(0 < len(vectors) <= 1000, "1 to 1000 vectors an upsert")
        _require(len({one["id"] for one in vectors}) == len(vectors), "an id is there twice")
        new: Records = {}
        for one in vectors:
            values = np.asarray(one["values"], dtype=np.float32)
            _require(values.shape == (index.dimension,), f"Vector dimension {values.shape} does not match")
            _require(bool(np.isfinite(values).all() and values.any()), "Dense vectors must contain a non-zero value")
            _require(one["id"].isascii() and 0 < len(one["id"]) <= 512, "id")
            new[one["id"]] = values, accepted(one.get("metadata", {}))
        if partial is not None:
            new = dict(list(new.items())[:partial])
        space.write(lambda records: records.update(new), self.delay)
        return {"upsertedCount": len(new)}

    def _number(self, name: str, number: int) -> dict[str, str]:
        return {name: str(number)} if self.tells_numbers else {}


def _require(is_so: bool, message: str) -> None:
    if not is_so:
        raise RefusedError(400, message)


def accepted(given: Metadata) -> Metadata:
    size = len(json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode())
    _require(size <= 40960, f"metadata size is {size} bytes, which exceeds the limit of 40960 bytes per vector")
    kept: Metadata = {}
    for name, value in given.items():
        _require(bool(name) and not name.startswith("$"), f"no field may be called {name!r}")
        is_list = isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
        _require(isinstance(value, str | bool | int | float) or is_list, f"{name}: {value!r} is no metadata")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        kept[name] = float(value) if is_number else value
    return kept


def _shown(name: str, values: np.ndarray, metadata: Metadata) -> dict[str, Any]:
    return {"id": name, "values": values.astype(float).tolist(), "metadata": metadata}


def _page(records: Records, asked: Any) -> dict[str, Any]:
    limit = int(asked.get("limit", 100))
    _require(1 <= limit <= 100, "1 to 100 ids a page")
    after = asked.get("paginationToken", "")
    ids = sorted(one for one in records if one > after and one.startswith(asked.get("prefix", "")))
    page: dict[str, Any] = {"vectors": [{"id": one} for one in ids[:limit]]}
    return page | ({"pagination": {"next": ids[limit - 1]}} if len(ids) > limit else {})


def _nearest(index: Index, records: Records, asked: Any) -> Iterator[dict[str, Any]]:
    vector = np.asarray(asked["vector"], dtype=np.float64)
    _require(vector.shape == (index.dimension,), "dimension of the query")
    _require(1 <= asked["topK"] <= 10_000, "topK")
    passing = [one for one, (_, metadata) in records.items() if takes(metadata, asked.get("filter"))]
    if not passing:
        return
    matrix = np.stack([records[one][0] for one in passing]).astype(np.float64)
    scores = matrix @ vector / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector))
    for row in np.argsort(-scores, kind="stable")[: asked["topK"]]:
        match: dict[str, Any] = {"id": passing[row], "score": float(scores[row])}
        yield match | ({"metadata": records[passing[row]][1]} if asked.get("includeMetadata") else {})


_RANGES = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


def takes(metadata: Metadata, words: Any) -> bool:
    """Every clause is read before any decides: a filter that is wrong anywhere is refused."""
    if words is None:
        return True
    _require(isinstance(words, dict) and bool(words), "an empty filter")
    results = [_clause(metadata, name, given) for name, given in words.items()]
    return all(results)


def _clause(metadata: Metadata, name: str, given: Any) -> bool:
    if name in ("$and", "$or"):
        _require(isinstance(given, list) and bool(given), f"{name} takes a list")
        results = [takes(metadata, one) for one in given]
        return all(results) if name == "$and" else any(results)
    _require(not name.startswith("$") and bool(name), f"{name!r} is no field")
    _require(isinstance(given, dict) and bool(given), f"{name}: no operator")
    results = [_compares(metadata.get(name), one, value) for one, value in given.items()]
    return all(results)


def _compares(kept: Any, word: str, value: Any) -> bool:
    if word == "$exists":
        return (kept is not None) is value
    if word in _RANGES:
        _require(isinstance(value, int | float) and not isinstance(value, bool), f"{word} takes a number")
        return isinstance(kept, float) and bool(_RANGES[word](kept, value))
    if word in ("$in", "$nin"):
        _require(isinstance(value, list) and bool(value), f"{word} takes a list")
        kinds = {str if isinstance(one, str) else type(one) for one in value}
        _require(kinds <= {str} or kinds <= {int, float}, f"{word} takes texts or numbers")
        return any(_equal(kept, one) for one in value) == (word == "$in")
    _require(word in ("$eq", "$ne") and isinstance(value, str | int | float), f"no operator {word}")
    return _equal(kept, value) == (word == "$eq")


def _equal(kept: Any, value: Any) -> bool:
    items = kept if isinstance(kept, list) else [kept]
    return any(isinstance(one, bool) == isinstance(value, bool) and one == value for one in items)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: in two, the second would wait for the first to be acknowledged
    disable_nagle_algorithm = True
    home: PineconeServer

    def do_GET(self) -> None:
        self.handle_any()

    def do_POST(self) -> None:
        self.handle_any()

    def do_DELETE(self) -> None:
        self.handle_any()

    def handle_any(self) -> None:
        path = urlsplit(self.path).path
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = path if path.startswith("/indexes") else "/" + path.split("/", 2)[-1]
        fault = self.home.note(self.command, action, len(raw))
        if fault is not None and not fault.is_late and fault.partial is None:
            return self.fail(fault)
        try:
            asked = self.read(raw)
            status, body, headers = self.home.answer(self.command, path, asked, fault.partial if fault else None)
        except RefusedError as error:
            status, body, headers = error.status, {"error": {"code": "REFUSED", "message": str(error)}}, {}
        return self.fail(fault) if fault is not None and fault.is_late else self.send(status, body, headers)

    def read(self, raw: bytes) -> Any:
        if self.headers.get("Api-Key") != self.home.key:
            raise RefusedError(401, f"Invalid API Key: {self.headers.get('Api-Key')}")
        if self.headers.get("X-Pinecone-Api-Version") != VERSION and not self.home.any_version:
            raise RefusedError(400, "another version of the API")
        if len(self.path) > MOST_ADDRESS:
            raise RefusedError(414, "URI too long")
        if len(raw) > MOST_BYTES:
            raise RefusedError(413, "Request size exceeds the limit of 2MB")
        if raw:
            return json.loads(raw)
        asked = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values if name == "ids" else values[0] for name, values in asked.items()}

    def fail(self, fault: Fault) -> None:
        if fault.status:
            self.send(
                fault.status, {"message": f"fault {fault.status}"} if fault.body is None else fault.body, fault.headers
            )
        else:
            self.close_connection = True

    def send(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(raw), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        """Quiet."""


@contextmanager
def pinecone_server() -> Iterator[str]:
    """Where a server of its own is, whose writes show a moment later."""
    with PineconeServer() as server:
        server.delay = 0.02
        yield server.url
