"""A web site on a real server: each page is one document, asked for once, politely, and only as often as it must be."""

import gzip
import sys
import threading
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from config.sources import WebSource
from tasks.errors import ConfigError, DocumentError, MissingExtraError, TransientError
from tasks.load.web import polite
from tasks.load.web.address import bare, spelled
from tasks.load.web.pages import WebPages
from tasks.records import Listing
from tests.web_server import Site, links

PAGES = 200
INSIDE = "http://169.254.169.254/latest/meta-data/"
FOLDER = ("/docs", "/docs/", "/docs/index.html")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        yield server


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the source would have waited; nobody does."""
    seconds: list[float] = []
    monkeypatch.setattr(polite, "sleep", seconds.append)
    return seconds


def source(site: Site, **settings: Any) -> WebPages:
    for name in ("start", "sitemap"):
        if name in settings:
            settings[name] = site.url + settings[name]
    settings["pages"] = [site.url + page for page in settings.get("pages", ())]
    given = {"kind": "web", "name": "web", "private_network": True, "delay_seconds": 0, **settings}
    return WebPages(WebSource.model_validate(given))


def html(text: str, *hrefs: str, head: str = "") -> bytes:
    return f"<html><head>{head}</head><body><p>{text}</p>{links(*hrefs).decode()}</body></html>".encode()


def put(site: Site, path: str, content: bytes, **headers: str) -> None:
    """A page with an ETag of its own."""
    tag = f'"{hash(content)}"'
    site.page(path, content, **{"Content_Type": "text/html", "ETag": tag, **headers})


def paths(listing: Listing) -> list[str]:
    return [ref.path for ref in listing.refs]


def forgetful(made: WebPages, site: Site, **settings: Any) -> WebPages:
    """Another process's source, with what this one remembers."""
    other = source(site, **settings)
    other.recall(made.memory())
    return other


def build(site: Site) -> list[str]:
    """A site of many pages with everything that sites have; the paths of its documents."""
    for number in range(PAGES):
        hrefs = [
            *(f"/p/{one % PAGES}" for one in (number + 1, 2 * number)),
            "./x/../0#part",
            "/",
            "/old/3",
            "mailto:a@b.c",
        ]
        put(site, f"/p/{number}", html(f"Page {number}.", *hrefs))
    for number in range(3):
        site.page(f"/old/{number + 1}", b"", 301, Location=f"/old/{number}" if number else "/p/7")
    put(
        site,
        "/",
        html("Home.", "/p/0", *FOLDER, "/private/a", "/dead", "/loop/a", "/print/1"),
    )
    for path in FOLDER:
        put(
            site, path, html("Folder.", "/docs/%7Euser", "/docs/~user", "/docs/b?x=1", "/a.zip", "http://else.example/")
        )
    put(
        site,
        "/docs/~user",
        html("User.", "javascript:void(0)", "http://[broken", "http://x:99999/", "//10.0.0.1/"),
    )
    put(site, "/docs/b?x=1", html("Query."))
    put(site, "/print/1", html("Page 1, printed.", head='<link rel="canonical" href="/p/1?">'))
    site.page("/loop/a", b"", 302, Location="/loop/b")
    site.page("/loop/b", b"", 302, Location="/p/8")
    site.page("/a.zip", b"PK\3\4", Content_Type="application/zip", ETag='"zip"')
    site.page("/robots.txt", b"User-agent: *\nDisallow: /private/\n")
    return sorted(["/", "/docs", "/docs/b?x=1", "/docs/~user", *(f"/p/{number}" for number in range(PAGES))])


