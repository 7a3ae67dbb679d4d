"""A configured Prefect server is waited for, and its absence is a failure that says what to do."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from config.prefect_api import PrefectApi
from tasks.errors import ConfigError, ServiceError
from tasks.runners import prefect_server
from tasks.runners.prefect_server import await_server, hurried, meaning
from tests import forked
from tests.conftest import Pipeline
from tests.odd_server import OddServer, http

HTML = http("200 OK", "<!doctype html>", "text/html")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the real ones."""
    monkeypatch.setattr(prefect_server, "WAIT_SECONDS", 2.0)
    monkeypatch.setattr(prefect_server, "QUIET_SECONDS", 0.4)
    monkeypatch.setattr(prefect_server, "POLL_SECONDS", 0.1)


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that never answer well, so that nothing depends on how long they are waited for."""
    monkeypatch.setattr(prefect_server, "WAIT_SECONDS", 0.5)
    monkeypatch.setattr(prefect_server, "QUIET_SECONDS", 0.1)


@pytest.fixture
def refusing() -> Iterator[socket.socket]:
    """A port at which nobody listens yet."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken


def url_of(taken: socket.socket) -> str:
    return f"http://127.0.0.1:{taken.getsockname()[1]}/api"


def asked(url: str) -> list[str]:
    """What was said while waiting."""
    lines: list[str] = []
    await_server(PrefectApi(url, "PREFECT_API_URL in the environment"), lines.append)
    return lines


def test_a_server_that_answers_at_once_is_not_talked_of() -> None:
    with OddServer(http("200 OK")) as server:
        assert asked(server.url) == []
    assert server.requests[0].startswith(b"GET /api/health ")


def test_a_slow_server_is_waited_for_and_a_person_is_told() -> None:
    with OddServer(http("200 OK"), delay_seconds=1.0) as server:
        assert asked(server.url) == [f"waiting up to 2 s for the Prefect server at {server.url}"]
    assert len(server.requests) == 1, "a slow answer is awaited, not asked for again"


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "429 Too Many Requests"])
def test_a_server_that_is_being_restarted_is_asked_again(status: str) -> None:
    ill = http(status, "<html></html>", "text/html")
    with OddServer(ill, b"", b"SSH-2.0-what\r\n", http("200 OK")) as server:
        asked(server.url)
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_who_may_ask_for_what_is_left_to_the_first_request_of_the_run(status: str) -> None:
    with OddServer(http(status)) as server:
        assert asked(server.url) == []


@pytest.mark.parametrize(
    ("answer", "delay_seconds", "block", "problem"),
    [
        (http("200 OK"), 60.0, 1000, "no whole answer"),
        (http("200 OK"), 0.1, 1, "no whole answer"),
        (http("500 Internal Server Error"), 0.0, 1000, "it answers 500 Internal Server Error"),
        (b"SSH-2.0-what\r\n", 0.0, 1000, "SSH-2.0-what"),
        (b"", 0.0, 1000, "closed connection without response"),
    ],
    ids=["silent", "drop by drop", "ill", "another protocol", "hangs up"],
)
@pytest.mark.usefixtures("short_patience")
def test_a_server_that_never_answers_well_fails_the_run_in_time(
    answer: bytes, delay_seconds: float, block: int, problem: str
) -> None:
    started = time.monotonic()
    with (
        OddServer(answer, delay_seconds=delay_seconds, block=block) as server,
        pytest.raises(ServiceError, match=problem) as caught,
    ):
        asked(server.url)
    assert time.monotonic() - started < 20
    for words in (
        server.url,
        "tried for 0.5 s",
        "PREFECT_API_URL in the environment",
        "nothing was written",
        "--direct",
    ):
        assert words in str(caught.value)


@pytest.mark.usefixtures("short_patience")
def test_a_server_that_is_not_running_fails_the_run(refusing: socket.socket) -> None:
    with pytest.raises(ServiceError, match="Connection refused"):
        asked(url_of(refusing))


def test_a_server_that_is_started_meanwhile_is_found(refusing: socket.socket) -> None:
    def listen() -> None:
        time.sleep(0.8)
        refusing.listen()
        asker, _ = refusing.accept()
        with asker:
            asker.sendall(http("200 OK"))

    threading.Thread(target=listen, daemon=True).start()
    assert len(asked(url_of(refusing))) == 1


