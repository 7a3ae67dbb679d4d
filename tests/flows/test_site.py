"""A web site through the whole pipeline: nothing that has not changed is sent, read or embedded again."""

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.load.web import polite
from tests.conftest import Pipeline
from tests.web_server import Site, links


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(polite, "sleep", lambda _seconds: None)
    with Site() as server:
        yield server


def put(site: Site, path: str, text: str, *hrefs: str) -> None:
    page = f"<title>{text[:9]}</title><p>{text}</p>{links(*hrefs).decode()}".encode()
    site.page(path, page, Content_Type="text/html", ETag=f'"{hash(page)}"')


def configure(pipeline: Pipeline, site: Site, **settings: Any) -> None:
    text = pipeline.config.read_text()
    start = text.index("sources:")
    source = {"kind": "web", "name": "site", "private_network": True, "delay_seconds": 0, **settings}
    source = {name: site.url + value if name in ("start", "sitemap") else value for name, value in source.items()}
    pipeline.config.write_text(f"{text[:start]}sources: [{source}]\n{text[text.index('embedder:') :]}")


@pytest.fixture
def crawled(pipeline: Pipeline, site: Site) -> Pipeline:
    put(site, "/", "Home of all pages.", *(f"/{number}" for number in range(30)))
    for number in range(30):
        put(site, f"/{number}", f"This is page {number} of thirty.")
    configure(pipeline, site, start="/")
    return pipeline


def asked_plainly(site: Site) -> set[str]:
    plain = {path for path, head in zip(site.asked, site.heads, strict=True) if "If-None-Match" not in head}
    site.asked.clear()
    site.heads.clear()
    return plain - {"/robots.txt"}


def test_a_second_run_sends_only_conditional_requests_and_embeds_nothing(crawled: Pipeline, site: Site) -> None:
    first = crawled.sync()
    assert (first["code"], first["documents"]["added"], first["chunks"]["embedded"]) == (0, 31, 31)
    assert len(site.asked) == 32
    assert len(asked_plainly(site)) == 31
    second = crawled.sync()
    assert (second["documents"]["unchanged"], second["chunks"]["embedded"], second["chunks"]["written"]) == (31, 0, 0)
    assert len(site.asked) == 32
    assert asked_plainly(site) == set()


def test_an_edit_and_a_page_that_is_gone_reach_the_collection(crawled: Pipeline, site: Site) -> None:
    crawled.sync()
    asked_plainly(site)
    put(site, "/3", "This is page 3, edited.")
    site.page("/4", b"gone", 410)
    report = crawled.sync()
    documents = report["documents"]
    assert (documents["changed"], documents["deleted"], documents["unchanged"]) == (1, 1, 29)
    assert asked_plainly(site) == set()
    assert crawled.texts()["/3"] == ["This is page 3, edited."]
    assert "/4" not in crawled.texts()
    hit = crawled.run("search", str(crawled.config), "page 3, edited", "--json").json["hits"][0]
    assert (hit["document"], hit["link"]) == ("site:/3", f"{site.url}/3")


def test_nothing_is_deleted_while_a_page_cannot_be_read(crawled: Pipeline, site: Site) -> None:
    crawled.sync()
    site.page("/4", b"", 500)
    report = crawled.sync()
    assert (report["code"], report["documents"]["deleted"], len(crawled.texts())) == (1, 0, 31)
    site.page("/robots.txt", b"User-agent: *\nDisallow: /")
    report = crawled.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 31)


def test_a_paranoid_run_asks_for_every_page_whole(crawled: Pipeline, site: Site) -> None:
    crawled.sync()
    asked_plainly(site)
    report = crawled.sync("--paranoid")
    assert (report["documents"]["unchanged"], report["chunks"]["embedded"]) == (31, 0)
    assert len(asked_plainly(site)) == 31


def test_a_run_that_was_killed_after_the_listing_misses_nothing(
    crawled: Pipeline, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says 304 for pages that no run has written yet."""
    with monkeypatch.context() as patch:
        patch.setattr("tasks.sync.run.Run._windows", lambda *_: 1 / 0)
        assert crawled.run("sync", str(crawled.config), "--json").code == 70
    report = crawled.sync()
    assert (report["code"], report["documents"]["added"], len(crawled.texts())) == (0, 31, 31)
