"""Which files of a folder are documents, and what happens to those that are not well."""

import os
import time
import unicodedata
from pathlib import Path

import pytest

from config.sources import FilesSource
from tasks.errors import DocumentError
from tasks.load.files.local import Files
from tasks.load.paths import PathFilter


def files(root: Path, **settings: object) -> Files:
    return Files(FilesSource.model_validate({"kind": "files", "path": str(root), "name": "s", **settings}))


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"text of {name}\n")


def listed(source: Files) -> list[str]:
    return [ref.path for ref in source.list().refs]


@pytest.mark.parametrize(
    ("pattern", "path", "takes"),
    [
        ("**/*.md", "a.md", True),
        ("**/*.md", "x/y/a.md", True),
        ("*.md", "x/a.md", False),
        ("docs/**", "docs/x/a.md", True),
        ("docs/*/a.md", "docs/x/y/a.md", False),
        ("?.md", "ab.md", False),
        ("a+b.md", "a+b.md", True),
        ("**/*.md", "a.mdx", False),
    ],
)
def test_a_star_stays_in_its_folder_and_two_stars_cross(pattern: str, path: str, *, takes: bool) -> None:
    assert PathFilter([pattern], []).takes(path) is takes


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("**/*.md", "docs/READ.MD"), ("**/*.PDF", "scan.pdf"), ("docs/*.html", "docs/Page.HTML"), ("*.[", "a.[")],
)
def test_a_suffix_is_matched_whatever_its_case(pattern: str, path: str) -> None:
    assert PathFilter([pattern], []).takes(path)
    assert not PathFilter(["**"], [pattern]).takes(path)


def test_names_and_folders_are_matched_as_they_are_written() -> None:
    only = PathFilter(["docs/read*.md"], [])
    assert not only.takes("Docs/readme.md")
    assert not only.takes("docs/README.md")
    assert PathFilter(["**/*README"], []).takes("notes.README")
    assert not PathFilter(["**/*README"], []).takes("notes.readme")


def test_a_folder_is_passed_over_only_where_everything_in_it_is_excluded() -> None:
    paths = PathFilter(["**/*.md"], ["docs.Old/**"])
    assert (paths.enters("docs.Old"), paths.takes("docs.Old/a.md")) == (False, False)
    assert (paths.enters("docs.old"), paths.takes("docs.old/a.md")) == (True, True)


def test_exclude_wins_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "drafts/b.md", "x/drafts/c.md", ".git/d.md", "node_modules/e.md", "x/f.md", ".github/g.md")
    assert listed(files(tmp_path, exclude=["**/drafts/**"])) == ["a.md", "x/f.md"]
    named = files(tmp_path, include=["**/*.md", ".github/**"])
    assert ".github/g.md" in listed(named)
    assert ".git/d.md" not in listed(named)


def test_what_exclude_names_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.zip", "c.bak", "drafts/d.zip", "x/e.tmp")
    (tmp_path / "link.zip").symlink_to(tmp_path / "b.zip")
    excluding = files(tmp_path, exclude=["drafts/**", "**/*.bak", "x/*"])
    assert dict(excluding.list().passed_over) == {".zip": 1}
    assert dict(files(tmp_path).list().passed_over) == {".zip": 2, ".bak": 1, ".tmp": 1}
    assert dict(files(tmp_path, include=["**"]).list().passed_over) == {}


def test_a_suffix_that_is_no_unicode_can_be_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a.\xff")).touch()
    assert dict(files(tmp_path).list().passed_over) == {r".\xff": 1}


def test_links_out_of_the_root_are_passed_over_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "outside.md")
    write(root, "in.md", "sub/deep.md")
    (root / "sub/loop").symlink_to(root)
    (root / "away.md").symlink_to(tmp_path / "outside.md")
    (root / "alias.md").symlink_to(root / "in.md")
    (root / "broken.md").symlink_to(root / "none.md")
    assert listed(files(root)) == ["alias.md", "in.md", "sub/deep.md"]


def test_a_fresh_file_has_no_hint_and_an_old_one_has(tmp_path: Path) -> None:
    write(tmp_path, "fresh.md", "old.md", "future.md")
    os.utime(tmp_path / "old.md", (time.time() - 10, time.time() - 10))
    os.utime(tmp_path / "future.md", (time.time() + 999, time.time() + 999))
    hints = {ref.path: bool(ref.hint) for ref in files(tmp_path).list().refs}
    assert hints == {"fresh.md": False, "old.md": True, "future.md": False}


