"""Web sources reach the open internet and nothing else, and no server decides how much is read."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from config.sources import FilesSource
from tasks.errors import ConfigError, DocumentError, TransientError
from tasks.load.files.remote import RemoteFiles
from tasks.load.web import listing as web
from tasks.load.web.address_guard import AddressPolicy, ForbiddenAddressError, is_public

Pages = dict[str, tuple[int, bytes, Mapping[str, str]]]


class Site:
    """Pages by path; `asked` are the paths that were requested."""

    def __init__(self) -> None:
        self.pages: Pages = {}
        self.make: Callable[[str], bytes | None] = lambda _path: None
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def page(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        self.pages[path] = (status, content, {name.replace("_", "-"): value for name, value in headers.items()})

    def _handler(site: "Site") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler below
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                made = site.make(self.path)
                missing = (404, b"none", {})
                status, content, headers = (200, made, {}) if made else site.pages.get(self.path, missing)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
                """Quiet."""

        return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def source(url: str, **settings: object) -> RemoteFiles:
    values = {"kind": "files", "path": url, "name": "web", "private_network": True, **settings}
    return RemoteFiles(FilesSource.model_validate(values))


def links(*hrefs: str) -> bytes:
    return "".join(f'<a href="{href}">x</a>' for href in hrefs).encode()


def test_pages_below_the_root_are_read(site: Site) -> None:
    site.page("/docs/", links("a.md", "sub/", "/elsewhere/b.md", "http://127.0.0.1:9/c.md", "../up.md"))
    site.page("/docs/sub/", links("d.md"))
    site.page("/docs/a.md", b"# A")
    site.page("/docs/sub/d.md", b"# D")
    made = source(f"{site.url}/docs")
    listing = made.list()
    assert [ref.path for ref in listing.refs] == ["a.md", "sub/d.md"]
    assert not listing.failed
    assert [made.read(ref).text for ref in listing.refs] == ["# A", "# D"]


def test_a_private_address_is_refused_before_anything_is_sent(site: Site) -> None:
    listing = source(f"{site.url}/docs", private_network=False).list()
    [failed] = listing.failed
    assert failed.prefix == "web:"
    assert "private_network: true" in failed.reason
    assert site.asked == []


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_other_spellings_of_a_private_address_are_refused_too(site: Site, host: str) -> None:
    listing = source(f"http://{host}:{site.port}/docs", private_network=False).list()
    assert listing.failed
    assert not listing.refs
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2002:a9fe:a9fe::", False),
        ("2001::1", False),
        ("not an address", False),
    ],
)
def test_only_the_open_internet_is_public(address: str, *, public: bool) -> None:
    assert is_public(address) is public


def test_one_private_answer_among_public_ones_refuses_the_name() -> None:
    import asyncio

    class Names:
        async def resolve(self, _host: str, _port: int, _family: int) -> list[dict[str, str]]:
            return [{"host": "93.184.215.14"}, {"host": "169.254.169.254"}]

    resolver = web._CheckedResolver(AddressPolicy("web"), Names())
    with pytest.raises(ForbiddenAddressError, match=r"rebound\.example has the address 169\.254\.169\.254"):
        asyncio.run(resolver.resolve("rebound.example", 443))


def test_a_redirect_is_checked_like_a_first_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site itself counts as public here; the cloud's metadata address does not."""
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    policy = AddressPolicy("web", allows=lambda address: address == "127.0.0.1", ports=None)
    monkeypatch.setattr("tasks.load.files.remote.policy_for", lambda *_, **__: policy)
    made = source(f"{site.url}/docs")
    [listed] = made.list().refs
    with pytest.raises(DocumentError, match=r"169\.254\.169\.254") as caught:
        made.read(listed)
    assert caught.value.reason == "forbidden-address"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://user:pw@127.0.0.1/x"])
def test_a_redirect_to_another_scheme_or_with_credentials_is_refused(site: Site, target: str) -> None:
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", b"", 302, Location=target)
    made = source(f"{site.url}/docs")
    with pytest.raises(Exception, match=r"redirect|file") as caught:
        made.read(made.list().refs[0])
    assert "root:" not in str(caught.value)


def test_a_loop_of_redirects_ends(site: Site) -> None:
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", b"", 302, Location="/docs/a.md")
    made = source(f"{site.url}/docs")
    [listed] = made.list().refs
    site.asked.clear()
    with pytest.raises(Exception, match="cannot be read"):
        made.read(listed)
    assert len(site.asked) == web.REDIRECTS + 1


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_body_larger_than_the_limit_is_not_swallowed(site: Site, *, packed: bool) -> None:
    site.page("/docs/", links("a.md"))
    body = b"x" * 3_000_000
    headers = {"Content_Encoding": "gzip"} if packed else {}
    site.page("/docs/a.md", gzip.compress(body) if packed else body, **headers)
    made = source(f"{site.url}/docs", max_bytes=100_000)
    with pytest.raises(DocumentError) as caught:
        made.read(made.list().refs[0])
    assert caught.value.reason == "too-large"


def test_an_endless_calendar_makes_the_listing_incomplete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LISTED", 40)
    site.make = lambda path: links(f"{path}next/", f"{path}day.md") if path.endswith("/") else b"# Day"
    listing = source(f"{site.url}/calendar").list()
    [failed] = listing.failed
    assert (failed.prefix, listing.refs != ()) == ("web:", True)
    assert "more than" in failed.reason


def test_credentials_in_the_address_are_refused() -> None:
    with pytest.raises(ConfigError, match="user name or password") as caught:
        source("https://me:canary@docs.example/x")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "wish"),
    [(429, {"Retry_After": "7"}, 7.0), (503, {}, None), (304, {}, None), (204, {}, None)],
)
def test_an_answer_without_the_page_is_no_empty_page(
    site: Site, status: int, headers: dict[str, str], wish: float | None
) -> None:
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", b"", status, **headers)
    made = source(f"{site.url}/docs")
    [ref] = made.list().refs
    with pytest.raises(TransientError, match=rf"/docs/a\.md answers {status}") as found:
        made.read(ref)
    assert found.value.retry_after_seconds == wish


def test_a_server_that_cannot_list_now_has_an_outage(site: Site) -> None:
    site.page("/docs/", b"busy", 500)
    [scope] = source(f"{site.url}/docs").list().failed
    assert scope.is_outage
    [scope] = source(f"{site.url}/nowhere").list().failed
    assert not scope.is_outage
