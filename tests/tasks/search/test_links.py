"""Where a chunk can be opened."""

from pathlib import Path

import pytest

from config.sources import FilesSource, WebSource
from tasks.search.links import link_of


def link(path: str, document: str = "a b/c.pdf", **metadata: object) -> str:
    source = FilesSource(name="docs", path=path)
    return link_of({"source": "docs", "document": document, **metadata}, [source])


def test_a_file_opens_at_its_page(tmp_path: Path) -> None:
    assert link(str(tmp_path), page=[12, 13]) == f"{tmp_path.as_uri()}/a%20b/c.pdf#page=12"
    assert link(str(tmp_path), "a.md") == f"{tmp_path.as_uri()}/a.md"


def test_a_source_of_one_file_opens_that(tmp_path: Path) -> None:
    (tmp_path / "c.pdf").touch()
    assert link(str(tmp_path / "c.pdf"), "c.pdf") == (tmp_path / "c.pdf").as_uri()


@pytest.mark.parametrize(
    "root", ["https://example.org/docs", "https://example.org/docs/", "https://example.org/docs?x=1"]
)
def test_a_page_of_the_web_opens_there(root: str) -> None:
    assert link(root, page=[2]) == "https://example.org/docs/a%20b/c.pdf#page=2"
    assert link("https://example.org/docs/c.pdf", "c.pdf") == "https://example.org/docs/c.pdf"


def test_a_page_of_a_site_opens_at_its_address() -> None:
    site = WebSource(kind="web", name="docs", start="https://example.org/docs/")
    record = {"source": "docs", "document": "/a?x=1"}
    assert link_of(record, [site]) == "https://example.org/a?x=1"
    assert link_of({**record, "url": "https://www.example.org/a.pdf", "page": [3]}, [site]) == (
        "https://www.example.org/a.pdf#page=3"
    )


def test_what_no_viewer_opens_has_no_link() -> None:
    assert link("s3://bucket/docs") == ""
    assert link_of({"source": "gone", "document": "a.md"}, []) == ""