def test_names_in_either_unicode_form_are_one_id(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Straße-é.md")
    write(tmp_path, name)
    [ref] = files(tmp_path).list().refs
    assert ref.id == "s:Straße-é.md"
    assert files(tmp_path).read(ref).text.startswith("text of")


def test_two_names_that_differ_in_unicode_form_only_are_not_merged(tmp_path: Path) -> None:
    write(tmp_path, unicodedata.normalize("NFD", "é.md"), unicodedata.normalize("NFC", "é.md"), "a.md")
    listing = files(tmp_path).list()
    assert [ref.path for ref in listing.refs] == ["a.md"]
    assert "Unicode" in listing.failed[0].reason


def test_a_name_that_is_no_unicode_is_readable_and_stable(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.md")).write_text("text\n")
    [ref] = files(tmp_path).list().refs
    assert ref.id == "s:bad\\xff.md"
    assert files(tmp_path).read(ref).text == "text\n"


BAD = {
    "junk.txt": (bytes(range(256)) * 20, "binary"),
    "nul.txt": (b"text\0" * 50, "binary"),
    "truncated.txt": (b"\xff\xfe\x00", "undecodable"),
    "large.txt": (b"x" * 2001, "too-large"),
    "undefined.txt": (b"caf\x81 \xe9", "undecodable"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_file_is_refused_with_its_class_and_name(tmp_path: Path, name: str) -> None:
    content, reason = BAD[name]
    (tmp_path / name).write_bytes(content)
    source = files(tmp_path, max_bytes=2000 if reason == "too-large" else 9000)
    with pytest.raises(DocumentError, match=name) as caught:
        source.read(source.list().refs[0])
    assert caught.value.reason == reason


GOOD = {
    "empty.txt": (b"", ""),
    "bom.txt": ("é".encode("utf-8-sig"), "é"),
    "utf16.txt": ("é🙂\r\n".encode("utf-16"), "é🙂\n"),
    "utf32.txt": ("é🙂".encode("utf-32"), "é🙂"),
    "windows.txt": ("café “x”".encode("cp1252"), "café “x”"),
    "mac.txt": (b"a\rb\r\nc", "a\nb\nc"),
    "late-nul.txt": (b"a" * 70_000 + b"\0b", "a" * 70_000 + "b"),
    "surrogate.txt": ("a\ud800b".encode("utf-16-le", "surrogatepass"), None),
}


@pytest.mark.parametrize("name", list(GOOD))
def test_every_honest_encoding_is_read(tmp_path: Path, name: str) -> None:
    content, text = GOOD[name]
    (tmp_path / name).write_bytes(content)
    source = files(tmp_path)
    ref = source.list().refs[0]
    if text is None:
        with pytest.raises(DocumentError):
            source.read(ref)
    else:
        assert source.read(ref).text == text


def test_a_file_that_vanished_after_the_listing_is_a_document_error(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    source = files(tmp_path)
    [ref] = source.list().refs
    (tmp_path / "a.md").unlink()
    with pytest.raises(DocumentError) as caught:
        source.read(ref)
    assert caught.value.reason == "missing"


LEFT_BESIDE = (
    *("~$report.docx", "~$x.PPTX", "._notes.md", ".DS_Store", "Thumbs.db", "thumbs.DB", "ehthumbs.db", "desktop.ini"),
    *("Desktop.ini", ".~lock.report.odt#", "~WRL0001.tmp", ".#notes.md", "#notes.md#", ".notes.md.swp", "Icon\r"),
)


@pytest.mark.parametrize("include", [None, ["**/*"], ["**"], ["*.md", "*.docx", "**/desktop.ini"]])
def test_what_programs_leave_beside_documents_is_passed_over(tmp_path: Path, include: list[str] | None) -> None:
    for folder in ("", "deep/"):
        write(tmp_path, *(f"{folder}{name}" for name in LEFT_BESIDE))
    write(tmp_path, "report.docx", "notes.md", "__MACOSX/a.md", "$RECYCLE.BIN/b.md")
    listing = files(tmp_path, **({"include": include} if include else {})).list()
    assert [ref.path for ref in listing.refs] == ["notes.md", "report.docx"]
    assert dict(listing.passed_over) == {}, "nobody misses them"


GENERATED = (
    *("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "conda-lock.yml", "packages.lock.json"),
    *("app.min.js", "site-min.css", "app.js.map", "uv.lock", "Cargo.lock", "Pipfile.lock"),
)


@pytest.mark.parametrize("include", [None, ["**/*"], ["**/*.json", "**/*.js", "**/*.yaml", "**/*.md"]])
def test_what_tools_write_for_tools_is_passed_over_and_counted(tmp_path: Path, include: list[str] | None) -> None:
    write(tmp_path, *GENERATED, *(f"web/{name}" for name in GENERATED), "package.json", "app.js", "block.md", "min.js")
    listing = files(tmp_path, include=include).list()
    assert [ref.path for ref in listing.refs] == ["app.js", "block.md", "min.js", "package.json"]
    assert sum(listing.passed_over.values()) == 2 * len(GENERATED)


@pytest.mark.parametrize("pattern", ["**/package-lock.json", "web/*.lock", "**/*.min.js", "web/*-lock.yaml"])
def test_what_tools_write_is_taken_where_a_pattern_names_it(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, *(f"web/{name}" for name in GENERATED))
    taken = {ref.path for ref in files(tmp_path, include=[pattern]).list().refs}
    assert taken == {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern)} != set()


@pytest.mark.parametrize("include", [None, ["**/*"]])
def test_links_that_lead_to_no_document_of_the_folder_are_told(tmp_path: Path, include: list[str] | None) -> None:
    root = tmp_path / "root"
    write(tmp_path, "root/a.md", "root/sub/b.md", "elsewhere/c.md")
    for number in range(5):
        (root / f"link{number}").symlink_to(tmp_path / "elsewhere")
    (root / "sub/inner").symlink_to(root / "sub")
    (root / ".hidden").symlink_to(tmp_path / "elsewhere")
    (root / ".#a.md").symlink_to("ada@host.1234:56")  # an editor's lock
    (root / "out.md").symlink_to(tmp_path / "elsewhere/c.md")
    (root / "gone.md").symlink_to(root / "sub/gone.md")
    (root / "loop.md").symlink_to(root / "loop.md")
    (root / "null.md").symlink_to("/dev/null")
    (root / "alias.md").symlink_to(root / "a.md")
    listing = files(root, **({"include": include} if include else {})).list()
    assert [ref.path for ref in listing.refs] == ["a.md", "alias.md", "sub/b.md"]
    assert listing.notes == (
        "source 's': links that lead out of its folder or to nothing are not followed (8): gone.md, link0, link1 and 5"
        " more; give what is elsewhere a source of its own",
    )
    assert listing.failed == ()