def test_a_crawl_finds_each_page_once_and_asks_for_it_once(site: Site) -> None:
    documents = build(site)
    made = source(site, start="/")
    listing = made.list()
    assert (paths(listing), listing.failed) == (documents, ())
    assert len(site.asked) == len(set(site.asked))
    assert not [path for path in site.asked if path.startswith("/private")]
    assert [note.partition(": ")[2] for note in listing.notes] == [
        f"not asked for, as robots.txt says: {site.url}/private/a",
        f"not there any more (404, 410): {site.url}/dead",
        f"3 of {len(documents) + 3} pages are copies of others, by what they say of themselves (rel=canonical), or but"
        " for a slash at their end",
    ]
    assert dict(listing.passed_over) == {".zip": 1}
    asked = len(site.asked)
    read = [made.read(ref) for ref in listing.refs]
    assert len(site.asked) == asked
    by_path = {document.ref.path: document for document in read}
    assert by_path["/p/5"].text.startswith("Page 5.")
    assert by_path["/docs/b?x=1"].metadata["url"] == f"{site.url}/docs/b?x=1"


def test_an_unchanged_site_is_asked_conditionally_and_sends_nothing(site: Site) -> None:
    build(site)
    made = source(site, start="/")
    before = made.list()
    site.asked.clear()
    site.heads.clear()
    again = forgetful(made, site, start="/").list()
    assert (again.refs, again.failed) == (before.refs, ())
    plain = {path for path, head in zip(site.asked, site.heads, strict=True) if "If-None-Match" not in head}
    assert plain == {"/robots.txt", "/dead"}
    assert len(site.asked) == len(set(site.asked)) > PAGES


