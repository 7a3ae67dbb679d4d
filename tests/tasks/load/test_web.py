"""Web sources reach the open internet and nothing else, and no server decides how much is read."""

import asyncio
import contextlib
import gzip
import socket
import threading
import zlib
from collections.abc import Iterator

import pytest

from config.sources import FilesSource
from tasks.errors import ConfigError, DocumentError, TransientError
from tasks.load.parse.isolated import child
from tasks.load.web import connections, fetch
from tasks.load.web import listing as web
from tasks.load.web.address_guard import AddressPolicy, ForbiddenAddressError, is_public, policy_for
from tasks.load.web.site import WebFiles
from tests.web_server import Site, links

NEARLY_PUBLIC = (
    *("168.63.129.16", "::ffff:168.63.129.16", "192.88.99.1", "198.18.0.1", "240.0.0.1", "255.255.255.255"),
    *("::127.0.0.1", "::a9fe:a9fe", "::8.8.8.8", "::", "fec0::1", "feff::1", "5f00::1", "3fff::1", "3fff:fff::1"),
    *("2001:db8::1", "2001:1::1", "2001:20::1", "100::1", "4000::1", "9000::1", "ff02::1", "::ffff:0:7f00:1"),
    *("fe80::1%eth0", "0177.0.0.1", "127.1", "0x7f000001", "2130706433", "127.0.0.1.", ""),
)


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
    assert f"private_network: ['127.0.0.1:{site.port}']" in failed.reason
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
        *((address, False) for address in NEARLY_PUBLIC),
        ("not an address", False),
    ],
)
def test_only_the_open_internet_is_public(address: str, *, public: bool) -> None:
    assert is_public(address) is public


def test_one_private_answer_among_public_ones_refuses_the_name() -> None:
    class Names:
        async def resolve(self, _host: str, _port: int, _family: int) -> list[dict[str, str]]:
            return [{"host": "93.184.215.14"}, {"host": "169.254.169.254"}]

    resolver = connections.CheckedResolver(AddressPolicy("web"), Names())
    with pytest.raises(ForbiddenAddressError, match=r"rebound\.example has the address 169\.254\.169\.254"):
        asyncio.run(resolver.resolve("rebound.example", 443))


@pytest.fixture
def other() -> Iterator[Site]:
    with Site() as server:
        server.page("/secret", b"# Secret")
        yield server


def redirected(site: Site, target: str, private_network: object) -> str:
    """What a document says that is redirected to another place."""
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", b"", 302, Location=target)
    made = source(f"{site.url}/docs", private_network=private_network)
    [listed] = made.list().refs
    return made.read(listed).text


def test_only_the_host_that_is_configured_is_opened_and_no_other_by_a_redirect(site: Site, other: Site) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.0.0.1"):
        with pytest.raises((DocumentError, TransientError)):
            redirected(site, f"http://{host}:{other.port}/secret", private_network=True)
    assert other.asked == []


@pytest.mark.parametrize("opening", ["127.0.0.0/8", "127.0.0.1", "127.0.0.1:PORT", "::ffff:127.0.0.1", "0.0.0.0/0"])
def test_what_the_list_names_is_opened(site: Site, other: Site, opening: str) -> None:
    named = [f"127.0.0.1:{site.port}", opening.replace("PORT", str(other.port))]
    assert redirected(site, f"http://127.0.0.1:{other.port}/secret", named) == "# Secret"


def test_a_named_host_is_opened_by_its_name_and_on_its_port_alone(site: Site, other: Site) -> None:
    own = f"127.0.0.1:{site.port}"
    assert redirected(site, f"http://localhost:{other.port}/secret", [own, "LOCALHOST"]) == "# Secret"
    with pytest.raises(DocumentError, match="not on the public internet"):
        redirected(site, f"http://localhost:{other.port}/secret", [own, f"localhost:{site.port}"])


