"""Messages from exports of mail: mbox files and Maildir folders, wherever below a path they lie."""

import email
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, MutableSequence
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

from config import sources
from tasks.errors import DocumentError
from tasks.load.parse.open import parse
from tasks.load.paths import check_size, document_id
from tasks.records import Document, DocumentRef, FailedScope, Listing
from tasks.system.file_system import RACY_NANOSECONDS, escaped

READ_BYTES = 1 << 20
HEAD_BYTES = 1 << 16
_MARK = b"From "
# A line of somebody's text may begin like the one between two messages: that one has a time, and a header follows.
_BETWEEN = re.compile(
    rb"From (?=[^\n]{0,200}(?:19|20)\d\d)[^\n]{0,200}\d:\d\d[^\n]{0,100}\n(?:>?From |[!-9;-~]{1,100}:[ \t\r\n])"
)
_LOOK_BYTES = 1 << 10  # no longer than what the pattern looks at
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?<?([^\s<>]{1,250})", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_FLAGS = re.compile("[:;!]2,[^/]*$")  # of a message in a Maildir, with what stands for the colon where none may be


class _Message(NamedTuple):
    """Where it is; a `size` of 0 is the whole file, and only a message inside a file has a `digest`."""

    path: str
    folder: str
    start: int = 0
    size: int = 0
    digest: str = ""


class MailFiles:
    """Ids are Message-IDs, with a number where another message has the same; else a hash of sender, date and text.

    They stay as they are when a message is flagged, or moved to another folder.
    """

    def __init__(self, config: sources.MailSource) -> None:
        """Nothing is touched before the first listing."""
        self.name = config.name
        self._root = Path(config.path)
        self._max_bytes = config.max_bytes
        self._messages: Mapping[str, _Message] = {}

    def list(self) -> Listing:
        """All messages, file by file, in their order there; a file that cannot be read makes all the rest unknown."""
        problems: list[str] = []
        messages: dict[str, _Message] = {}
        refs: list[DocumentRef] = []
        seen: Counter[str] = Counter()
        for name, hint, size, message in self._found(problems):
            seen[name] += 1
            path = f"{name}#{seen[name]}" if seen[name] > 1 else name
            refs.append(DocumentRef(document_id(self.name, path), self.name, path, hint, size))
            messages[path] = message
        self._messages = messages
        doubles = len(refs) - len(seen)
        note = f"source {self.name!r}: {doubles:,} messages have the Message-ID of another; they are numbered"
        failed = tuple(FailedScope(f"{self.name}:", escaped(problem)) for problem in problems)
        return Listing(self.name, tuple(refs), failed, notes=(note,) if doubles else ())

    def read(self, ref: DocumentRef, /) -> Document:
        """What a reader of mail sees, and what is attached, with sender, receivers, date and folder as metadata."""
        message = self._messages.get(ref.path)
        if message is None:
            raise _gone(ref)
        check_size(ref, self._max_bytes)
        try:
            content = _content(message)
        except FileNotFoundError as error:
            raise _gone(ref) from error
        except OSError as error:
            reason = f"{ref.id} in {message.path} cannot be read: {error.strerror}; check its mode"
            raise DocumentError("unreadable", escaped(reason)) from error
        if message.digest:
            if _digest(content) != message.digest:
                raise _gone(ref)
            content = _QUOTED.sub(rb"\1", content[content.find(b"\n") + 1 :])
        document = parse(ref._replace(path=f"{ref.path}.eml"), content)
        return replace(document, ref=ref, metadata={**document.metadata, "folder": message.folder})

    def _found(self, problems: MutableSequence[str]) -> Iterator[tuple[str, str, int, _Message]]:
        """Name, hint, size and place of each; `problems` gets what could not be listed."""
        for path, folder, is_alone in self._files(problems):
            try:
                yield from _alone(path, folder) if is_alone else _in_file(path, folder, self._max_bytes)
            except FileNotFoundError:
                continue  # flagged or deleted in this moment: the next run sees
            except OSError as error:
                problems.append(f"{path} cannot be read: {error.strerror}; check its mode")

    def _files(self, problems: MutableSequence[str]) -> Iterator[tuple[str, str, bool]]:
        """Each file that is a message, or holds some, with the folder that a reader of mail shows."""
        try:
            if not self._root.is_file():
                yield from _below(str(self._root), problems)
            elif self._root.stat().st_size == 0 or _is_mailbox(str(self._root)):
                yield str(self._root), self._root.stem, False
            else:
                problems.append(f'{self._root} is no mbox file: it does not begin with "From "; check `path`')
        except OSError as error:
            problems.append(f"{error.filename} cannot be listed: {error.strerror}; check its mode")