def test_links_of_pages_that_have_not_changed_are_still_followed(site: Site) -> None:
    """Otherwise what only they lead to would be deleted."""
    put(site, "/", html("Home.", "/a"))
    put(site, "/a", html("A.", "/b"))
    put(site, "/b", html("B."))
    made = source(site, start="/")
    assert paths(made.list()) == ["/", "/a", "/b"]
    put(site, "/b", html("B, edited.", "/c"))
    put(site, "/c", html("C."))
    later = forgetful(made, site, start="/")
    assert paths(later.list()) == ["/", "/a", "/b", "/c"]
    put(site, "/a", html("A leads nowhere."))
    assert paths(forgetful(later, site, start="/").list()) == ["/", "/a"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_not_listed_and_the_listing_is_complete(site: Site, status: int) -> None:
    put(site, "/a", html("A."))
    site.page("/b", b"gone", status)
    listing = source(site, pages=["/a", "/b"]).list()
    assert (paths(listing), listing.failed) == (["/a"], ())


@pytest.mark.parametrize("status", [400, 401, 403, 418, 500, 503])
def test_a_page_that_cannot_be_read_is_unknown_and_not_gone(site: Site, status: int) -> None:
    put(site, "/a", html("A."))
    put(site, "/", html("Home.", "/a", "/b"))
    site.page("/b", b"", status)
    listing = source(site, pages=["/a", "/b"]).list()
    assert (paths(listing), [scope.prefix for scope in listing.failed]) == (["/a"], ["web:/b"])
    crawled = source(site, start="/").list()
    assert (paths(crawled), [scope.prefix for scope in crawled.failed]) == (["/", "/a"], ["web:"])


def test_a_redirected_page_that_fails_leaves_its_document_unknown(site: Site) -> None:
    put(site, "/new", html("New."))
    site.page("/old", b"", 301, Location="/new")
    made = source(site, pages=["/old", "/x"])
    assert paths(made.list()) == ["/new"]
    site.page("/old", b"", 403)
    put(site, "/x", html("X."))
    assert {scope.prefix for scope in forgetful(made, site, pages=["/old", "/x"]).list().failed} == {
        "web:/old",
        "web:/new",
    }


def test_five_failures_in_a_row_end_a_listing(site: Site) -> None:
    for number in range(20):
        site.page(f"/{number}", b"", 500)
    [failed] = [
        scope for scope in source(site, pages=[f"/{n}" for n in range(20)]).list().failed if "in a row" in scope.reason
    ]
    assert (failed.prefix, failed.is_outage) == ("web:", True)
    assert len({path for path in site.asked if path != "/robots.txt"}) == 5


def test_a_busy_server_is_asked_again_when_it_wishes(site: Site, waits: list[float]) -> None:
    put(site, "/a", html("A."))
    site.page("/a", b"", 503, Retry_After="7")
    calm = threading.Event()

    def recover(path: str) -> None:
        if path == "/a" and site.asked.count("/a") == 2:
            calm.set()
            put(site, "/a", html("A."))

    site.make = recover
    assert paths(source(site, pages=["/a"]).list()) == ["/a"]
    assert calm.is_set()
    assert any(7 <= wait < 8 for wait in waits)


def test_a_calendar_without_end_makes_the_listing_incomplete(site: Site) -> None:
    put(site, "/", html("Home.", "/calendar?day=1", "/a"))
    put(site, "/a", html("A."))

    def calendar(path: str) -> bytes | None:
        day = path.partition("day=")[2]
        return html(f"Day {day}.", f"/calendar?day={int(day) + 1}", f"?day={day}0") if day else None

    site.make = calendar
    listing = source(site, start="/", max_pages=30).list()
    assert [scope.prefix for scope in listing.failed] == ["web:"]
    assert "more than 30 pages, as max_pages says; the next would be" in listing.failed[0].reason
    assert len(site.asked) == 31
    for pattern in ("/calendar", "calendar?*", "/calendar**"):
        listing = source(site, start="/", max_pages=30, exclude=[pattern]).list()
        assert (paths(listing), listing.failed) == (["/", "/a"], ())


def test_include_and_exclude_are_about_the_path(site: Site) -> None:
    build(site)
    assert paths(source(site, start="/", include=["docs/**", "/docs"]).list()) == [
        "/docs",
        "/docs/b?x=1",
        "/docs/~user",
    ]
    assert paths(source(site, start="/", include=["/p/*"], exclude=["/p/3*"]).list())[:3] == ["/p/0", "/p/1", "/p/10"]


OLD, NEW = "2020-02-03", "2026-11-01"


def test_a_sitemaps_index_leads_to_packed_sitemaps_and_what_it_vouches_for_is_not_asked_for(site: Site) -> None:
    def sitemap(*pages: str, date: str = OLD) -> bytes:
        urls = (f"<url><loc>{site.url}{page}</loc><lastmod>{date}</lastmod></url>" for page in pages)
        return gzip.compress(
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{"".join(urls)}</urlset>'.encode()
        )

    index = "".join(f"<sitemap><loc>{site.url}/{name}.xml.gz</loc></sitemap>" for name in "abb")
    site.page("/sitemap.xml", f"<?xml version='1.0'?><sitemapindex>{index}</sitemapindex>".encode())
    site.page("/a.xml.gz", sitemap("/1", "/2"))
    site.page("/b.xml.gz", sitemap("/3"), Content_Type="application/gzip")
    for number in (1, 2, 3):
        put(site, f"/{number}", html(f"Page {number}."))
    made = source(site, sitemap="/sitemap.xml")
    listing = made.list()
    assert (paths(listing), listing.failed) == (["/1", "/2", "/3"], ())
    assert made.read(listing.refs[0]).metadata["lastmod"] == OLD
    site.asked.clear()
    site.page("/b.xml.gz", sitemap("/3", date="2020-02-04"))
    put(site, "/3", html("Page 3, edited."))
    put(site, "/1", html("Nobody knows."))
    later = forgetful(made, site, sitemap="/sitemap.xml")
    refs = later.list().refs
    assert sorted(site.asked) == ["/3", "/a.xml.gz", "/b.xml.gz", "/robots.txt", "/sitemap.xml"]
    assert [old.hint == new.hint for old, new in zip(listing.refs, refs, strict=True)] == [True, True, False]
    assert later.read(refs[2]).text == "Page 3, edited.\n"


def test_a_sitemap_may_name_pages_by_their_paths(site: Site) -> None:
    put(site, "/docs/a", html("A."))
    put(site, "/b", html("B."))
    locs = "".join(f"<url><loc>{loc}</loc></url>" for loc in ("a", " /b\n", "mailto:a@b.c", "http://[x", ""))
    site.page("/docs/sitemap.xml", f"<urlset>{locs}</urlset>".encode())
    listing = source(site, sitemap="/docs/sitemap.xml").list()
    assert (paths(listing), listing.failed) == (["/b", "/docs/a"], ())


def test_a_change_of_today_is_asked_for_again(site: Site) -> None:
    date = formatdate(usegmt=True)
    site.page("/sitemap.xml", f"<urlset><url><loc>{site.url}/a</loc><lastmod>{NEW}</lastmod></url></urlset>".encode())
    put(site, "/a", html("A."), Last_Modified=date)
    made = source(site, sitemap="/sitemap.xml")
    made.list()
    made._known = {url: page._replace(seen=1793577600.0) for url, page in made._known.items()}  # noon of that day
    site.asked.clear()
    made.list()
    assert "/a" in site.asked


SITEMAPS = {
    "text": ("one, two", "URL\n\nURL\n", ["/a"]),
    "no XML": (None, "<urlset><url><loc>URL</loc>", []),
    "a page": (None, "<html><body>Please sign in</body></html>", []),
    "nothing": (None, "", []),
    "words": (None, "Please sign in", []),
    "an entity": (None, '<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>URL&a;</loc></url></urlset>', []),
    "pictures": ("", "<urlset><url><loc>URL</loc><image><loc>http://x.example/</loc></image></url></urlset>", ["/a"]),
    "itself": ("", "<sitemapindex><sitemap><loc>SITE/sitemap.xml</loc></sitemap></sitemapindex>", []),
    "missing": (None, "<sitemapindex><sitemap><loc>SITE/none.xml</loc></sitemap></sitemapindex>", []),
    "bomb": (None, gzip.compress(b" " * 60_000_000), []),
}


@pytest.mark.parametrize(("failure", "content", "expected"), SITEMAPS.values(), ids=SITEMAPS)
def test_a_sitemap_is_believed_as_a_whole_or_not_at_all(
    site: Site, failure: str | None, content: str | bytes, expected: list[str]
) -> None:
    put(site, "/a", html("A."))
    text = (
        content
        if isinstance(content, bytes)
        else content.replace("URL", f"{site.url}/a").replace("SITE", site.url).encode()
    )
    site.page("/sitemap.xml", text)
    listing = source(site, sitemap="/sitemap.xml").list()
    assert paths(listing) == expected
    assert [scope.prefix for scope in listing.failed] == (["web:"] if failure is None else [])


@pytest.mark.parametrize(
    ("status", "robots", "disallowed"),
    [
        (200, b"User-agent: *\nDisallow: /", True),
        (200, b"\xef\xbb\xbfUser-agent: headrace\nDisallow: /*.html$\n\nUser-agent: *\nDisallow:", False),
        (200, b"User-agent: other\nDisallow: /", False),
        (404, b"User-agent: *\nDisallow: /", False),
        (403, b"", False),
    ],
)
def test_robots_txt_is_obeyed(site: Site, status: int, robots: bytes, *, disallowed: bool) -> None:
    put(site, "/a", html("A."))
    site.page("/robots.txt", robots, status)
    listing = source(site, pages=["/a"]).list()
    assert (paths(listing), listing.failed) == ([] if disallowed else ["/a"], ())
    assert any("as robots.txt says" in note for note in listing.notes) == disallowed


@pytest.mark.parametrize("status", [500, 429])
def test_a_robots_txt_that_cannot_be_read_forbids_everything_for_now(site: Site, status: int) -> None:
    put(site, "/a", html("A."))
    site.page("/robots.txt", b"", status)
    listing = source(site, pages=["/a"]).list()
    assert ([scope.prefix for scope in listing.failed], "/a" in site.asked) == (["web:"], False)


def test_the_longer_delay_of_both_is_kept_between_requests(site: Site, waits: list[float]) -> None:
    for path in ("/a", "/b"):
        put(site, path, html(path))
    site.page("/robots.txt", b"User-agent: *\nCrawl-delay: 3")
    source(site, pages=["/a", "/b"], delay_seconds=1).list()
    assert [round(wait) for wait in waits] == [1, 3]
    site.page("/robots.txt", b"User-agent: *\nCrawl-delay: 900")
    [failed] = source(site, pages=["/a", "/b"]).list().failed
    assert "asks for 900 s" in failed.reason


def test_a_page_is_read_in_the_encoding_that_the_server_names(site: Site) -> None:
    text = "Все люди рождаются свободными и равными."  # noqa: RUF001
    put(
        site,
        "/a",
        f"<meta charset=koi8-r><p>{text}".encode("windows-1251"),
        Content_Type="text/html; charset=windows-1251",
    )
    made = source(site, pages=["/a"])
    assert made.read(made.list().refs[0]).text == f"{text}\n"


AROUND = (
    "<title>Pump</title><style>.off {display: none}</style><header>Logo</header>%s<footer>All rights reserved</footer>"
)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("<main><h1>Pump</h1><p class=off>No.<p>Fill it.</main>", "# Pump\n\nFill it."),
        ("<div role=main><p>Fill it.</div><aside>More</aside>", "Fill it."),
        ("<article><header>By me</header><p>Fill it.</article>", "By me\n\nFill it."),
        ("<article>One</article><article>Two</article>", "Logo\n\nOne\n\nTwo\n\nAll rights reserved"),
        ("<main><script>draw()</script></main>", "Logo\n\nAll rights reserved"),
        ("<p>Fill it.", "Logo\n\nFill it.\n\nAll rights reserved"),
    ],
)
def test_what_stands_around_the_main_part_of_a_page_is_left_out(site: Site, part: str, text: str) -> None:
    put(site, "/a", (AROUND % part).encode())
    made = source(site, pages=["/a"])
    document = made.read(made.list().refs[0])
    assert (document.text.strip(), document.metadata["title"]) == (text, "Pump")
    assert any("around the main part" in remark for remark in document.remarks) == ("Logo" not in text)
    whole = forgetful(made, site, pages=["/a"], main_text="all")
    [ref] = whole.list().refs
    assert ref.hint != document.ref.hint
    assert whole.read(ref).text.startswith("Logo")


