"""Where a repository is: a folder of somebody's, which is only read, or a clone of ours that follows a URL."""

import shutil
import urllib.parse
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from config import sources
from tasks.load.git.command import Git, GitError
from tasks.system.process_lock import ProcessLock

FETCH_SECONDS = 3600.0
_REMOTE = "https:http:ssh:git"
_OURS = "refs/headrace/branch"
_QUIETLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
# A server that says nothing for a minute is not waited for, and no process stays behind.
_SETTINGS = (("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "60"), ("gc.autoDetach", "false"))
# In no argument, no file, and for no other server. The first line sends helpers away that would store it.
_ANSWER = '!f() { printf "username=%s\\npassword=%s\\n" "$HEADRACE_GIT_USER" "$HEADRACE_GIT_PASSWORD"; }; f'


class Folder:
    """A repository on this machine."""

    def __init__(self, config: sources.GitSource) -> None:
        """Nothing is looked at before the first listing. Folders above it are not asked whether they are one."""
        path = Path(config.repository)
        self.shown = str(path)
        self.git = Git(("-C", str(path)), {"GIT_CEILING_DIRECTORIES": str(path.parent)})
        self._branch = config.branch

    def commit(self) -> str:
        """What the branch names now; GitError where it names nothing."""
        cause: GitError | None = None
        for name in (f"refs/heads/{self._branch}", self._branch) if self._branch else ("HEAD",):
            try:
                return _resolved(self.git, name)
            except GitError as error:
                cause = error
        self.git.run("rev-parse", "--git-dir")  # says what is wrong where it is no repository at all
        wanted = f"branch {self._branch!r}" if self._branch else "commit"
        raise GitError(f"it has no {wanted}; expected one of {_branches(self.git)}") from cause

    def fetch_contents(self, commit: str, names: Sequence[str]) -> None:
        """They are there already, or nowhere: somebody's own repository is left alone."""


class Clone:
    """A bare clone without contents, which are fetched as they are asked for; without history where none is wanted."""

    def __init__(self, config: sources.GitSource, folder: Path) -> None:
        """Nothing is contacted before the first listing; the clone is made below `folder`."""
        self.shown, user = _without_user(config.repository)
        self._branch = config.branch
        self._depth = () if config.history else ("--depth=1",)
        self._folder = folder / sha256(f"{self.shown}\n{config.branch}\n{config.history}".encode()).hexdigest()[:16]
        settings = list(_SETTINGS)
        if user:
            server = "/".join(self.shown.split("/")[:3])
            settings += [("credential.helper", ""), (f"credential.{server}.helper", _ANSWER)]
        online = {
            "GIT_ALLOW_PROTOCOL": _REMOTE,
            "GIT_NO_LAZY_FETCH": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
            **{f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in enumerate(settings)},
            **{f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(settings)},
            **dict(zip(("HEADRACE_GIT_USER", "HEADRACE_GIT_PASSWORD"), user, strict=False)),
        }
        self.git = Git((f"--git-dir={self._folder}",), {})
        self._online = Git((f"--git-dir={self._folder}",), online)
        self._nowhere = Git((), online)

    def commit(self) -> str:
        """What the branch names on the server now, once it is here."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        lock = ProcessLock(self._folder.with_suffix(".lock"))
        if other := lock.acquire(FETCH_SECONDS):
            raise GitError(f"another run fetches it ({other})")
        try:
            self._fetch()
        finally:
            lock.release()
        return _resolved(self.git, _OURS)

    def fetch_contents(self, commit: str, names: Sequence[str]) -> None:
        """All that are not there yet, in one request."""
        if not names:
            return
        listed = self.git.run("rev-list", "--objects", "--missing=print", "--no-walk", commit).split()
        missing = {line[1:].decode() for line in listed if line.startswith(b"?")}
        if wanted := missing & {*names}:
            given = "".join(f"{name}\n" for name in sorted(wanted)).encode()
            noop = ("-c", "fetch.negotiationAlgorithm=noop")  # what is here says nothing of what is not
            self._online.run(
                *noop, "fetch", "--filter=blob:none", *_QUIETLY, "--stdin", "origin", given=given, seconds=FETCH_SECONDS
            )

    def _fetch(self) -> None:
        if not self._folder.exists():
            new = self._folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            kind = self._depth or ("--filter=blob:none",)
            branch = (f"--branch={self._branch}",) if self._branch else ()
            words = ("clone", "--bare", "--quiet", "--template=", "--no-tags", "--single-branch", *kind, *branch)
            self._nowhere.run(*words, "--", self.shown, str(new), seconds=FETCH_SECONDS)
            new.replace(self._folder)
        for left in (*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock")):
            left.unlink()  # by a git that was killed; nobody else is here
        wanted = (f"refs/heads/{self._branch}", self._branch) if self._branch else ("HEAD",)
        for number, name in enumerate(wanted, start=1):
            try:
                self._online.run(
                    "fetch", *_QUIETLY, *self._depth, "--", "origin", f"+{name}:{_OURS}", seconds=FETCH_SECONDS
                )
                return
            except GitError as error:
                if number == len(wanted) or "couldn't find remote ref" not in str(error):
                    raise


def place_of(config: sources.GitSource, folder: Path) -> Folder | Clone:
    """A path or a file:// URL is a folder of somebody's."""
    if config.repository.startswith("file://"):
        path = urllib.parse.unquote(urllib.parse.urlsplit(config.repository).path)
        return Folder(config.model_copy(update={"repository": path}))
    return Clone(config, folder) if sources.is_remote(config.repository) else Folder(config)


def _resolved(git: Git, name: str) -> str:
    found = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return found.decode().split()[0]


def _branches(git: Git) -> str:
    newest = "--sort=-committerdate"
    names = git.run("for-each-ref", newest, "--format=%(refname:short)", "--count=6", "refs/heads").decode().split()
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") or "(it is empty)"


def _without_user(url: str) -> tuple[str, tuple[str, ...]]:
    """The URL as it may be shown and stored, and the user name and password of a web address."""
    parts = urllib.parse.urlsplit(url)
    if "@" not in parts.netloc:
        return url, ()
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    if parts.scheme not in ("http", "https"):
        return parts._replace(netloc=f"{name}@{host}").geturl(), ()  # ssh takes no password from there
    return parts._replace(netloc=host).geturl(), (urllib.parse.unquote(name), urllib.parse.unquote(password))