def _below(root: str, problems: MutableSequence[str]) -> Iterator[tuple[str, str, bool]]:
    def failed(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be listed: {error.strerror}; check `path`, and its mode")

    for above, folders, files in os.walk(root, onerror=failed):
        folders.sort()
        inside = os.path.relpath(above, root)
        if {"cur", "new"} <= {*folders}:
            folders[:] = [folder for folder in folders if folder not in ("cur", "new", "tmp")]
            for part in ("cur", "new"):
                files = sorted(path.name for path in Path(above, part).iterdir() if not path.name.startswith("."))
                yield from ((f"{above}/{part}/{name}", _shown(inside), True) for name in files)
        else:
            paths = [f"{above}/{file}" for file in sorted(files)]
            regular = [path for path in paths if not Path(path).is_symlink() and Path(path).is_file()]
            boxes = dict.fromkeys(path for path in regular if _is_mailbox(path))
            problems += [
                f'{path} is no mbox file any more: it does not begin with "From "; mend it, or move it elsewhere'
                for path in regular
                if path not in boxes and _should_be_mailbox(path)
            ]
            yield from ((path, _shown(os.path.normpath(f"{inside}/{Path(path).stem}")), False) for path in boxes)


def _in_file(path: str, folder: str, most: int) -> Iterator[tuple[str, str, int, _Message]]:
    with Path(path).open("rb") as file:
        starts = [*_starts(file), file.seek(0, os.SEEK_END)]
        for start, end in pairwise(starts):
            content = os.pread(file.fileno(), min(end - start, most), start)  # what is larger is not read later either
            digest = _digest(content)
            message = _Message(path, folder, start, len(content), digest)
            yield _name(content[content.find(b"\n") + 1 :]), digest, end - start, message


def _alone(path: str, folder: str) -> Iterator[tuple[str, str, int, _Message]]:
    """The hint holds when only flags, and so the file's name, change."""
    with Path(path).open("rb") as file:
        stat = os.fstat(file.fileno())
        head = file.read(HEAD_BYTES)
        name = _name(head if _MESSAGE_ID.search(_head(head)) else head + file.read())
    is_racy = time.time_ns() - stat.st_mtime_ns < RACY_NANOSECONDS
    hint = "" if is_racy else f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"
    yield name, hint, stat.st_size, _Message(path, folder)


def _starts(file: IO[bytes]) -> Iterator[int]:
    """Where messages begin; of the file no more than a block is in memory."""
    block, base, is_end = b"\n", -1, False
    while not is_end:
        more = file.read(READ_BYTES)
        is_end = not more
        block += more
        limit = len(block) - (0 if is_end else _LOOK_BYTES)
        at = block.find(b"\n" + _MARK)
        while 0 <= at < limit:
            if base + at + 1 == 0 or _BETWEEN.match(block, at + 1):
                yield base + at + 1
            at = block.find(b"\n" + _MARK, at + 1)
        base += max(limit, 0)
        block = block[max(limit, 0) :]


def _content(message: _Message) -> bytes:
    path = Path(message.path)
    if message.digest:
        with path.open("rb") as file:
            return os.pread(file.fileno(), message.size, message.start)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return _renamed(path).read_bytes()


def _renamed(path: Path) -> Path:
    """The same message of a Maildir with other flags; FileNotFoundError where there is none."""
    name = _FLAGS.sub("", path.name)
    for part in ("cur", "new"):
        for other in (path.parent.parent / part).iterdir():
            if _FLAGS.sub("", other.name) == name:
                return other
    raise FileNotFoundError(path)


def _name(content: bytes) -> str:
    head = _head(content)
    found = _MESSAGE_ID.search(head)
    if found:
        return found[1].decode("ascii", "backslashreplace")
    message = email.message_from_bytes(head)
    known = "\n".join(str(message.get(name, "")) for name in ("From", "Date", "Subject"))
    return f"no-id-{_digest(known.encode('utf-8', 'replace') + content[len(head) :].strip())}"


def _head(content: bytes) -> bytes:
    """The headers, without what follows the first empty line."""
    head = content[:HEAD_BYTES]
    ends = [end for end in (head.find(b"\n\n"), head.find(b"\n\r\n")) if end >= 0]
    return head[: min(ends) + 1] if ends else head


def _should_be_mailbox(path: str) -> bool:
    """By its name, or by the index of a mail program beside it; an empty one holds no message."""
    is_named = path.lower().endswith((".mbox", ".mbx", "/mbox")) or Path(f"{path}.msf").is_file()
    return is_named and Path(path).stat().st_size > 0


def _is_mailbox(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def _shown(folder: str) -> str:
    """A folder as it is shown; the first one of a Maildir is the inbox, and its others begin with a dot."""
    return "INBOX" if folder == "." else escaped(folder).removeprefix(".")


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _gone(ref: DocumentRef) -> DocumentError:
    return DocumentError("missing", f"{ref.id} was listed, but is gone or has changed; the next run will see")