def test_what_nothing_reads_is_not_fetched_whole(site: Site) -> None:
    site.page("/a.php?id=1", b"<h1>Alpha</h1><p>Text", Content_Type="text/html; charset=utf-8")
    site.page("/b", b"# Beta", Content_Type="text/markdown")
    site.page("/c.png", b"\x89PNG", Content_Type="image/png")
    site.page("/d", b"x" * 9, Content_Type="application/octet-stream")
    site.page("/e.txt", b"Epsilon")
    made = source(site, pages=["/a.php?id=1", "/b", "/c.png", "/d", "/e.txt"])
    listing = made.list()
    assert [(ref.path, made.read(ref).text) for ref in listing.refs] == [
        ("/a.php?id=1", "# Alpha\n\nText\n"),
        ("/b", "# Beta"),
        ("/e.txt", "Epsilon"),
    ]
    assert dict(listing.passed_over) == {".png": 1, "": 1}


def test_a_page_that_cannot_be_used_is_set_aside_and_the_others_are_listed(site: Site) -> None:
    put(site, "/a", html("A."))
    put(site, "/big", html("x" * 9_000))
    site.page("/packed", b"no gzip", Content_Type="text/html", Content_Encoding="gzip")
    made = source(site, pages=["/a", "/big", "/packed"], max_bytes=5_000)
    listing = made.list()
    assert (paths(listing), listing.failed) == (["/a", "/big", "/packed"], ())
    for ref, reason in zip(listing.refs[1:], ("too-large", "unreadable"), strict=True):
        with pytest.raises(DocumentError) as caught:
            made.read(ref)
        assert caught.value.reason == reason


