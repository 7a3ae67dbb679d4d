"""Documents from a local folder, or from a single file."""

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from io import FileIO
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from config import sources
from tasks.errors import DocumentError, HeadraceError, ServiceError, TransientError
from tasks.load.base import Part
from tasks.load.files.inside import open_below, open_resolved
from tasks.load.ignore import IGNORE_FILE, MOST_BYTES, Ignored
from tasks.load.parse.open import parse
from tasks.load.paths import PathFilter, by_suffix, document_id, is_relative, without_doubles
from tasks.records import Document, DocumentId, DocumentRef, FailedScope, Listing
from tasks.system.file_system import RACY_NANOSECONDS, escaped

MOST_NAMED = 3
EXHAUSTED = {errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no document is to blame


class _Missed(NamedTuple):
    """Names of files that no setting names, and paths of links that lead out of the root, or to nothing."""

    names: list[str]
    links: list[str]


class Files:
    """Ids are paths relative to the root, in Unicode NFC.

    Links to folders are not followed, links to files only where they stay below the root. A file that changed less than
    two seconds ago has no hint: it may change again within the same time stamp. An error of the system is the
    document's, or a ServiceError where the machine or the whole root is to blame.
    """

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is touched before the first listing."""
        path = config.path
        self._root = Path(unquote(urlsplit(path).path)) if path.startswith("file://") else Path(path)
        self._folder = str(self._root)
        self._filter = PathFilter(config.include, config.exclude)
        self._max_bytes = config.max_bytes
        self._languages = config.languages
        self._device: int | None = None
        self._ignored = Ignored()
        self.name = config.name

    @property
    def folder(self) -> Path | None:
        """Where changes can be watched; None for a single file."""
        return self._root if self._root.is_dir() else None

    def list(self) -> Listing:
        """What is below the root; a missing root is a failed scope of all of it, an unreadable folder of its part."""
        if self._root.is_file():
            return Listing(self.name, (self._ref(self._root.name, self._root.stat()),))
        with contextlib.suppress(OSError):
            self._device = self._root.stat().st_dev
        refs: list[DocumentRef] = []
        failed: list[FailedScope] = []
        missed = _Missed([], [])
        self._ignored = Ignored()
        now = time.time_ns()
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                refs += self._in_folder(folder, folders, missed, now)
            except (OSError, ValueError) as error:
                failed.append(self._failed(folder, error))
        refs, doubles = without_doubles(refs, self.name)
        failed += doubles
        refs.sort(key=attrgetter("path"))
        return Listing(self.name, tuple(refs), tuple(failed), by_suffix(missed.names), self._notes(missed.links))

    def part(self, paths: Iterable[str], /) -> Part | None:
        """The same files, whose listing is of these paths alone; None for folders, or where something is in the way."""
        refs: list[DocumentRef] = []
        only: set[DocumentId] = set()
        root = self._root.resolve()
        try:
            for path in paths:
                file = self._root / path
                if file.is_dir() or file.name == IGNORE_FILE or not root.is_dir():
                    return None
                is_taken = is_relative(path) and self._filter.takes(path) and self._filter.reaches(path)
                if not is_taken or self._ignored.hides(path):
                    continue
                only.add(document_id(self.name, path))
                if file.parent.resolve() == (root / path).parent and self._is_inside(file):
                    refs.append(self._ref(path, file.stat()))
        except OSError:
            return None
        if len({ref.id for ref in refs}) < len(refs):
            return None
        return Part(self, Listing(self.name, tuple(sorted(refs, key=attrgetter("path"))), only=frozenset(only)))

    def read(self, ref: DocumentRef, /) -> Document:
        """The bytes of one moment: a file that changes while it is read is read again, three times at most."""
        try:
            return parse(ref, self._bytes(ref), languages=self._languages)
        except OSError as error:
            raise self._translated(ref, error) from error

    def _translated(self, ref: DocumentRef, error: OSError) -> HeadraceError:
        path = self._root / ref.path
        if error.errno in EXHAUSTED:
            return ServiceError(f"{path} cannot be read: {error.strerror}; free what this machine ran out of")
        if self._is_lost():
            return ServiceError(
                f"{self._root} of source {self.name!r} is gone in the middle of the run; mount it, then run again"
            )
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return DocumentError("missing", f"{path} was listed, but is gone; the next run will see")
        if error.errno == errno.ELOOP:
            return _outside(ref)
        return DocumentError("unreadable", f"{path} cannot be read: {error.strerror}; check its mode")

    def _is_lost(self) -> bool:
        """The root is gone, or shows another file system than when it was listed: an empty mount point."""
        try:
            return self._device not in (None, self._root.stat().st_dev)
        except OSError:
            return True

    def _in_folder(
        self, folder: str, folders: MutableSequence[str], missed: "_Missed", now: int
    ) -> Iterator[DocumentRef]:
        """Documents right in the folder; folders below it go on the list, and names that no setting knows."""
        takes, misses, enters = self._filter.takes, self._filter.misses, self._filter.enters
        above = f"{folder}/" if folder else ""
        self._heed_ignore_file(folder, above + IGNORE_FILE)
        with os.scandir(self._root / folder if folder else self._root) as entries:
            for entry in entries:
                path = above + entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if self._ignored.hides(f"{path}/" if is_folder else path) or (is_folder and not enters(path)):
                    continue
                if is_folder:
                    folders.append(path)
                elif takes(path) and self._is_inside(entry):
                    yield self._ref(path, entry.stat(), now)
                elif entry.is_symlink():
                    if self._leads_out(entry, path):
                        missed.links.append(path)
                elif misses(path) and entry.is_file(follow_symlinks=False):
                    missed.names.append(entry.name)

    def _heed_ignore_file(self, folder: str, path: str) -> None:
        with contextlib.suppress(FileNotFoundError), open_below(self._folder, path) as file:
            self._ignored.add(folder, file.read(MOST_BYTES) or b"")

    def _leads_out(self, entry: os.DirEntry[str], path: str) -> bool:
        """Whether documents are not listed because a link to them, or to their folder, leads out of the root."""
        target = Path(os.path.realpath(entry.path))
        if target.is_dir():
            return self._filter.enters(path) and not target.is_relative_to(self._root.resolve())
        return self._filter.takes(path) and (target.is_file() or not target.exists())

    def _notes(self, links: Sequence[str]) -> tuple[str, ...]:
        if not links:
            return ()
        names = ", ".join(map(escaped, sorted(links)[:MOST_NAMED]))
        more = f" and {len(links) - MOST_NAMED:,} more" if len(links) > MOST_NAMED else ""
        what = f"links that lead out of its folder or to nothing are not followed ({len(links):,})"
        return (f"source {self.name!r}: {what}: {names}{more}; give what is elsewhere a source of its own",)

    def _is_inside(self, entry: os.DirEntry[str] | Path) -> bool:
        """A regular file; through a link only one below the root."""
        if not entry.is_symlink():
            return entry.is_file()
        target = Path(os.path.realpath(entry))
        return target.is_file() and target.is_relative_to(self._root.resolve())

    def _ref(self, path: str, stat: os.stat_result, now: int | None = None) -> DocumentRef:
        is_racy = (now or time.time_ns()) - stat.st_mtime_ns < RACY_NANOSECONDS
        hint = "" if is_racy else f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"
        return DocumentRef(document_id(self.name, path), self.name, path, hint, stat.st_size)

    def _failed(self, folder: str, error: OSError | ValueError) -> FailedScope:
        where = self._root / folder
        scope = document_id(self.name, f"{folder}/" if folder else "")
        if not isinstance(error, OSError):
            return FailedScope(scope, escaped(f"{where / IGNORE_FILE} cannot be followed: {error}"))
        if not folder and error.errno == errno.ENOENT:
            return FailedScope(f"{self.name}:", f"{where} does not exist; check `path` of source {self.name!r}")
        return FailedScope(scope, escaped(f"{where} cannot be listed: {error.strerror}"))

    def _path(self, ref: DocumentRef) -> Path:
        """The document's path, links resolved; DocumentError for one that leads out of the root."""
        if self._root.is_file():
            return self._root.resolve()
        root = self._root.resolve()
        path = Path(os.path.realpath(root / ref.path))
        if not path.is_relative_to(root):
            raise _outside(ref)
        return path

    def _open(self, ref: DocumentRef) -> FileIO:
        """Most paths hold no link: they are opened as they are, and only the others are resolved first."""
        if not is_relative(ref.path):
            raise _outside(ref)
        try:
            return open_below(self._folder, ref.path)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        return open_resolved(self._path(ref))

    def _bytes(self, ref: DocumentRef) -> bytes:
        for _ in range(3):
            with self._open(ref) as file:
                before = os.fstat(file.fileno())
                self._check_size(ref, before.st_size)
                content = _content(file, before.st_size)
                self._check_size(ref, len(content))
                after = os.fstat(file.fileno())
            stamps = {(stat.st_size, stat.st_mtime_ns) for stat in (before, after)}
            if stamps == {(len(content), after.st_mtime_ns)}:
                return content
        raise TransientError(f"{self._root / ref.path} changes while it is read")

    def _check_size(self, ref: DocumentRef, size: int) -> None:
        if size > self._max_bytes:
            raise DocumentError(
                "too-large",
                f"{self._root / ref.path} has {size:,} bytes, the limit is {self._max_bytes:,};"
                " raise max_bytes or exclude it",
            )


def _content(file: FileIO, size: int) -> bytes:
    """The bytes up to the end, but no more than one above the size it should have."""
    content = file.read(size + 1) or b""
    while len(content) < size and (more := file.read(size + 1 - len(content))):
        content += more
    return content


def _outside(ref: DocumentRef) -> DocumentError:
    return DocumentError("outside", f"{ref.id} leads out of its source's folder; remove the link, or exclude it")
