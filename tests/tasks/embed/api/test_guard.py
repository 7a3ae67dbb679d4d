"""An answer has an end, in time and in bytes, and documents go to the configured server alone."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.embed.api import embedder as paying
from tasks.embed.api.dispatch import sizes
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed, spent
from tests.odd_server import OddServer, http


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["openai"], tmp_path) as made:
        yield made


GOOD = json.dumps({"data": [{"index": 0, "embedding": base64.b64encode(np.ones(8, "<f4").tobytes()).decode()}]})
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("block", [1, 60], ids=["head", "body"])
def test_an_answer_that_drips_is_given_up(paid: Bench, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Each byte comes in time for a limit on each read."""
    monkeypatch.setattr(sizes, "BASE_SECONDS", 1.0)
    monkeypatch.setattr(sizes, "LONGEST_SECONDS", 1.0)
    answer = f"{HEAD}Content-Length: 100000\r\n\r\n{{{' ' * 100_000}".encode()
    with OddServer(answer, delay_seconds=0.2, block=block) as server:
        embedder = paid.open(base_url=server.url, usd_per_million_tokens=1.0)
        with pytest.raises(ServiceError, match="needs more than 1 s for a request of 1 texts"):
            embed(embedder, ["a"])
    assert len(server.requests) == 2
    assert spent(paid) == pytest.approx(2 / 1e6), "it may have been billed each time"


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
def test_an_answer_without_end_is_not_read_to_its_end(
    paid: Bench, monkeypatch: pytest.MonkeyPatch, is_packed: bool
) -> None:
    monkeypatch.setattr(paying, "ANSWER_BYTES", 100_000)
    body = b"{" + b" " * 20_000_000
    head = HEAD + ("Content-Encoding: gzip\r\n" if is_packed else "")
    packed = gzip.compress(body) if is_packed else body
    with OddServer(f"{head}Content-Length: {len(packed)}\r\n\r\n".encode() + packed) as server:
        embedder = paid.open(base_url=server.url, usd_per_million_tokens=1.0)
        with pytest.raises(ServiceError, match="the answer is larger than 100256 bytes"):
            embed(embedder, ["a"])
    assert len(server.requests) == 2, "as for every answer that does not fit"
    assert spent(paid) == pytest.approx(2 / 1e6)


@pytest.mark.parametrize("packed", ["zstd", "br", "gzip, gzip", "compress"])
def test_an_answer_that_could_unpack_to_anything_is_not_unpacked(paid: Bench, packed: str) -> None:
    answer = http("200 OK", GOOD).replace(b"\r\n\r\n", f"\r\nContent-Encoding: {packed}\r\n\r\n".encode(), 1)
    with OddServer(answer) as server, pytest.raises(ServiceError, match=rf"packed as '{packed}'"):
        embed(paid.open(base_url=server.url), ["a"])
    assert b"accept-encoding: gzip, deflate" in server.requests[0].lower()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_documents_are_not_sent_on_to_another_server(paid: Bench, status: str) -> None:
    location = f"http://user:secret@{paid.server.url.removeprefix('http://')}/embeddings?key=secret"
    answer = f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with OddServer(answer.encode()) as server:
        with pytest.raises(ConfigError, match=r"documents go to no server") as caught:
            embed(paid.open(base_url=server.url), ["a private text"])
        assert server.url.removesuffix("/api") in str(caught.value)
        assert f"set embedder.base_url to {paid.server.url}" in str(caught.value)
        assert "secret" not in str(caught.value)
    assert paid.server.requests == []
    assert spent(paid) == 0


def test_a_server_may_send_requests_on_to_another_path_of_its_own(paid: Bench) -> None:
    answer = b"HTTP/1.1 307 Temporary\r\nLocation: /v2/embeddings\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with OddServer(answer, http("200 OK", GOOD)) as server:
        assert len(embed(paid.open(base_url=server.url), ["a"])) == 1
    assert server.requests[1].startswith(b"POST /v2/embeddings")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
def test_documents_are_not_lost_on_the_way_to_another_path(paid: Bench, status: str) -> None:
    """After these the library asks with GET, and no text goes along."""
    answer = f"HTTP/1.1 {status}\r\nLocation: /v2/embeddings\r\nContent-Length: 0\r\n\r\n".encode()
    with OddServer(answer) as server, pytest.raises(ConfigError, match=r"set embedder\.base_url to http\S+/v2$"):
        embed(paid.open(base_url=server.url, usd_per_million_tokens=1.0), ["a"])
    assert (len(server.requests), spent(paid)) == (1, 0.0)


def test_a_circle_of_addresses_is_left_soon(paid: Bench) -> None:
    answer = b"HTTP/1.1 308 On\r\nLocation: /api/embeddings\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with OddServer(answer) as server, pytest.raises(ConfigError, match="from one address of its own to the next"):
        embed(paid.open(base_url=server.url, usd_per_million_tokens=1.0), ["a"])
    assert (len(server.requests), spent(paid)) == (4, 0.0)


def test_nobody_sends_requests_on_to_an_address_without_encryption() -> None:
    from tasks.embed.api.guard import _check_redirect

    _check_redirect("http://host/v1/embeddings", "https://host/v1/embeddings")
    with pytest.raises(HeadraceError, match=r"https://host sends requests on to http://host"):
        _check_redirect("https://host/v1/embeddings", "http://host/v1/embeddings")