def test_a_page_whose_links_cannot_be_read_makes_a_crawl_incomplete(site: Site) -> None:
    put(site, "/", html("Home.", "/big", "/big.pdf"))
    put(site, "/big", html("x" * 9_000))
    put(site, "/big.pdf", b"x" * 9_000, Content_Type="application/pdf")
    listing = source(site, start="/", max_bytes=5_000).list()
    assert (paths(listing), [scope.prefix for scope in listing.failed]) == (["/", "/big.pdf"], ["web:"])


@pytest.mark.parametrize("target", [INSIDE, "file:///etc/passwd", "http://me:pw@127.0.0.1/"])
def test_a_page_that_leads_where_it_must_not_is_unknown(site: Site, target: str) -> None:
    put(site, "/a", html("A."))
    site.page("/b", b"", 302, Location=target)
    listing = source(site, pages=["/a", "/b"]).list()
    assert (paths(listing), "web:/b" in {scope.prefix for scope in listing.failed}) == (["/a"], True)
    closed = source(site, pages=["/a"], private_network=False).list()
    assert (closed.refs, [scope.prefix for scope in closed.failed]) == ((), ["web:"])


def test_redirects_in_a_circle_are_unknown(site: Site) -> None:
    site.page("/a", b"", 302, Location="/b")
    site.page("/b", b"", 302, Location="/a")
    site.make = lambda path: None
    for number in range(9):
        site.page(f"/n{number}", b"", 302, Location=f"/n{number + 1}")
    listing = source(site, pages=["/a", "/n0"]).list()
    assert paths(listing) == []
    assert "redirected more than 5 times" in listing.failed[0].reason


