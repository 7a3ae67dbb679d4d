"""What holds for every provider behind an SDK of its own: all that the SDK may raise or let through has a meaning."""

import inspect
import json
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.embed.api import embedder as paying
from tasks.embed.api.dispatch import sizes
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import MalformedError, OutageError, RateLimitedError, RefusedError
from tasks.errors import ConfigError, HeadraceError, MissingExtraError, ServiceError
from tests.contracts.embedder_kinds import PAID, bench
from tests.contracts.test_paid_embedder import embed
from tests.odd_server import OddServer
from tests.provider_server import Fault

KINDS = ("cohere", "voyage", "gemini")
PRIVATE = "the secret recipe of the house of orange"
# Of doors that are not used here: functions that a model calls, and talks that are kept.
IMPOSSIBLE = {
    "UnknownFunctionCallArgumentError", "UnsupportedFunctionError", "FunctionInvocationError",
    "UnknownApiResponseError", "ContinuationInterruptedError",
}  # fmt: skip


class Reply(BaseHTTPRequestHandler):
    """Answers whatever it is told to."""

    protocol_version = "HTTP/1.1"
    status, content = 200, b""
    paths: list[str] = []  # noqa: RUF012 - emptied before each use

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, content = self.status, self.content  # an empty answer is read before it ends: the next one may be set
        self.paths.append(self.path)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        """Quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Reply)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=KINDS, scope="module")
def provider(request: pytest.FixtureRequest, address: str) -> Iterator[Any]:
    kind = PAID[request.param]
    config = kind.section.model_validate({**kind.settings, "api_key": "sk-test", "base_url": address})
    made = kind.provider(config)
    yield made
    made.close()


def outcome(provider: Any, status: int, content: bytes) -> object:
    """The answer, or what the dispatcher gets to see in its place."""
    Reply.status, Reply.content = status, content
    Reply.paths.clear()
    try:
        return provider.call(["a"], "document")
    except HeadraceError as error:
        return error
    except Exception as error:
        return provider.translate(error, Clock()) or error


def errors(*modules: str) -> list[type[Exception]]:
    """The exceptions that stand in an SDK's modules."""
    found = [value for name in modules for value in vars(import_module(name)).values()]
    classes = [value for value in found if inspect.isclass(value) and issubclass(value, Exception)]
    return [value for value in classes if not issubclass(value, Warning)]


def raised(error: type[Exception]) -> Exception:
    """One as its SDK makes them, with a document in it."""
    words = {"message": f"Bad input '{PRIVATE}'"}
    known = {"code": 400, "response_json": words, "body": words, "http_status": 400, "json_body": {"detail": words}}
    wanted = inspect.signature(error).parameters
    return error(**{name: value for name, value in known.items() if name in wanted})


def test_every_exception_of_coheres_sdk_has_a_meaning() -> None:
    import cohere.errors

    names = [f"cohere.errors.{one.name}" for one in pkgutil.iter_modules(cohere.errors.__path__)]
    classes = errors(*names, "cohere.core.api_error", "cohere.core.parse_error", "cohere.errors")
    assert len(classes) > 12
    assert_all_have_a_meaning("cohere", classes)


def test_every_exception_of_voyages_sdk_has_a_meaning() -> None:
    classes = errors("voyageai.error")
    assert len(classes) > 10
    assert_all_have_a_meaning("voyage", classes)


def test_every_exception_of_googles_sdk_has_a_meaning_or_cannot_come() -> None:
    classes = errors("google.genai.errors")
    assert {kind.__name__ for kind in classes} >= IMPOSSIBLE, "take out what is no longer there"
    assert_all_have_a_meaning("gemini", [kind for kind in classes if kind.__name__ not in IMPOSSIBLE])


def assert_all_have_a_meaning(name: str, classes: list[type[Exception]]) -> None:
    kind = PAID[name]
    provider = kind.provider(kind.section.model_validate({**kind.settings, "api_key": "sk-test"}))
    for error in classes:
        meaning = provider.translate(raised(error), Clock())
        assert isinstance(meaning, HeadraceError), error
        assert PRIVATE not in str(meaning), error


@pytest.mark.parametrize("name", KINDS)
def test_every_exception_of_the_http_library_has_a_meaning(name: str) -> None:
    kind = PAID[name]
    provider = kind.provider(kind.section.model_validate({**kind.settings, "api_key": "sk-test"}))
    for error in errors("httpx"):
        if issubclass(error, httpx.HTTPError | httpx.InvalidURL) and "request" in inspect.signature(error).parameters:
            made: Any = error
            wanted = inspect.signature(error).parameters
            meaning = provider.translate(
                made("x", **{part: None for part in ("request", "response") if part in wanted}), Clock()
            )
            assert isinstance(meaning, OutageError), error


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>a page</html>", b"[]", b'"x"', b"null", b"3", b"{}", b"\xff\xfe",
        b'{"embeddings": null}', b'{"embeddings": "x"}', b'{"embeddings": [1]}', b'{"embeddings": [{}]}',
        b'{"embeddings": [{"values": ["a"]}]}', b'{"embeddings": {"base64": ["!!"]}}',
        b'{"embeddings": {"base64": ["AAA="]}}', b'{"embeddings": {"base64": "AAAA"}}',
        b'{"embeddings": {"float": [["a"]]}}', b'{"embeddings": {"float": [null]}}', b'{"data": {}}', b'{"data": [3]}',
        b'{"data": [{"index": 0}]}', b'{"data": [{"index": [0], "embedding": "AACAPw=="}]}',
        b'{"data": [{"index": 1, "embedding": "AACAPw=="}]}', b'{"data": [{"index": 0, "embedding": "secret?"}]}',
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_malformed_and_quotes_nothing(provider: Any, content: bytes) -> None:
    made = outcome(provider, 200, content)
    if isinstance(made, Exception):
        assert isinstance(made, MalformedError)
        assert "secret" not in str(made)
    else:
        assert made.vectors == [], "which whoever asked for one sees"  # type: ignore[attr-defined]