@pytest.mark.usefixtures("short_patience")
def test_whoever_waits_for_a_server_that_does_not_take_the_run_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_server, "TAKEN", taken := threading.Event())
    lines: list[str] = []
    with hurried(lines.append):
        time.sleep(0.8)
    assert [("has not taken the run" in line, "database is locked" in line) for line in lines] == [(True, True)]
    taken.set()
    with hurried(lines.append):
        time.sleep(0.8)
    assert len(lines) == 1


@pytest.mark.parametrize("url", ["127.0.0.1:4200/api", "ftp://host/api", "http://", "http://[::1/api", "http://h:x/"])
def test_what_is_no_url_of_an_api_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL such as"):
        asked(url)


def test_a_web_page_in_place_of_the_api_is_a_wrong_setting() -> None:
    with OddServer(HTML) as server, pytest.raises(ConfigError, match=r"a web page answers .* ends in /api"):
        asked(server.url)


@pytest.mark.usefixtures("short_patience")
def test_a_password_in_the_url_is_not_repeated() -> None:
    with OddServer(http("500 Ill")) as server, pytest.raises(ServiceError) as caught:
        asked(server.url.replace("http://", "http://user:canary@"))
    assert "canary" not in str(caught.value)


@pytest.mark.usefixtures("short_patience")
def test_a_run_whose_server_is_away_writes_nothing_and_says_how_to_go_on(
    pipeline: Pipeline, refusing: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url_of(refusing))
    before = sorted(pipeline.folder.rglob("*"))
    done = pipeline.run("sync", str(pipeline.config), "--json")
    assert (done.code, done.json["outcome"], done.json["exit_code"]) == (70, "failed", 70)
    assert "does not answer" in done.json["error"]
    assert "waiting up to 0.5 s for the Prefect server" in done.err
    assert sorted(pipeline.folder.rglob("*")) == before
    done = pipeline.run("sync", str(pipeline.config), "--json", "--direct")
    assert (done.code, done.json["outcome"]) == (0, "done")
    assert "waiting" not in done.err


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("401 Unauthorized", 2, "set PREFECT_API_KEY"),
        ("404 Not Found", 2, "ends in /api"),
        ("500 Internal Server Error", 70, "Look into its log"),
    ],
)
def test_a_server_that_refuses_the_run_says_why(pipeline: Pipeline, status: str, code: int, words: str) -> None:
    with OddServer(http("200 OK"), http(status)) as server:
        environment = {**os.environ, "PREFECT_API_URL": server.url}
        done = forked.run(["-m", "flows.cli", "sync", str(pipeline.config), "--json"], environment)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)["error"]
    for part in (words, status[:3], "--direct"):
        assert part in told
    assert not (pipeline.folder / "state").exists()


def test_a_run_is_direct_where_no_server_is_set(pipeline: Pipeline) -> None:
    done = pipeline.run("sync", str(pipeline.config))
    assert (done.code, "Prefect" in done.err) == (0, False)


def test_a_run_is_either_tracked_or_direct(pipeline: Pipeline) -> None:
    done = pipeline.run("sync", str(pipeline.config), "--track", "--direct")
    assert (done.code, "does not go together with" in done.err) == (2, True)


def wrapped(error: Exception) -> Exception:
    """As Prefect hands on what its client met: seen with a locked database at the concurrency slots."""
    from prefect.concurrency._asyncio import ConcurrencySlotAcquisitionError

    outer = ConcurrencySlotAcquisitionError("Unable to acquire concurrency slots")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("wrap", [wrapped, lambda error: error])
def test_a_locked_database_is_named_however_prefect_says_it(wrap: Callable[[Exception], Exception]) -> None:
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs/")
    busy = httpx.HTTPStatusError("503", request=request, response=httpx.Response(503, request=request))
    for error in (busy, httpx.ReadTimeout("")):
        meant = meaning(wrap(error))
        assert isinstance(meant, ServiceError)
        assert "its database is locked" in str(meant)
        assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" in str(meant)
    assert meaning(wrap(ValueError("ours"))) is None