NOINDEX: list[tuple[str, str, bool]] = [
    ("<meta name=robots content=noindex>", "", True),
    ('<META NAME="Robots" CONTENT="NoIndex, nofollow">', "", True),
    ('<meta name="robots" content="none">', "", True),
    ('<meta name="headrace" content="noindex">', "", True),
    ('<meta name="googlebot" content="noindex">', "", False),
    ('<meta name="robots" content="nofollow, max-snippet:-1">', "", False),
    ('<meta name="description" content="noindex">', "", False),
    ("<!-- <meta name=robots content=noindex> -->", "", False),
    ("", "noindex", True),
    ("", "NONE", True),
    ("", "max-snippet: 5, noindex", True),
    ("", "Headrace: noindex, nofollow", True),
    ("", "otherbot: noindex", False),
    ("", "unavailable_after: 25 Jun 2010 15:00:00 PST", False),
]


@pytest.mark.parametrize(("head", "tag", "is_left_out"), NOINDEX)
def test_a_page_that_asks_to_be_left_out_is_named_and_its_links_are_followed(
    site: Site, head: str, tag: str, *, is_left_out: bool
) -> None:
    put(site, "/", html("Home.", "/a"))
    headers = {"X-Robots-Tag": tag} if tag else {}
    put(site, "/a", html("Asks.", "/b", head=head), **headers)
    put(site, "/b", html("Below."))
    made = source(site, start="/")
    for _ in range(2):  # the second time nothing is sent
        listing = made.list()
        assert (paths(listing), listing.failed) == (["/", "/b"] if is_left_out else ["/", "/a", "/b"], ())
        notes = [note for note in listing.notes if "noindex" in note]
        assert bool(notes) == is_left_out
        assert all(f"{site.url}/a" in note for note in notes)
        made = forgetful(made, site, start="/")


def test_what_a_person_names_is_read_although_it_asks_to_be_left_out(site: Site) -> None:
    put(site, "/", html("Home.", head="<meta name=robots content=noindex>"))
    assert paths(source(site, pages=["/"]).list()) == ["/"]
    assert paths(source(site, start="/", heed_noindex=False).list()) == ["/"]
    site.page("/sitemap.txt", f"{site.url}/\n".encode())
    assert paths(source(site, sitemap="/sitemap.txt").list()) == []


def test_a_canonical_address_is_heeded_in_a_header_too(site: Site) -> None:
    put(site, "/", html("Home.", "/a.pdf?x=1", "/a.pdf", "/b?y", "/b"))
    for page in ("/a.pdf?x=1", "/a.pdf"):
        kind = {"Content_Type": "application/pdf", "Link": '</style.css>; rel=preload, </a.pdf>; rel="canonical"'}
        put(site, page, f"%PDF {page}".encode(), **kind)
    for page in ("/b?y", "/b"):
        put(site, page, html(page, head='<link href="/b" rel="bookmark canonical">'))
    assert paths(source(site, start="/").list()) == ["/", "/a.pdf", "/b"]


