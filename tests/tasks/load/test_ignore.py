"""`.headraceignore`: what it leaves out, wherever the files lie; the same as git leaves out by a `.gitignore`."""

import os
import subprocess
from pathlib import Path

import fsspec
import pytest

from config.sources import FilesSource, GitSource
from tasks.load.open import open_source
from tasks.records import Listing
from tests.git_server import Repository

NAMES = [
    "a.md", "draft.md", "keep/draft.md", "keep/a.md", "build/a.md", "sub/build/a.md", "sub/notes/x.md", "sub/x.md",
    "old/deep/a.md", "old/keep.md", "with space.md", "#hash.md", "sub/!bang.md", "\u00e4.md", "secret/a.md",
]  # fmt: skip
RULES = {
    "": "# a comment\n\ndraft.md\n/build/\nold/*\n!old/keep.md\n\\#hash.md\n**/notes/**\nsecret\n\u00e4.md\n"
    "with space.md\n",
    "keep": "!draft.md\n",
    "sub": "!notes/\n!x.md\n\\!bang.md\r\n",
    "secret": "!a.md\n",
}


def by_git(folder: Path) -> list[str]:
    """What git does not ignore, by files of the same content under its own name."""
    for above, text in RULES.items():
        (folder / above / ".gitignore").write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    names = subprocess.check_output(["git", "ls-files", "-zco", "--exclude-standard"], cwd=folder).decode().split("\0")
    for above in RULES:
        (folder / above / ".gitignore").unlink()
    return sorted(name for name in names if name.endswith(".md"))


def listings(tmp_path: Path, extra: dict[str, str]) -> dict[str, Listing]:
    folder = tmp_path / "docs"
    files = fsspec.filesystem("memory")
    rules = {f"{above}/.headraceignore".lstrip("/"): text for above, text in (RULES | extra).items()}
    for name, text in [*((name, "text\n") for name in NAMES), *rules.items()]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
        files.pipe_file(f"/{tmp_path.name}/{name}", text.encode())
    repository = Repository(tmp_path / "repository")
    subprocess.run(["cp", "-r", f"{folder}/.", str(repository.folder)], check=True)
    repository.commit()
    configs = [
        FilesSource(path=str(folder), name="s"),
        FilesSource(path=f"memory://{tmp_path.name}", name="s"),
        GitSource.model_validate({"kind": "git", "repository": str(repository.folder), "name": "s"}),
    ]
    kinds = ("local", "remote", "git")
    opened = [open_source(config, beside=tmp_path / "state/x.db") for config in configs]
    return {kind: source.list() for kind, source in zip(kinds, opened, strict=True)}


def test_an_ignore_file_leaves_out_what_git_would(tmp_path: Path) -> None:
    found = listings(tmp_path, {})
    expected = by_git(tmp_path / "docs")
    assert {"a.md", "old/keep.md", "keep/draft.md", "sub/x.md"} <= {*expected}
    assert len(expected) < len(NAMES) - 4
    for kind, listing in found.items():
        assert (listing.failed, dict(listing.passed_over)) == ((), {}), kind
        assert [ref.path for ref in listing.refs] == expected, kind


@pytest.mark.parametrize("rule", ["*a*b*c*d*e*.md", "sub/*1*2*3*4*5", "!", "foo\\"])
def test_an_ignore_file_that_cannot_be_followed_lists_nothing_of_what_it_hides(tmp_path: Path, rule: str) -> None:
    for kind, listing in listings(tmp_path, {"keep": f"{rule}\n"}).items():
        assert not any(ref.path.startswith("keep/") for ref in listing.refs), kind
        assert [scope.prefix for scope in listing.failed] in (["s:"], ["s:keep/"]), kind
        assert "cannot be followed" in listing.failed[0].reason


def test_an_ignore_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.md").write_text("a")
    (tmp_path / "sub/.headraceignore").symlink_to(os.devnull)
    listing = open_source(FilesSource(path=str(tmp_path), name="s")).list()
    assert (listing.refs, [scope.prefix for scope in listing.failed]) == ((), ["s:sub/"])
