"""A bucket on moto's server, in ten pages: what a listing costs, and what a page that fails means."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest

from config.sources import FilesSource
from tasks.errors import TransientError
from tasks.load.base import Source
from tasks.load.labels import Labelled, Verdict
from tasks.load.open import open_source
from tests.bucket_server import bucket

pytest.importorskip("s3fs")
OBJECTS = 200
PAGES = 10


class Proxy:
    """Before the server; `asked` are the paths of requests, and answers whose number is in `fails` are errors."""

    def __init__(self, target: str) -> None:
        self.asked: list[str] = []
        self.fails: range = range(0)
        self.status = 500
        self.owners: dict[str, str] = {}  # by key, where it is another than moto's one
        self.client = httpx.Client(base_url=target)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def _handler(proxy: "Proxy") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.asked.append(self.path)
                answer: httpx.Response | SimpleNamespace
                if len(proxy.asked) in proxy.fails:
                    answer = SimpleNamespace(status_code=proxy.status, content=b"")
                else:
                    few = f"&max-keys={OBJECTS // PAGES}" if "list-type=2" in self.path else ""
                    answer = proxy.client.request(self.command, self.path + few, headers=dict(self.headers))
                content = _owned(answer.content, proxy.owners)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Type", "application/xml")
                self.end_headers()
                self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


def _owned(content: bytes, owners: dict[str, str]) -> bytes:
    for key, owner in owners.items():
        pattern = rf"(<Key>{key}</Key>(?:(?!</Contents>).)*<ID>)[^<]*"
        content = re.sub(pattern.encode(), rb"\g<1>" + owner.encode(), content, flags=re.DOTALL)
    return content


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    import os

    import fsspec
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    with ExitStack() as stack:
        stack.enter_context(bucket())
        made = Proxy(os.environ["AWS_ENDPOINT_URL"])
        stack.callback(made.client.close)
        stack.callback(made.server.server_close)
        stack.callback(made.server.shutdown)
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for number in range(OBJECTS):
            backend.put_object("trial", f"docs/{number // 10:03}/{number:05}.md", f"# Page {number}\n".encode())
        yield made
        fsspec.get_filesystem_class("s3").clear_instance_cache()


def opened(**settings: object) -> Source:
    return open_source(FilesSource.model_validate({"path": "s3://trial/docs", "name": "s", **settings}))


def test_a_listing_costs_a_request_for_each_page(proxy: Proxy) -> None:
    source = opened()
    first = source.list()
    assert (len(first.refs), first.failed) == (OBJECTS, ())
    assert len(proxy.asked) == PAGES
    assert source.read(first.refs[-1]).text == "# Page 199\n"
    proxy.asked.clear()
    assert source.list() == first
    assert len(proxy.asked) == PAGES
    assert all(ref.hint for ref in first.refs)


@pytest.mark.parametrize(("page", "status"), [(3, 500), (3, 404), (10, 403)])
def test_a_page_that_fails_makes_the_listing_incomplete(proxy: Proxy, page: int, status: int) -> None:
    proxy.fails, proxy.status = range(page, 1000), status
    listing = opened().list()
    assert [scope.prefix for scope in listing.failed] == ["s:"]
    proxy.fails = range(0)
    assert len(opened().list().refs) == OBJECTS


MOTO = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"


def test_an_object_is_read_by_the_account_that_owns_it(proxy: Proxy) -> None:
    config = FilesSource.model_validate({"path": "s3://trial/docs", "name": "s", "acl": {"owner": "s3"}})
    source = Labelled(open_source(config), config, has_readers=True)
    before = source.list().refs
    assert len(proxy.asked) == PAGES, "owners come with the listing"
    assert source.read(before[0]).metadata["readers"] == [MOTO]

    proxy.owners = {"docs/000/00003.md": "abc", "docs/000/00004.md": ""}
    assert source.read(before[3]).metadata["readers"] == ["abc"], "it was written anew meanwhile"
    after = source.list().refs
    assert [ref.path for ref, other in zip(after, before, strict=True) if ref != other] == [
        "000/00003.md",
        "000/00004.md",
    ]
    proxy.asked.clear()
    assert [source.verdict(ref) for ref in after[2:5]] == [
        Verdict((MOTO,)),
        Verdict(("abc",)),
        Verdict((), "nobody may read it: its owner is not told by the bucket"),
    ]
    assert proxy.asked == []
    assert source.read(after[4]).metadata["readers"] == []


def test_a_bucket_that_does_not_say_who_owns_an_object_makes_it_no_guess(proxy: Proxy) -> None:
    config = FilesSource.model_validate({"path": "s3://trial/docs/000/00003.md", "name": "s", "acl": {"owner": "s3"}})
    source = Labelled(open_source(config), config, has_readers=True)
    (ref,) = source.list().refs
    assert source.read(ref).metadata["readers"] == [MOTO]
    proxy.fails, proxy.status = range(len(proxy.asked) + 4, 1000), 403
    with pytest.raises(TransientError, match="owner"):
        source.read(ref)