def test_pages_that_name_each_other_stay_one_document(site: Site) -> None:
    for page, named in (("/a", "/b"), ("/b", "/a"), ("/c", "/nowhere"), ("/d", "http://else.example/d"), ("/e", "/f")):
        put(site, page, html(page, head=f'<link rel=canonical href="{named}">'))
    site.page("/f", b"", 500)
    listing = source(site, pages=["/a", "/b", "/c", "/d", "/e", "/f"]).list()
    assert paths(listing) == ["/a", "/c", "/d"]


def test_a_page_that_was_not_kept_is_asked_for_again_and_its_hint_is_void(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.load.web.spool.MOST_BYTES", 0)
    put(site, "/a", html("A."))
    made = source(site, pages=["/a"])
    [ref] = made.list().refs
    assert made.read(ref).ref == ref
    put(site, "/a", html("A, edited in between."))
    document = made.read(ref)
    assert (document.text, document.ref.hint) == ("A, edited in between.\n", "")
    site.page("/a", b"", 404)
    with pytest.raises(DocumentError, match="is gone"):
        made.read(ref)
    site.page("/a", b"", 503)
    with pytest.raises(TransientError):
        made.read(ref)


def test_headers_go_to_the_configured_host_alone(site: Site) -> None:
    with Site() as other:
        other.page("/b", html("B."))
        site.page("/a", b"", 302, Location=f"{other.url}/b")
        hosts = [f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}"]
        made = source(site, pages=["/a"], headers={"Authorization": "Bearer hunter2\n"}, private_network=hosts)
        assert paths(made.list()) == [f"{other.url}/b"]
    assert {head.get("Authorization") for head in site.heads} == {"Bearer hunter2"}
    assert {head.get("Authorization") for head in other.heads} == {None}
    assert "hunter2" not in repr(made._config)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.ORG:80", "http://example.org/"),
        ("https://example.org:443/a/./b/../c/#top", "https://example.org/a/c/"),
        ("https://example.org.:8443/%7euser/%e4%B8%AD?", "https://example.org:8443/~user/%E4%B8%AD"),
        ("https://example.org/中 文?q=a b", "https://example.org/%E4%B8%AD%20%E6%96%87?q=a%20b"),
        ("http://[::1]:80/../..", "http://[::1]/"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("http://①②⑦.0.0.1/", "http://127.0.0.1/"),
        ("https://a..b/", "https://a..b/"),
        ("https://ä..b/", ""),
        ("ftp://example.org/", ""),
        ("https://me@example.org/", ""),
        ("https://example.org:99999/", ""),
        ("https:///a", ""),
        ("https://[broken/", ""),
        ("https://example.org/" + "a" * 2_000, ""),
    ],
)
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    assert spelled(url) == expected
    assert spelled(expected) == expected


def test_a_folder_has_one_name() -> None:
    assert len({bare(f"http://x{path}") for path in ("/a", "/a/", "/a/index.html", "/a/INDEX.php")}) == 1
    assert bare("http://x/a/index.html?x=1") != bare("http://x/a/")
    assert bare("http://x/a/reindex.html") == "http://x/a/reindex.html"


@pytest.mark.parametrize(
    "given", [{}, {"start": "http://x/", "sitemap": "http://x/"}, {"start": "ftp://x/"}, {"pages": []}, {"start": "x"}]
)
def test_a_site_has_one_beginning(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected one|web address"):
        WebSource.model_validate({"kind": "web", **given})


@pytest.mark.parametrize(
    "headers", [{"A b": "x"}, {"A:": "x"}, {"": "x"}, {"A": "hunter2\nB: x"}, {"A": "hunter2ü"}, {"A": ""}]
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"name of a header|no header can have") as caught:
        WebSource.model_validate({"kind": "web", "start": "https://x.example/", "headers": headers})
    assert "hunter2" not in str(caught.value.errors(include_input=False))  # type: ignore[attr-defined]


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="user name or password"):
        WebPages(WebSource.model_validate({"kind": "web", "start": "https://me:canary@x.example/"}))


def test_a_missing_library_is_told_with_the_extra_that_holds_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "protego", None)
    with pytest.raises(MissingExtraError, match=r"\.\[web\]"):
        source(site, pages=["/a"]).list()
