"""When each document of a repository was last changed, and by whom: one walk of the log, whose result is kept."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tasks.load.git.command import Git, GitError

_FORMAT = "--pretty=format:%H%x00%an%x00%aI%x00"
_DIFF = ("diff-tree", "--stdin", "-r", "-c", "--root", "-M100%", "-z", "--encoding=UTF-8", _FORMAT)


class Change(NamedTuple):
    """The commit that gave a path its present content, with its author and their date as ISO 8601 has it."""

    commit: str
    author: str
    date: str


class _Step(NamedTuple):
    """One path in one commit; `old` is another name of the same content there, "" for none."""

    change: Change
    path: str
    blob: str
    old: str


def last_changes(git: Git, commit: str, blobs: Mapping[str, str], file: Path) -> dict[str, Change]:
    """The last change of each path that has one in the history that is there; `blobs` are the contents at `commit`.

    A file that was only renamed keeps its change. `file` keeps what was found: the next walk ends where this one began.
    """
    walk = _Walk(git, blobs)
    kept_commit, kept = _kept(git, commit, file)
    if kept_commit:
        walk.go(commit, f"^{kept_commit}")
        walk.take(kept)
        walk.go(kept_commit)
    else:
        walk.go(commit)
    with suppress(OSError):  # where nothing may be written, each run walks
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.new")
        new.write_text(json.dumps([commit, {path: [blobs[path], *change] for path, change in walk.changes.items()}]))
        new.replace(file)
    return walk.changes


class _Walk:
    """The way from new to old; `waiting` are today's paths whose change is still to come, by their names there."""

    def __init__(self, git: Git, blobs: Mapping[str, str]) -> None:
        self.changes: dict[str, Change] = {}
        self._git = git
        self._blobs = blobs
        self._waiting: dict[str, list[str]] = {path: [path] for path in blobs}

    def go(self, *commits: str) -> None:
        """Walk these commits; where a shallow clone ends, all files of one look new, so what it says is not believed.

        A path is only settled by the commit that gave it today's content: others lost it in a merge.
        """
        if not self._waiting:
            return
        for step in _steps(self._git, commits):
            waiting = [path for path in self._waiting.pop(step.path, ()) if self._settles_or_keeps(step, path)]
            if waiting:
                self._waiting.setdefault(step.old or step.path, []).extend(waiting)
            if not self._waiting:
                return

    def take(self, kept: Mapping[str, list[str]]) -> None:
        """What an earlier walk has found for the same content under the same name."""
        for old, paths in [*self._waiting.items()]:
            blob, *change = kept.get(old, [""])
            if blob and blob == self._blobs[paths[0]]:
                self.changes |= dict.fromkeys(paths, Change(*change))
                del self._waiting[old]

    def _settles_or_keeps(self, step: _Step, path: str) -> bool:
        """Whether the path goes on waiting."""
        if step.old or step.blob != self._blobs[path]:
            return True
        self.changes[path] = step.change
        return False


def _steps(git: Git, commits: tuple[str, ...]) -> Iterator[_Step]:
    file = Path(git.run("rev-parse", "--path-format=absolute", "--git-path", "shallow").decode().rstrip("\n"))
    shallow = set(file.read_text().split()) if file.exists() else set()
    change = Change("", "", "")
    tokens = git.tokens(("rev-list", "--topo-order", *commits), _DIFF)
    for token in tokens:
        entry = token.lstrip(b"\n")
        if not entry:
            continue
        if not entry.startswith(b":"):
            change = Change(_text(entry), _text(next(tokens, b"")), _text(next(tokens, b"")))
            continue
        *_, blob, status = entry.decode().split()
        names = [_text(next(tokens, b"")) for _ in range(2 if status[0] in "RC" else 1)]
        if change.commit not in shallow:
            yield _Step(change, names[-1], blob, names[0] if len(names) > 1 else "")


def _kept(git: Git, commit: str, file: Path) -> tuple[str, dict[str, list[str]]]:
    """What an earlier walk left, where its commit is one before this one."""
    with suppress(OSError, ValueError, GitError):
        kept_commit, kept = json.loads(file.read_text())
        git.run("merge-base", "--is-ancestor", str(kept_commit), commit)
        return str(kept_commit), dict(kept)
    return "", {}


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
