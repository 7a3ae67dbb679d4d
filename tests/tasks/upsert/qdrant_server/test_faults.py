"""What a server or the network may do to a request, and what it then says to the user."""

import json
from collections.abc import Callable

import httpx
import pytest
from qdrant_client.http.exceptions import ResponseHandlingException

from tasks.errors import CollectionError, ConfigError, HeadraceError, ServiceError, TransientError
from tasks.records import Query
from tasks.upsert.qdrant_server.errors import translate
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.contracts.store.trial import ANYWHERE, holds, point
from tests.points import columns
from tests.qdrant_server import Fault, QdrantServer

Opened = Callable[..., QdrantServerStore]
WRITE = "PUT /collections/c/points"

ANSWERS: list[tuple[int, str, type[HeadraceError], str]] = [
    (401, "Must provide an API key", ConfigError, "api_key"),
    (403, "Invalid API key or JWT", ConfigError, "api_key"),
    (408, "Timeout", TransientError, "run again"),
    (413, "Payload reached size limit", ServiceError, "max_request_size_mb"),
    (429, "Rate limiting exceeded", TransientError, "how often"),
    (400, "Wrong input: Vector dimension error: expected dim: 4, got 8", CollectionError, "another model"),
    (400, "Wrong input: Not existing vector name error: ", CollectionError, "not one of Headrace's"),
    (400, "Something else", ServiceError, "version"),
    (403, 'Forbidden: Index required but not found for "x". Help: Create an index', ConfigError, "filter_fields"),
    (400, 'Bad request: Index required but not found for "x"', ConfigError, "filter_fields"),
    (400, 'Bad request: Limit exceeded 900 > 100 for "limit". Help: Reduce it', ConfigError, "max_query_limit"),
    (400, 'Bad request: Limit exceeded 500 > 100 for "upsert limit". Help: …', TransientError, "run again"),
    (400, "Bad request: Max points count limit of 10 reached!", ServiceError, "quota is reached"),
    (400, "Bad request: Max vector storage size limit of 5MB reached!", ServiceError, "quota is reached"),
    (400, "Bad request: Filter condition limit reached (9 > 5). Help: Reduce", ConfigError, "fewer values"),
    (400, "Bad request: Condition size limit reached (9 > 5). Help: Reduce", ConfigError, "shorter values"),
    (400, 'Bad request: Limit exceeded 4 > 2 for "oversampling". Help: …', ConfigError, "search_max_oversampling"),
    (400, "Bad request: Resident memory usage is at 91% of total memory. Help: …", ServiceError, "memory"),
    (400, "Bad request: Exact search disabled!. Help: Set exact=false.", ConfigError, "strict mode forbids"),
    (429, "Write rate limit exceeded, request larger than rate limiter capacity", ServiceError, "write_rate_limit"),
    (500, "Service internal error: No space left on device", ServiceError, "disk is full"),
    (500, "Service internal error: task panicked", TransientError, "run again"),
    (502, "Bad gateway", TransientError, "run again"),
    (503, "Service unavailable", TransientError, "run again"),
    (307, "elsewhere", ConfigError, "redirection"),
    (404, "Not found: No point with id 7 found", TransientError, "made the collection anew"),
    (404, "Not found: Collection `c` doesn't exist!", ServiceError, "run sync"),
]


@pytest.mark.parametrize(("status", "error", "kind", "remedy"), ANSWERS, ids=lambda given: str(given)[:20])
def test_an_answer_is_told_with_its_cause_and_a_remedy(
    server: QdrantServer, opened: Opened, status: int, error: str, kind: type[HeadraceError], remedy: str
) -> None:
    server.key = key = "a-secret-key"
    store = opened(key=key)
    store.ensure(8)
    server.faults = [Fault(WRITE, status, f"{error} {key}")]
    with pytest.raises(kind) as raised:
        store.upsert(columns(point()))
    text = str(raised.value)
    assert f"the collection c in {server.url}: {status} " in text
    assert error.strip() in text
    assert remedy in text
    assert key not in text
    assert isinstance(raised.value, TransientError) == (kind is TransientError)


