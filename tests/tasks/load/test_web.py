"""Web sources reach the open internet and nothing else, and no server decides how much is read."""

import gzip
from collections.abc import Iterator

import pytest

from config.sources import FilesSource
from tasks.errors import ConfigError, DocumentError, TransientError
from tasks.load.web import listing as web
from tasks.load.web.address_guard import AddressPolicy, ForbiddenAddressError, is_public
from tasks.load.web.site import WebFiles
from tests.web_server import Site, links


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


def source(url: str, **settings: object) -> WebFiles:
    values = {"kind": "files", "path": url, "name": "web", "private_network": True, **settings}
    return WebFiles(FilesSource.model_validate(values))


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
    monkeypatch.setattr("tasks.load.url_root.policy_for", lambda *_, **__: policy)
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
