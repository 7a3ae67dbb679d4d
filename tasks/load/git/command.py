"""The `git` command, held so that nothing a repository says can run code, and nobody is asked for a password."""

import os
import re
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO

from tasks.errors import ConfigError
from tasks.system.file_system import escaped

SECONDS = 600.0
READ_BYTES = 1 << 16
# They would lead to another repository than the one that is meant, as in a hook.
_DROPPED = re.compile(
    "GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX|GRAFT_FILE"
    "|SHALLOW_FILE|REPLACE_REF_BASE|IMPLICIT_WORK_TREE|CONFIG|CONFIG_PARAMETERS|TRACE.*|ASKPASS|EXTERNAL_DIFF)"
)
_ALWAYS = {
    "LC_ALL": "C",  # its messages are looked at
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # an earlier git than 2.44 fetches what a partial clone lacks by whatever its config says
}


# Reading the index, as `diff-tree` does, would run the monitor.
_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


class GitError(Exception):
    """The message is git's own, in one line, without a user name or password."""


class Git:
    """Commands on one repository; `environment` is added to each."""

    def __init__(self, place: Sequence[str], environment: Mapping[str, str]) -> None:
        """`place` are git's own options that say where it is."""
        self._command = ("git", "--no-pager", *place, *_SETTINGS)
        kept = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
        self._environment = {**kept, **_ALWAYS, **environment}

    def run(self, *words: str, given: bytes = b"", seconds: float = SECONDS) -> bytes:
        """What it writes; GitError where it fails or takes too long."""
        try:
            done = subprocess.run(  # noqa: S603 - no shell; what is not ours stands behind `--` or `--end-of-options`
                [*self._command, *words],
                input=given,
                capture_output=True,
                env=self._environment,
                timeout=seconds,
                check=False,
                start_new_session=True,  # without a terminal nobody can be asked there
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {words[0]} took more than {seconds:g} s") from error
        if done.returncode:
            raise GitError(_message(done.stderr) or f"git {words[0]} ended with {done.returncode}")
        return done.stdout

    def start(self, *words: str, stdin: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """A command that goes on, for `ended`."""
        try:
            return subprocess.Popen(  # noqa: S603 - as above
                [*self._command, *words],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error

    def tokens(self, listed: Sequence[str], command: Sequence[str]) -> Iterator[bytes]:
        """What `command` says of the lines of `listed`, between zero bytes; neither is ever in memory as a whole."""
        first = self.start(*listed)
        second = self.start(*command, stdin=_pipe(first.stdout))
        _pipe(first.stdout).close()
        rest = b""
        try:
            while block := _pipe(second.stdout).read(READ_BYTES):
                *whole, rest = (rest + block).split(b"\0")
                yield from whole
            if first.wait() or second.wait():
                raise GitError(f"git {listed[0]} or git {command[0]} failed; `git fsck` says what is wrong there")
        finally:
            ended(second)
            ended(first)


class Objects:
    """Contents by object id, from one process that stays; safe to call from several threads."""

    def __init__(self, git: Git) -> None:
        """Nothing is started before the first content is asked for."""
        self._git = git
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Bytes of each; None where the object is not there."""
        lines = "".join(f"{name}\n" for name in names).encode()
        answers = self._git.run("cat-file", "--batch-check=%(objectsize)", "--buffer", given=lines).splitlines()
        return [int(answer) if answer.isdigit() else None for answer in answers]

    def read(self, name: str) -> bytes:
        """The content; GitError where the object is not there, or is damaged."""
        with self._lock:
            try:
                return self._ask(name)
            except (OSError, ValueError) as error:
                process, self._process = self._process, None
                if process:
                    ended(process)
                raise GitError(f"object {name[:12]} is missing or damaged") from error

    def _ask(self, name: str) -> bytes:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
            weakref.finalize(self, ended, self._process)
        asked, answers = _pipe(self._process.stdin), _pipe(self._process.stdout)
        asked.write(f"{name}\n".encode())
        asked.flush()
        _, kind, size = answers.readline().split()  # "NAME missing" is a ValueError
        content = answers.read(int(size) + 1)
        if kind != b"blob" or len(content) != int(size) + 1:
            raise ValueError(kind)
        return content[:-1]


def ended(process: subprocess.Popen[bytes]) -> None:
    """Stop it where it still runs, and leave nothing of it."""
    process.kill()
    for pipe in filter(None, (process.stdin, process.stdout)):
        with suppress(OSError):
            pipe.close()
    process.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe


def _message(stderr: bytes) -> str:
    """Its first complaint, in one line; hints and progress come around it."""
    lines = [line.strip() for line in escaped(stderr.decode("utf-8", "surrogateescape")).splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))), lines[-1] if lines else "")
    more = [line for line in lines if line.startswith("git config --global --add safe.directory")]
    text = "; run: ".join([re.sub(r"^(fatal|error): (remote error: )?", "", chosen), *more[:1]])
    return re.sub(r"//[^/@\s]*@", "//", text)[:500]


def _not_installed() -> ConfigError:
    return ConfigError("a source of kind `git` needs the `git` command, which is not installed; install it")
