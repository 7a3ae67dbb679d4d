"""A branch of a repository as documents: what changed, who did it, and what must never run."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.sources import GitSource
from tasks.errors import DocumentError, TransientError
from tasks.load.git.source import GitFiles
from tasks.records import Listing
from tests.git_server import Repository, served


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "tree")


def opened(place: Path | str, folder: Path, **settings: object) -> GitFiles:
    config = GitSource.model_validate({"kind": "git", "name": "g", "repository": str(place), **settings})
    return GitFiles(config, folder / "state")


def texts(source: GitFiles) -> dict[str, str]:
    listing = source.list()
    assert listing.failed == ()
    return {ref.path: source.read(ref).text for ref in listing.refs}


def commits(source: GitFiles) -> dict[str, object]:
    return {ref.path: source.read(ref).metadata.get("commit") for ref in source.list().refs}


def hints(listing: Listing) -> dict[str, str]:
    return {ref.path: ref.hint for ref in listing.refs}


def reason(source: GitFiles) -> str:
    listing = source.list()
    assert listing.refs == ()
    assert [scope.prefix for scope in listing.failed] == ["g:"]
    return listing.failed[0].reason


def test_a_document_has_the_commit_author_and_date_of_its_own_last_change(
    repository: Repository, tmp_path: Path
) -> None:
    first = repository.commit(a_md="# A\n", sub__b_md="b\n")
    second = repository.commit(a_md="# A\n\nmore\n")
    source = opened(repository.folder, tmp_path)
    documents = {ref.path: source.read(ref) for ref in source.list().refs}
    assert documents["a.md"].metadata == {
        "commit": second, "author": "Ada Lovelace", "date": "2024-01-01T02:00:00+00:00", "title": "A"
    }  # fmt: skip
    assert documents["sub/b.md"].metadata["commit"] == first


def test_the_work_tree_is_not_looked_at(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="committed\n")
    repository.write("a.md", "edited")
    repository.write("new.md", "not committed")
    assert texts(opened(repository.folder, tmp_path)) == {"a.md": "committed\n"}


def test_a_commit_changes_the_hint_of_what_it_changed_and_no_other(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="a\n", b_md="b\n", c_md="c\n")
    source = opened(repository.folder, tmp_path)
    before = hints(source.list())
    repository.commit(b_md="other\n")
    for again in (source, opened(repository.folder, tmp_path), opened(repository.folder, tmp_path / "elsewhere")):
        after = hints(again.list())
        assert [name for name in before if before[name] != after[name]] == ["b.md"]


def test_a_rename_leaves_content_metadata_and_hint_as_they_were(repository: Repository, tmp_path: Path) -> None:
    repository.commit(old__a_md="a\n", old__b_md="b\n")
    source = opened(repository.folder, tmp_path)
    before = hints(source.list())
    metadata = source.read(source.list().refs[0]).metadata
    repository.git("mv", "old", "new")
    repository.commit()
    for again in (source, opened(repository.folder, tmp_path / "elsewhere")):
        listing = again.list()
        assert {name.replace("new/", "old/"): hint for name, hint in hints(listing).items()} == before
        assert again.read(listing.refs[0]).metadata == metadata


def test_the_log_says_the_same_kept_or_walked_anew(repository: Repository, tmp_path: Path) -> None:
    """Branches, a merge that is both, a file that went back, one that came back, a rename on one side."""
    repository.commit(a_md="one\n", b_md="one\n", c_md="c\n", d_md="d\n")
    kept = opened(repository.folder, tmp_path / "kept")
    steps = [
        lambda: repository.commit(a_md="two\n"),
        lambda: repository.commit(a_md="one\n"),
        lambda: (repository.git("checkout", "-q", "-b", "side"), repository.commit(b_md="side\n")),
        lambda: (repository.git("mv", "c.md", "e.md"), repository.commit()),
        lambda: (repository.git("checkout", "-q", "main"), repository.commit(b_md="main\n")),
        lambda: (
            repository.git("merge", "-q", "-s", "ours", "--no-commit", "side"),
            repository.git("checkout", "side", "--", "e.md"),
            repository.git("rm", "-q", "c.md"),
            repository.commit(b_md="both\n"),
        ),
        lambda: (repository.git("rm", "-q", "d.md"), repository.commit()),
        lambda: repository.commit(d_md="d\n"),
    ]
    for number, step in enumerate(steps):
        step()
        assert commits(kept) == commits(opened(repository.folder, tmp_path / f"new{number}")), number
    log = commits(kept)
    for path in ("a.md", "b.md", "d.md"):
        assert log[path] == repository.git("rev-list", "-1", "HEAD", "--", path)
    assert log["e.md"] == repository.git("rev-list", "--max-parents=0", "HEAD")
    repository.git("reset", "-q", "--hard", "HEAD~3")
    assert commits(kept) == commits(opened(repository.folder, tmp_path / "after"))


def test_what_git_can_hold_is_listed(repository: Repository, tmp_path: Path) -> None:
    names = ["A.md", "a.md", "gr\u00fc\u00dfe.md", "new\nline.md", "\udcfcml.md", 'quo"te.md', "sub/x.md"]
    for name in names:
        (repository.folder / name).parent.mkdir(exist_ok=True)
        (repository.folder / name).write_text(name.encode("utf-8", "replace").decode())
    (repository.folder / "link.md").symlink_to("a.md")
    repository.write("skip.bin", "x")
    repository.write("node_modules/x.md", "x")
    repository.commit()
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository.folder), "module")
    repository.commit()
    listing = opened(repository.folder, tmp_path).list()
    assert sorted(ref.path for ref in listing.refs) == sorted(names)
    assert "g:\\xfcml.md" in [ref.id for ref in listing.refs]
    assert (listing.failed, dict(listing.passed_over)) == ((), {".bin": 1})
    assert "1 links are not followed" in listing.notes[0]
    assert "submodules are not followed (module)" in listing.notes[1]


@pytest.mark.parametrize("kind", ["sha256", "bare", "worktree", "alternates", "packed", "tag", "file_url"])
def test_a_repository_of_any_form_is_read(kind: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "tree", *(["--object-format=sha256"] if kind == "sha256" else []))
    first = repository.commit(a_md="a\n")
    place: str = str(repository.folder)
    settings = {"branch": "main"}
    if kind in ("bare", "alternates"):
        place = str(tmp_path / "copy")
        repository.git("clone", "-q", *(["--bare"] if kind == "bare" else ["--shared"]), str(repository.folder), place)
    elif kind == "worktree":
        place, settings = str(tmp_path / "linked"), {}
        repository.git("worktree", "add", "-q", "-b", "other", place)
    elif kind == "packed":
        repository.git("pack-refs", "--all")
        repository.git("gc", "-q")
    elif kind == "tag":
        repository.git("tag", "-a", "-m", "v", "v1.0")
        repository.commit(a_md="later\n")
        settings = {"branch": "v1.0"}
    elif kind == "file_url":
        place = repository.folder.as_uri()
    source = opened(place, tmp_path, **settings)
    assert texts(source) == {"a.md": "a\n"}
    assert commits(source) == {"a.md": first}


def test_a_shallow_clone_does_not_take_its_end_for_a_change(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="a\n")
    last = repository.commit(b_md="b\n")
    repository.commit(c_md="c\n")
    place = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth=2", repository.folder.as_uri(), str(place))
    source = opened(place, tmp_path)
    log = commits(source)
    assert (log["a.md"], log["b.md"]) == (None, None)
    assert log["c.md"] not in (None, last)
    assert "2 documents have no commit" in source.list().notes[0]


def test_an_lfs_pointer_and_a_huge_blob_are_set_aside(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", b_md="b" * 1000)
    source = opened(repository.folder, tmp_path, max_bytes=500)
    first, second = source.list().refs
    for ref, kind in ((first, "lfs-pointer"), (second, "too-large")):
        with pytest.raises(DocumentError) as error:
            source.read(ref)
        assert error.value.reason == kind


def test_a_blob_that_is_not_there_is_told_and_the_rest_is_read(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="a\n", b_md="b\n")
    blob = repository.git("rev-parse", "HEAD:a.md")
    (repository.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    source = opened(repository.folder, tmp_path)
    first, second = source.list().refs
    with pytest.raises(TransientError, match=r"g:a\.md cannot be read .* missing or damaged; fetch it"):
        source.read(first)
    assert source.read(second).text == "b\n"


EVIL = {
    "core.fsmonitor": "{evil}", "core.pager": "{evil}", "core.editor": "{evil}", "core.sshCommand": "{evil}",
    "core.hooksPath": "{hooks}", "core.gitProxy": "{evil}", "core.alternateRefsCommand": "{evil}",
    "diff.external": "{evil}", "diff.x.textconv": "{evil}", "diff.x.command": "{evil}", "filter.x.smudge": "{evil}",
    "filter.x.clean": "{evil}", "gpg.program": "{evil}", "log.showSignature": "true", "alias.ls-tree": "!{evil}",
    "alias.rev-list": "!{evil}", "pager.ls-tree": "{evil}", "pager.diff-tree": "{evil}",
    "credential.helper": "!{evil}",
    "remote.origin.url": "ext::{evil}", "remote.origin.uploadpack": "{evil}", "remote.origin.promisor": "true",
    "remote.origin.partialCloneFilter": "blob:none", "protocol.ext.allow": "always",
    "extensions.partialClone": "origin",
    "core.repositoryFormatVersion": "1", "interactive.diffFilter": "{evil}", "uploadpack.packObjectsHook": "{evil}",
}  # fmt: skip


@pytest.mark.parametrize("url", ["ext::{evil}", "file:///nowhere", "ssh://host/x"])
def test_nothing_that_a_repository_says_runs(repository: Repository, tmp_path: Path, url: str) -> None:
    """A blob is missing, too: to fetch it would run the remote's command."""
    repository.write(".gitattributes", "*.md diff=x filter=x\n")
    repository.commit(a_md="a\n", b_md="b\n")
    repository.commit(a_md="other\n")
    blob = repository.git("rev-parse", "HEAD:b.md")
    (repository.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    evil, mark, hooks = tmp_path / "evil", tmp_path / "mark", tmp_path / "hooks"
    evil.write_text(f"#!/bin/sh\necho $0 $@ >>{mark}\n")
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change", "fsmonitor-watchman"):
        (hooks / name).write_text(evil.read_text())
    for path in (evil, *hooks.iterdir(), *(repository.folder / ".git/hooks").iterdir()):
        path.chmod(stat.S_IRWXU)
    for name, value in {**EVIL, "remote.origin.url": url}.items():
        text = value.format(evil=evil, hooks=hooks)
        subprocess.run(["git", "config", "--file", str(repository.folder / ".git/config"), name, text], check=True)
    source = opened(repository.folder, tmp_path, branch="main")
    listing = source.list()
    assert [ref.path for ref in listing.refs] == ["a.md", "b.md"]
    assert source.read(listing.refs[0]).text == "other\n"
    with pytest.raises(TransientError):
        source.read(listing.refs[1])
    assert not mark.exists(), mark.read_text()


@pytest.mark.parametrize(
    "repository", ["ext::sh -c x", "--upload-pack=x", "fd::3", "ftp://host/x", "https://a\nb", "transport::x"]
)
def test_what_git_would_run_is_no_repository(repository: str) -> None:
    with pytest.raises(ValidationError, match="no repository"):
        GitSource.model_validate({"kind": "git", "repository": repository})


@pytest.mark.parametrize("branch", ["-x", "--upload-pack=x", "a:b", "a..b c", "+main", "@{-1} x", "a^b", "a~1"])
def test_what_is_no_name_is_no_branch(branch: str) -> None:
    with pytest.raises(ValidationError, match="branch"):
        GitSource.model_validate({"kind": "git", "repository": "x", "branch": branch})


def test_the_cause_is_told_where_nothing_can_be_listed(repository: Repository, tmp_path: Path) -> None:
    assert "has no commit" in reason(opened(repository.folder, tmp_path))
    repository.commit(sub__a_md="a\n")
    assert "no branch 'never'; expected one of main" in reason(opened(repository.folder, tmp_path, branch="never"))
    assert "not a git repository" in reason(opened(repository.folder / "sub", tmp_path))
    assert "No such file or directory" in reason(opened(tmp_path / "nowhere", tmp_path))
    for name in (repository.folder / ".git/objects").glob("??/*"):
        name.unlink()
    assert "cannot be listed" in reason(opened(repository.folder, tmp_path))


def test_a_url_is_followed_and_only_what_is_wanted_is_fetched(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit(a_md="a\n", skip_bin="x" * 1000, old_md="old\n")
    with served(tmp_path) as server:
        source = opened(f"http://{server.host}/tree/.git", tmp_path, include=["**/*.md"], exclude=["old.md"])
        assert (texts(source), commits(source)) == ({"a.md": "a\n"}, {"a.md": first})
        (clone,) = (path for path in (tmp_path / "state").iterdir() if path.is_dir())
        there = subprocess.run(
            ["git", f"--git-dir={clone}", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
            capture_output=True, check=True,
        ).stdout.split()  # fmt: skip
        assert there.count(b"blob") == 1
        second = repository.commit(b_md="b\n")
        (clone / "shallow.lock").touch()
        assert commits(source) == {"a.md": first, "b.md": second}
        repository.git("reset", "-q", "--hard", first)
        third = repository.commit(c_md="c\n")
        assert commits(source) == {"a.md": first, "c.md": third}
        server.asked.clear()
        source.list()
        assert len(server.asked) == 1, "what the branch names"
        server.status = 503
        assert source.list().failed[0].is_outage
    listing = opened(f"http://{server.host}/tree/.git", tmp_path).list()
    assert listing.failed[0].is_outage
    assert "check `repository`" in listing.failed[0].reason


@pytest.mark.parametrize("history", [True, False])
def test_a_branch_that_the_server_has_not_is_no_outage(repository: Repository, tmp_path: Path, history: bool) -> None:
    repository.commit(a_md="a\n")
    repository.git("branch", "other")
    with served(tmp_path) as server:
        url = f"http://{server.host}/tree/.git"
        failed = opened(url, tmp_path, branch="never", history=history).list().failed[0]
        assert (failed.is_outage, "never" in failed.reason) == (False, True)
        there = opened(url, tmp_path, branch="other", history=history)
        assert texts(there) == {"a.md": "a\n"}
        repository.git("branch", "-D", "other")
        failed = there.list().failed[0]
        assert (failed.is_outage, "other" in failed.reason) == (False, True)


def test_without_history_nothing_of_it_is_fetched(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="a\n")
    repository.commit(a_md="b\n")
    with served(tmp_path) as server:
        source = opened(f"http://{server.host}/tree/.git", tmp_path, history=False)
        assert (texts(source), commits(source), source.list().notes) == ({"a.md": "b\n"}, {"a.md": None}, ())
        repository.commit(a_md="c\n")
        assert texts(source) == {"a.md": "c\n"}
        (clone,) = (path for path in (tmp_path / "state").iterdir() if path.is_dir())
        assert (
            subprocess.check_output(["git", f"--git-dir={clone}", "rev-list", "--count", "refs/headrace/branch"])
            == b"1\n"
        )


@pytest.mark.parametrize("password", ["right/pass", "wrong", ""])
def test_a_password_is_sent_shown_to_nobody_and_never_asked_for(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    repository.commit(a_md="a\n")
    store = tmp_path / "store"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = store --file={store}\n")
    monkeypatch.setenv("HOME", str(home))
    asked = tmp_path / "asked"
    (home / "ask").write_text(f"#!/bin/sh\ntouch {asked}\necho x\n")
    (home / "ask").chmod(stat.S_IRWXU)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(home / "ask"))
    with served(tmp_path, "right/pass") as server:
        user = f"ada:{password.replace('/', '%2F')}@" if password else ""
        source = opened(f"http://{user}{server.host}/tree/.git", tmp_path)
        listing = source.list()
        assert [ref.path for ref in listing.refs] == (["a.md"] if password.startswith("right") else [])
        said = " ".join([source.name, *(scope.reason for scope in listing.failed)])
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    for secret in ("right", "wrong"):
        assert secret not in said
        assert secret.encode() not in kept
    assert not store.exists()
    assert not asked.exists()


def test_a_source_is_named_after_its_url_without_who_asks() -> None:
    named = GitSource.model_validate({"kind": "git", "repository": "https://ada:secret@git.example/team/docs.git"})
    assert named.name == "https-//git.example/team/docs.git"


def test_a_variable_of_a_hook_leads_nowhere_else(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(a_md="a\n")
    other = Repository(tmp_path / "other")
    other.commit(b_md="b\n")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.devnull)
    assert texts(opened(repository.folder, tmp_path)) == {"a.md": "a\n"}