def test_a_count_that_is_none_is_no_count(provider: Any) -> None:
    for count in (b'"x"', b"[]", b"-3", b"NaN", b"1e300"):
        made: Any = outcome(
            provider,
            200,
            b'{"embeddings": {"base64": ["AACAPw=="]}, "meta": {"billed_units": {"input_tokens": %b}},'
            b' "data": [{"index": 0, "embedding": "AACAPw=="}], "usage": {"total_tokens": %b}}' % (count, count),
        )
        assert isinstance(made, MalformedError) or made.billed_tokens is None


@pytest.mark.parametrize(
    "content", [b"", b"<html>secret</html>", b"\xff\xfe", b"[]", b'{"message": 3}', b'{"error": {"details": 3}}']
)
def test_a_status_counts_whatever_stands_under_it(provider: Any, content: bytes) -> None:
    """Pages of servers in between among them."""
    for status in (500, 502, 503, 504, 521, 529):
        made = outcome(provider, status, content)
        assert isinstance(made, OutageError), status
        assert made.may_be_billed == (status == 504)
    for status in (401, 403, 404, 501):
        assert isinstance(outcome(provider, status, content), ConfigError), status
    assert isinstance(outcome(provider, 402, content), ServiceError)
    assert isinstance(outcome(provider, 422, content), RefusedError)
    assert "secret" not in str(outcome(provider, 418, content))


@pytest.mark.parametrize("provider", ["cohere", "voyage"], indirect=True)  # Google's SDK drops what it does not know
def test_an_error_inside_a_good_answer_is_what_its_status_would_be(provider: Any) -> None:
    for content, kind in (
        (b'{"detail": "The server is busy"}', OutageError),
        (b'{"message": "no such model", "data": []}', ConfigError),
        (b'{"error": {"message": "internal", "code": 504}}', OutageError),
        (b'{"error": {"message": "too many", "code": "429"}}', RateLimitedError),
    ):
        made = outcome(provider, 200, content)
        assert isinstance(made, kind), made
    assert "busy" in str(outcome(provider, 200, b'{"detail": "The server is busy"}'))


def test_documents_are_sent_on_to_nobody(provider: Any) -> None:
    for status in (301, 302, 307, 308):
        for content in (b"{}", b"<html>moved</html>"):
            assert isinstance(outcome(provider, status, content), ConfigError), status
            assert len(Reply.paths) == 1


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_has_an_end_in_time_and_in_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n{"
    monkeypatch.setattr(sizes, "BASE_SECONDS", 0.5)
    monkeypatch.setattr(sizes, "LONGEST_SECONDS", 0.5)
    with bench(PAID[name], tmp_path) as paid:
        slow = OddServer(head + b" " * 100, delay_seconds=0.1, block=1)
        with slow as server, pytest.raises(ServiceError, match="needs more than"):
            embed(paid.open(base_url=server.url), ["a"])
        monkeypatch.setattr(sizes, "LONGEST_SECONDS", 600.0)
        monkeypatch.setattr(sizes, "BASE_SECONDS", 60.0)
        monkeypatch.setattr(paying, "ANSWER_BYTES", 100_000)
        with OddServer(head + b" " * 9_000_000) as server, pytest.raises(ServiceError, match="is larger than"):
            embed(paid.open(base_url=server.url), ["a"])


@pytest.mark.parametrize("name", KINDS)
def test_the_words_of_a_server_are_told(name: str, tmp_path: Path) -> None:
    with bench(PAID[name], tmp_path) as paid:
        paid.server.faults.append(Fault(403, message="this country is not served"))
        with pytest.raises(ConfigError, match="answered 403: this country is not served; check"):
            embed(paid.open(), ["a"])


def test_no_sdk_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, json; import flows.cli; from config import embedders; from tasks.embed.open import open_embedder\n"
        "sections = (embedders.CohereEmbedder, embedders.VoyageEmbedder, embedders.GeminiEmbedder)\n"
        "for section in sections:\n"
        "    kind = section.model_fields['kind'].annotation.__args__[0]\n"
        "    embedder = open_embedder(section(kind=kind)); embedder.space; embedder.tokenizer.count(['a'])\n"
        "print(json.dumps([name for name in ('cohere', 'voyageai', 'google.genai') if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


@pytest.mark.parametrize("name", KINDS)
def test_a_package_that_is_missing_is_named_as_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = PAID[name]
    provider = kind.provider(kind.section.model_validate({**kind.settings, "api_key": "sk-test"}))
    monkeypatch.setattr("tasks.embed.models.find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=rf"pip install -e '\.\[{name}\]'"):
        _ = provider.account