def test_a_wish_to_be_asked_later_is_passed_on(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    for given, wished in {"7": 7.0, "Thu, 01 Jan 2026 00:00:00 GMT": None}.items():
        server.faults = [Fault(WRITE, 429, "Rate limiting exceeded", {"Retry-After": given})]
        with pytest.raises(TransientError, match="429") as raised:
            store.upsert(columns(point()))
        assert raised.value.retry_after_seconds == wished


@pytest.mark.parametrize("is_carried_out", [False, True])
@pytest.mark.parametrize("fault", [{"drops": True}, {"status": 503}])
def test_a_batch_that_fails_halfway_is_made_whole_by_the_next_run(
    server: QdrantServer, opened: Opened, fault: dict[str, int], is_carried_out: bool
) -> None:
    store, points = opened(), [point(f"{number}") for number in range(1300)]
    store.ensure(8)
    server.faults = [Fault(WRITE, passing=1, times=1, is_carried_out=is_carried_out, **fault)]  # type: ignore[arg-type]
    with pytest.raises(TransientError):
        store.upsert(columns(*points))
    store.upsert(columns(*points))
    holds(store, *points)


def test_a_batch_that_is_written_while_nobody_waits_any_more_is_written_once(
    server: QdrantServer, opened: Opened
) -> None:
    hasty, points = opened(seconds=1), [point(f"{number}") for number in range(50)]
    hasty.ensure(8)
    server.faults = [Fault(WRITE, times=1, seconds=1.5)]
    with pytest.raises(TransientError):
        hasty.upsert(columns(*points))
    store = opened()
    store.upsert(columns(*points))
    holds(store, *points)


@pytest.mark.parametrize("is_carried_out", [False, True])
def test_a_delete_that_fails_can_be_said_again(server: QdrantServer, opened: Opened, is_carried_out: bool) -> None:
    store, stays, goes = opened(), point("stays"), point("goes")
    store.ensure(8)
    store.upsert(columns(stays, goes))
    server.faults = [Fault("/points/delete", drops=True, times=1, is_carried_out=is_carried_out)]
    with pytest.raises(TransientError):
        store.delete([goes.id])
    store.delete([goes.id])
    holds(store, stays)


def test_a_write_that_is_not_applied_yet_is_not_taken_for_done(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    said = {"result": {"operation_id": 1, "status": "wait_timeout"}, "status": "ok", "time": 1.0}
    server.faults = [Fault(WRITE, 200, json.dumps(said).encode())]
    with pytest.raises(TransientError, match="wait_timeout"):
        store.upsert(columns(point()))


def test_a_server_that_takes_too_long_is_given_up(server: QdrantServer, opened: Opened) -> None:
    store = opened(seconds=1)
    store.ensure(8)
    server.faults = [Fault("/points/query", seconds=1.5)]
    with pytest.raises(TransientError, match=r"timed out.*firewall"):
        store.search(Query(ANYWHERE, 3))


@pytest.mark.parametrize(("status", "content"), [(200, b"<html>\xff"), (200, b"welcome"), (404, b""), (405, b"no")])
def test_what_is_no_qdrant_server_is_told_so(server: QdrantServer, opened: Opened, status: int, content: bytes) -> None:
    server.faults = [Fault("", status, content)]
    store = opened()
    for call in (store.sentinel, store.count, lambda: store.ensure(8)):
        with pytest.raises(ConfigError, match="no Qdrant server"):
            call()


def test_an_answer_of_another_form_is_told_so(server: QdrantServer, opened: Opened) -> None:
    server.faults = [Fault("GET /collections/c", 200, b'{"result": {"status": "purple"}}')]
    with pytest.raises(ServiceError, match="newer version"):
        opened().ensure(8)


def test_an_address_where_nobody_listens_is_a_passing_fault() -> None:
    with QdrantServer() as gone:
        url = gone.url
    store = QdrantServerStore(url, "c")
    with pytest.raises(TransientError, match="is the server up"):
        store.sentinel()
    store.close()


@pytest.mark.parametrize(
    ("cause", "kind", "remedy"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), ConfigError, "check the host"),
        (httpx.ConnectError("[Errno -3] Temporary failure in name resolution"), TransientError, "address"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] expired"), ConfigError, "certificate"),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong"), ConfigError, "https"),
        (httpx.RemoteProtocolError("Server disconnected"), TransientError, "is the server up"),
        (httpx.ReadTimeout(""), TransientError, "ReadTimeout"),
    ],
    ids=str,
)
def test_what_keeps_an_answer_from_coming_is_told(cause: Exception, kind: type[HeadraceError], remedy: str) -> None:
    error = translate(ResponseHandlingException(cause), "the collection c")
    assert type(error) is kind
    assert remedy in str(error)


def test_a_wrong_and_a_missing_key_are_told_apart_and_not_shown(server: QdrantServer, opened: Opened) -> None:
    server.key = "the-key"
    with pytest.raises(ConfigError, match="wants a key"):
        opened().sentinel()
    with pytest.raises(ConfigError, match="the key is wrong") as raised:
        opened(key="wrong-key").sentinel()
    assert "wrong-key" not in str(raised.value)
    assert opened(key="the-key").sentinel() is None


@pytest.mark.parametrize("key", ["secret\n", " secret", "secrét"])
def test_a_key_that_no_header_takes_is_refused_at_once_and_not_shown(opened: Opened, key: str) -> None:
    with pytest.raises(ConfigError, match="line break") as raised:
        opened(key=key)
    assert "secr" not in str(raised.value)


def test_a_key_that_travels_unencrypted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    for url, key in [("http://localhost:6333", "k"), ("https://host", "k"), ("http://host", "")]:
        QdrantServerStore(url, "c", key)
    assert caplog.messages == []
    QdrantServerStore("http://host", "c", "the-key")
    (message,) = caplog.messages
    assert "http://host:6333: the key and the texts go there unencrypted" in message
    assert "the-key" not in message


@pytest.mark.parametrize("url", ["host:6333", "postgresql://host", "http://", "grpc://host:6334"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="http://host:6333"):
        QdrantServerStore(url, "c")