@pytest.mark.parametrize("name", ["", "10.0.0.0/8/8", "http://x", "a b", "me@host", "host:99999", "[::1", "host/path"])
def test_a_name_that_opens_nothing_is_a_mistake(name: str) -> None:
    with pytest.raises(ConfigError, match="private_network"):
        policy_for("web", [name], [])


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"),
        *("::a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fe80::a9fe:a9fe"),
    ],
)
def test_keys_of_a_cloud_are_reached_by_their_own_address_alone(address: str) -> None:
    wide = policy_for("web", ["0.0.0.0/0", "::/0", "meta.internal"], [])
    for host in (address, "meta.internal"):
        with pytest.raises(ForbiddenAddressError):
            wide.check(host, address, 80)
    policy_for("web", [address], []).check("meta.internal", address, 80)
    url = f"http://[{address}]/" if ":" in address else f"http://{address}/"
    policy_for("web", True, [url]).check(address, address, 80)
    with pytest.raises(ForbiddenAddressError):
        policy_for("web", True, ["http://meta.internal/"]).check("meta.internal", address, 80)


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server of an attacker: harmless when it is asked for the check, and another address ever after."""
    answers = iter([["127.0.0.1"], *[["169.254.169.254"]] * 9])
    asked: list[str] = []

    class Names:
        async def resolve(self, host: str, port: int, _family: int) -> list[dict[str, object]]:
            asked.append(host)
            return [
                {"hostname": host, "host": ip, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
                for ip in next(answers)
            ]

        async def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr("aiohttp.ThreadedResolver", Names)
    monkeypatch.setattr("aiohttp.connector._DNSCacheTable.expired", lambda *_: True)
    site.page("/docs/", links("a.md"))
    made = source(f"http://rebound.example:{site.port}/docs", private_network=["127.0.0.1"])
    assert [ref.path for ref in made.list().refs] == ["a.md"]
    [failed] = made.list().failed
    assert "rebound.example has the address 169.254.169.254" in failed.reason
    assert len(asked) == 2


def test_an_address_is_never_looked_up_again_between_its_check_and_the_connection() -> None:
    class Names:
        async def resolve(self, host: str, port: int, _family: int) -> list[dict[str, object]]:
            return [{"hostname": host, "host": "10.1.1.1", "port": port}]

    resolver = connections.CheckedResolver(policy_for("web", ["wiki.internal:8080"], []), Names())

    def connect(address: str, port: int) -> None:
        resolver.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))).close()

    with pytest.raises(ForbiddenAddressError):
        connect("10.1.1.1", 8080)
    asyncio.run(resolver.resolve("wiki.internal", 8080))
    connect("10.1.1.1", 8080)
    for address, port in (("10.1.1.1", 80), ("10.1.1.2", 8080)):
        with pytest.raises(ForbiddenAddressError):
            connect(address, port)


HOSTILE = {
    "blanks in a tag": b"<html><a" + b" " * 32_000 + b"</html>",
    "open quotes": b'<a href="' * 4_000,
    "attributes": b"<a" + b"".join(b" a%d" % number for number in range(3_000)) + b" href=a.md>",
    "nesting": b"<div>" * 50_000 + b'<a href="a.md">',
    "formatting": b"<a href=a.md><b><i>" * 10_000,
    "comments": b"<!--" * 30_000,
    "a base of its own": b'<base href="http://169.254.169.254/"><a href="a.md">',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_listing_page_ends_in_time(site: Site, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.SHARED, "_seconds", 10.0)
    site.page("/docs/", content)
    listing = source(f"{site.url}/docs").list()
    assert {ref.path for ref in listing.refs} <= {"a.md"}
    assert [scope.reason for scope in listing.failed if "more than 10 s" not in scope.reason] == []


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "gzip twice"])
def test_a_listing_page_larger_than_the_limit_is_a_failed_scope(
    site: Site, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PAGE", fetch.Limits(100_000, 60.0))
    page = links("a.md") + b" " * 3_000_000
    packed = {
        "": page,
        "gzip": gzip.compress(page),
        "deflate": zlib.compress(page),
        "gzip twice": gzip.compress(b" " * 60_000) * 2,
    }
    headers = {"Content_Encoding": coding.split()[0]} if coding else {}
    site.page("/docs/", packed[coding], **headers)
    [failed] = source(f"{site.url}/docs").list().failed
    assert "more than 100,000 bytes, the limit" in failed.reason


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
def test_packed_answers_are_unpacked(site: Site, coding: str) -> None:
    page = links("a.md")
    body = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": lambda text: zlib.compress(text)[2:-4]}[coding]
    site.page("/docs/", gzip.compress(page[:10]) + gzip.compress(page[10:]), Content_Encoding="gzip")
    site.page("/docs/a.md", body(b"# Packed"), Content_Encoding="gzip" if coding == "gzip" else "deflate")
    made = source(f"{site.url}/docs")
    assert [made.read(ref).text for ref in made.list().refs] == ["# Packed"]


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(b"# Torn" * 999, mtime=0)[:-9]])
def test_an_answer_that_cannot_be_unpacked_is_no_document(site: Site, content: bytes) -> None:
    site.page("/docs/", links("a.md"))
    site.page("/docs/a.md", content, Content_Encoding="gzip")
    made = source(f"{site.url}/docs")
    with pytest.raises((DocumentError, TransientError), match=r"unpacked|packed"):
        made.read(made.list().refs[0])


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", b"HTTP/1.1 200 OK\r\nX: "]
)
def test_a_listing_page_that_never_ends_is_a_failed_scope(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then, in the body or in the head: no read of it lasts long, and it has no last one."""
    monkeypatch.setattr(web, "PAGE", fetch.Limits(100_000, 1.0))
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with server.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(head)
                while not done.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        [failed] = source(f"http://127.0.0.1:{server.getsockname()[1]}/docs").list().failed
        done.set()
        thread.join()
    assert "within 1 s, the limit" in failed.reason
    assert failed.is_outage


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
    with pytest.raises(Exception, match="after 5 redirects at most"):
        made.read(listed)
    assert len(site.asked) == connections.REDIRECTS + 1


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
