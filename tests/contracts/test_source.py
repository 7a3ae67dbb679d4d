"""What every source promises: a local folder, a single file, a folder behind an fsspec URL, a web server."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.sources import FilesSource
from tasks.errors import DocumentError
from tasks.load.base import Source
from tasks.load.open import open_source
from tasks.records import DocumentId, Listing
from tests.web_server import Site, links

PAGES = {"a.md": "# Alpha\r\n\r\nText.\r\n", "sub/b.txt": "Beta\n", "sub/deep/c.md": "no title\n", "skip.bin": "x"}


@dataclass
class Place:
    """Somewhere with files, and the source that reads it."""

    write: Callable[[str, str], None]
    source: Source
    names: list[str]
    has_hints: bool = True


@pytest.fixture(params=["folder", "file", "url", "remote", "web"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "remote":
        yield _remote(tmp_path.name)
    elif request.param == "web":
        with Site() as site:
            yield _web(site)
    else:
        yield _local(request.param, tmp_path)


def _local(kind: str, tmp_path: Path) -> Place:
    def write(name: str, text: str) -> None:
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        os.utime(path, (time.time() - 60 + len(text), time.time() - 60 + len(text)))

    for name, text in PAGES.items():
        write(name, text)
    path = str(tmp_path / "docs" / ("a.md" if kind == "file" else ""))
    config = FilesSource(kind="files", path=f"file://{path}" if kind == "url" else path, name="s")
    names = ["a.md"] if kind == "file" else ["a.md", "sub/b.txt", "sub/deep/c.md"]
    return Place(write, open_source(config), names)


def _remote(bucket: str) -> Place:
    import fsspec

    files = fsspec.filesystem("memory")

    def write(name: str, text: str) -> None:
        files.pipe_file(f"/{bucket}/{name}", text.encode())

    for name, text in PAGES.items():
        write(name, text)
    config = FilesSource(kind="files", path=f"memory://{bucket}", name="s")
    return Place(write, open_source(config), ["a.md", "sub/b.txt", "sub/deep/c.md"])


def _web(site: Site) -> Place:
    def write(name: str, text: str) -> None:
        site.page(f"/docs/{name}", text.encode())

    for name, text in PAGES.items():
        write(name, text)
    site.page("/docs/", links("a.md", "skip.bin", "sub/"))
    site.page("/docs/sub/", links("b.txt", "deep/"))
    site.page("/docs/sub/deep/", links("c.md"))
    config = FilesSource(kind="files", path=f"{site.url}/docs", name="s", private_network=True)
    return Place(write, open_source(config), ["a.md", "sub/b.txt", "sub/deep/c.md"], has_hints=False)


def hints(listing: Listing) -> dict[str, str]:
    return {ref.path: ref.hint for ref in listing.refs}


def test_a_listing_names_every_document_once_and_in_order(place: Place) -> None:
    listing = place.source.list()
    assert listing.failed == ()
    assert [ref.path for ref in listing.refs] == place.names
    assert [ref.id for ref in listing.refs] == [f"s:{name}" for name in place.names]
    assert {ref.source for ref in listing.refs} == {place.source.name} == {"s"}


def test_an_unchanged_source_is_listed_the_same(place: Place) -> None:
    assert place.source.list() == place.source.list()


def test_the_hint_of_an_edited_document_changes_and_no_other(place: Place) -> None:
    if not place.has_hints:
        pytest.skip("a web server says nothing of its pages before they are read")
    before = hints(place.source.list())
    assert all(before.values())
    place.write("a.md", "# Alpha\n\nOther text.\n")
    after = hints(place.source.list())
    assert [name for name in before if before[name] != after[name]] == ["a.md"]


def test_a_document_is_read_as_normalised_text_with_its_title(place: Place) -> None:
    ref = place.source.list().refs[0]
    document = place.source.read(ref)
    assert (document.ref, document.text, document.format) == (ref, "# Alpha\n\nText.\n", "markdown")
    assert document.metadata == {"title": "Alpha"}


def test_a_document_that_is_gone_is_a_document_error(place: Place) -> None:
    ref = place.source.list().refs[0]._replace(id=DocumentId("s:never.md"), path="never.md")
    if place.names == ["a.md"]:
        pytest.skip("a single file has no other name")
    with pytest.raises(DocumentError, match=r"never\.md"):
        place.source.read(ref)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("docs", "Files"),
        ("/a/b.md", "Files"),
        ("file:///a", "Files"),
        ("s3://bucket/docs", "RemoteFiles"),
        ("memory://docs", "RemoteFiles"),
        ("https://docs.example/a", "WebFiles"),
        ("http://[::1]/a", "WebFiles"),
        ("zip://a.md::https://docs.example/b.zip", "RemoteFiles"),
    ],
)
def test_a_path_says_what_reads_it(path: str, kind: str) -> None:
    assert type(open_source(FilesSource(path=path))).__name__ == kind


@pytest.mark.parametrize("path", ["/nowhere/at/all", "memory://nowhere-at-all", "file:///nowhere/at/all"])
def test_a_missing_root_is_a_failed_scope_of_everything(path: str) -> None:
    listing = open_source(FilesSource(kind="files", path=path, name="s")).list()
    assert listing.refs == ()
    assert [scope.prefix for scope in listing.failed] == ["s:"]
    assert "nowhere" in listing.failed[0].reason


def test_two_names_for_one_document_are_told_and_neither_is_taken(tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    for name in ("uml\u00e4ut.md", "umla\u0308ut.md", "other.md"):
        files.pipe_file(f"/{tmp_path.name}/{name}", name.encode())
    listing = open_source(FilesSource(kind="files", path=f"memory://{tmp_path.name}", name="s")).list()
    assert [ref.path for ref in listing.refs] == ["other.md"]
    assert [scope.prefix for scope in listing.failed] == ["s:uml\u00e4ut.md"]
    assert "differ in Unicode form only" in listing.failed[0].reason
