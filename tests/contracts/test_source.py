"""What every source promises: a folder, a file, a folder behind a URL, a web server's folder, a web site."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from config.sources import FilesSource
from config.sources import Source as AnySource
from tasks.errors import DocumentError
from tasks.load.base import Source
from tasks.load.open import open_source
from tasks.records import DocumentId, Listing
from tests.git_server import Repository
from tests.web_server import Site, links

PAGES = {"a.md": "# Alpha\r\n\r\nText.\r\n", "sub/b.txt": "Beta\n", "sub/deep/c.md": "no title\n", "skip.bin": "x"}


@dataclass
class Place:
    """Somewhere with files, and how it is named."""

    write: Callable[[str, str], None]
    path: str
    names: Sequence[str] = ("a.md", "sub/b.txt", "sub/deep/c.md")
    has_hints: bool = True
    root: str = ""  # before each name in a path
    settings: Mapping[str, object] = field(default_factory=dict[str, object])  # of a kind that has no `path`

    def open(self, **settings: object) -> Source:
        values = self.settings or {"kind": "files", "path": self.path, "private_network": True}
        return open_source(TypeAdapter[AnySource](AnySource).validate_python({"name": "s", **values, **settings}))

    @cached_property
    def source(self) -> Source:
        return self.open()


@pytest.fixture(params=["folder", "file", "url", "remote", "web", "git", "site"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "remote":
            made = _remote(tmp_path.name)
        elif request.param == "web":
            made = _web(stack.enter_context(Site()))
        elif request.param == "git":
            made = _git(tmp_path / "docs")
        elif request.param == "site":
            made = _site(stack.enter_context(Site()))
        else:
            made = _local(request.param, tmp_path / "docs")
        for name, text in PAGES.items():
            made.write(name, text)
        yield made


def _local(kind: str, folder: Path) -> Place:
    def write(name: str, text: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        os.utime(path, (time.time() - 60 + len(text), time.time() - 60 + len(text)))

    if kind == "file":
        return Place(write, str(folder / "a.md"), ["a.md"])
    return Place(write, f"file://{folder}" if kind == "url" else str(folder))


def _remote(bucket: str) -> Place:
    import fsspec

    files = fsspec.filesystem("memory")
    return Place(lambda name, text: files.pipe_file(f"/{bucket}/{name}", text.encode()), f"memory://{bucket}")


def _web(site: Site) -> Place:
    folders: dict[str, set[str]] = {}

    def write(name: str, text: str) -> None:
        """The page, and a link to it in the page of each folder above."""
        site.page(f"/docs/{name}", text.encode())
        parts = re.findall("[^/]+/?", name)
        for depth, part in enumerate(parts):
            folder = "".join(parts[:depth])
            folders.setdefault(folder, set()).add(part)
            site.page(f"/docs/{folder}", links(*sorted(folders[folder])))

    return Place(write, f"{site.url}/docs", has_hints=False)


def _git(folder: Path) -> Place:
    repository = Repository(folder)

    def write(name: str, text: str) -> None:
        repository.write(name, text)
        repository.commit()

    return Place(write, str(folder), settings={"kind": "git", "repository": str(folder)})


def _site(site: Site) -> Place:
    urls: dict[str, str] = {}

    def write(name: str, text: str) -> None:
        site.page(f"/{name}", text.encode())
        urls[name] = f"<url><loc>{site.url}/{name}</loc></url>"
        site.page("/sitemap.xml", f"<urlset>{''.join(urls.values())}</urlset>".encode())

    url = f"{site.url}/sitemap.xml"
    settings = {"kind": "web", "sitemap": url, "private_network": True, "delay_seconds": 0}
    return Place(write, url, root="/", settings=settings)


def hints(listing: Listing) -> dict[str, str]:
    return {ref.path: ref.hint for ref in listing.refs}


def test_a_listing_names_every_document_once_and_in_order(place: Place) -> None:
    listing = place.source.list()
    assert listing.failed == ()
    assert [ref.path for ref in listing.refs] == [f"{place.root}{name}" for name in place.names]
    assert [ref.id for ref in listing.refs] == [f"s:{place.root}{name}" for name in place.names]
    assert {ref.source for ref in listing.refs} == {place.source.name} == {"s"}


def test_what_no_pattern_names_is_counted_by_its_suffix(place: Place) -> None:
    if place.settings.get("kind") == "web":
        pytest.skip("pages of a site are passed over by what they are, not by their names")
    place.write("sub/other.BIN", "x")
    place.write("sub/Makefile", "x")
    place.write(".hidden.bin", "x")
    place.write("node_modules/away.bin", "x")
    expected = {} if place.names == ["a.md"] else {".bin": 2, "": 1}
    assert dict(place.source.list().passed_over) == expected


def test_an_unchanged_source_is_listed_the_same(place: Place) -> None:
    assert place.source.list() == place.source.list()


def test_the_hint_of_an_edited_document_changes_and_no_other(place: Place) -> None:
    if not place.has_hints:
        pytest.skip("a web server says nothing of its pages before they are read")
    before = hints(place.source.list())
    assert all(before.values())
    place.write("a.md", "# Alpha\n\nOther text.\n")
    after = hints(place.source.list())
    assert [name for name in before if before[name] != after[name]] == [f"{place.root}a.md"]


def test_a_document_is_read_as_normalised_text_with_its_title(place: Place) -> None:
    ref = place.source.list().refs[0]
    document = place.source.read(ref)
    assert (document.ref, document.text, document.format) == (ref, "# Alpha\n\nText.\n", "markdown")
    assert document.metadata["title"] == "Alpha"


def test_a_document_that_is_gone_is_a_document_error(place: Place) -> None:
    ref = place.source.list().refs[0]._replace(id=DocumentId("s:never.md"), path="never.md")
    if place.names == ["a.md"]:
        pytest.skip("a single file has no other name")
    with pytest.raises(DocumentError, match=r"never\.md"):
        place.source.read(ref)


ODD = ("X.PDF", "b.Md", ".Md", ".env", "README", "a.tar.GZ", "sub.MD/NOTES.Txt", ".hidden/c.md", "Node.Draft.md")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, [".Md", "Node.Draft.md", "X.PDF", "a.md", "b.Md", "sub.MD/NOTES.Txt", "sub/b.txt", "sub/deep/c.md"]),
        ({"include": ["**/*.md"]}, [".Md", "Node.Draft.md", "a.md", "b.Md", "sub/deep/c.md"]),
        ({"include": ["**/*.pdf", "*.MD"]}, [".Md", "Node.Draft.md", "X.PDF", "a.md", "b.Md"]),
        ({"include": ["**/*.tar.gz", "**/README", "**/readme.*"]}, ["README", "a.tar.GZ"]),
        ({"include": ["**/.Env", ".hidden/**", "sub.md/*"]}, [".hidden/c.md"]),
        ({"include": ["**"], "exclude": ["**/*.pdf", "**/*.MD", "*.TAR.gz", "**/*.*xt"]},
         [".env", "README", "skip.bin"]),
        ({"include": ["**/*"], "exclude": ["**/*.?d", "X.*", "sub.md/**", "sub/**", "*.BIN", "readme"]},
         [".env", "README", "a.tar.GZ", "sub.MD/NOTES.Txt"]),
        ({"include": ["*.md"], "exclude": ["**/*.draft*", ".MD"]}, [".Md", "a.md", "b.Md"]),
    ],
    ids=range(8),
)  # fmt: skip
def test_suffixes_match_whatever_their_case_and_names_as_they_are(
    place: Place, settings: dict[str, object], names: list[str]
) -> None:
    if place.names == ["a.md"]:
        pytest.skip("a single file is taken whatever the patterns are")
    if place.settings.get("kind") == "web":
        pytest.skip("all pages of a site that can be read are taken by default")
    for name in ODD:
        place.write(name, "text")
    assert [ref.path for ref in place.open(**settings).list().refs] == names


def test_a_document_that_is_excluded_in_another_case_is_not_listed_any_more(place: Place) -> None:
    place.write("X.MD", "text")
    assert f"{place.root}X.MD" in [ref.path for ref in place.source.list().refs] or place.names == ["a.md"]
    listing = place.open(exclude=["**/*.md"]).list()
    assert (f"{place.root}X.MD" in [ref.path for ref in listing.refs], listing.failed) == (False, ())


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
