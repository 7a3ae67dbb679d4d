"""What servers and proxies answer, as our errors."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from tasks.errors import CollectionError, ConfigError, HeadraceError, ServiceError, TransientError
from tasks.records import Filter, Query
from tasks.upsert.chroma.connection import Connection, Database
from tasks.upsert.chroma.server import RemoteServer
from tasks.upsert.chroma.store import ChromaStore
from tests.chroma_server import ChromaServer, shared_server
from tests.odd_server import OddServer, http
from tests.points import Point, columns

TOKEN = "ck-very-secret"


def said(kind: str, message: str) -> str:
    return json.dumps({"error": kind, "message": message})


def opened(url: str, **fields: str) -> ChromaStore:
    given = {"token": TOKEN, "tenant": "default_tenant", "database": "default_database", **fields}
    return ChromaStore(RemoteServer(url.removesuffix("/api"), **given), "notes")


ANSWERS: dict[str, tuple[bytes, type[HeadraceError], str]] = {
    "401": (http("401 No", f"token {TOKEN} is wrong"), ConfigError, "set `token` under `store`"),
    "403": (http("403 No", said("AuthError", "Forbidden")), ConfigError, "set `token` under `store`"),
    "404 of a proxy": (http("404 No", "nothing here"), ConfigError, "expected a Chroma server of version 1.5"),
    "405": (http("405 No", "no"), ServiceError, "API v2"),
    "410": (http("410 Gone", said("Unimplemented", "The v1 API is deprecated")), ConfigError, "name the server itself"),
    "413": (http("413 No", "Payload too large"), ServiceError, "max_payload_size_bytes"),
    "422": (http("422 No", said("ChromaError", "did not match")), ServiceError, "version 1.5"),
    "429": (http("429 No", said("RateLimitError", "slow down")), TransientError, "slow down; .* try again later"),
    "502": (http("502 No", "<html>Bad Gateway</html>"), TransientError, "try again"),
    "503": (http("503 No", ""), TransientError, "nothing; .* try again"),
    "504": (http("504 No", ""), TransientError, "slow"),
    "500": (http("500 No", said("InternalError", "Error loading hnsw index")), ServiceError, "hnsw index; .*backup"),
    "full": (http("500 No", said("InternalError", "database or disk is full")), ServiceError, "free some space"),
    "quota": (http("400 No", said("QuotaError", "Number of records")), ServiceError, "quota"),
    "dimension": (
        http("400 No", said("InvalidArgumentError", "Collection expecting embedding with dimension of 8, got 7")),
        CollectionError,
        "another model",
    ),
    "redirect": (http("301 Moved", ""), ConfigError, "address that this one leads to"),
    "no JSON": (http("200 OK", "<html>"), ConfigError, "something else than JSON"),
    "odd 400": (http("400 No", "hm"), ServiceError, "400: hm"),
}


@pytest.mark.parametrize(("answer", "kind", "words"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_becomes_our_error_without_the_token(answer: bytes, kind: type[HeadraceError], words: str) -> None:
    with OddServer(answer) as server, opened(server.url) as store, pytest.raises(kind, match=words) as raised:
        store.ensure(8)
    assert type(raised.value) is kind
    assert TOKEN not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


def test_the_token_is_sent_as_cloud_and_proxies_read_it() -> None:
    with OddServer(http("503 No", "")) as server, opened(server.url) as store, pytest.raises(TransientError):
        store.count()
    head = server.requests[0].decode().lower()
    assert f"x-chroma-token: {TOKEN}" in head
    assert f"authorization: bearer {TOKEN}" in head


def test_a_servers_own_wish_for_a_delay_is_kept() -> None:
    answer = http("429 No", "").replace(b"\r\n\r\n", b"\r\nRetry-After: 7\r\n\r\n")
    with OddServer(answer) as server, opened(server.url) as store, pytest.raises(TransientError) as raised:
        store.count()
    assert raised.value.retry_after_seconds == 7


def test_a_server_that_is_not_there_may_be_tried_again() -> None:
    with opened("http://127.0.0.1:9") as store, pytest.raises(TransientError, match=r"127.0.0.1:9 cannot be reached"):
        store.count()


def test_a_slow_server_is_given_up() -> None:
    with OddServer(http("200 OK", "1"), delay_seconds=5) as server:
        database = Database(server.url.removesuffix("/api"), "t", "d", "the server", "try again")
        with pytest.raises(TransientError, match="the server did not answer in time; try again"):
            Connection(database, answer_seconds=0.2).call("GET", "heartbeat")


def test_a_password_in_the_address_is_not_told() -> None:
    with opened(f"http://ann:{TOKEN}@127.0.0.1:9") as store, pytest.raises(TransientError) as raised:
        store.count()
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("fields", [{"database": "none"}, {"tenant": "none"}])
def test_a_database_that_is_not_there_is_named(fields: dict[str, str]) -> None:
    with (
        opened(shared_server().url, **fields) as store,
        pytest.raises(ConfigError, match=r"Database \[.*correct `database` and `tenant`"),
    ):
        store.ensure(8)


def test_a_server_that_goes_in_the_middle_may_be_tried_again(make_points: Callable[[int], list[Point]]) -> None:
    points = make_points(30)
    with ChromaServer() as server, opened(server.url) as store:
        store.ensure(8)
        store.upsert(columns(*points[:20]))
        server.kill()
        with pytest.raises(TransientError, match="cannot be reached"):
            store.upsert(columns(*points[10:]))
        server.start()
        store.upsert(columns(*points[10:]))
        assert store.count() == 30
        assert len(store.search(Query(np.ones(8, dtype=np.float32), 50, [Filter("document", "in", ("a",))]))) == 30


@pytest.mark.parametrize("token", ["secret\n", "sec ret", "s\u00e9cret", "secret\r\n", "\ufeffsecret"])
def test_a_token_that_no_header_takes_is_refused_at_once_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="`token` under `store` has blanks or odd characters") as raised:
        opened("http://127.0.0.1:9/api", token=token).count()
    assert "cret" not in str(raised.value).removeprefix("`token`")
