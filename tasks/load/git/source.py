"""Documents from a branch of a git repository: the blobs of its commit, and what the log says of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from config import sources
from tasks.dates import is_date
from tasks.errors import DocumentError, TransientError
from tasks.load.git.command import GitError, Objects
from tasks.load.git.history import Change, last_changes
from tasks.load.git.place import Clone, place_of
from tasks.load.ignore import IGNORE_FILE, Ignored
from tasks.load.parse.open import parse
from tasks.load.paths import PathFilter, check_size, chosen, document_id
from tasks.records import Document, DocumentRef, FailedScope, Listing

_FILE, _LINK, _SUBMODULE = "100", "120", "160"
_NOT_THERE = ("couldn't find remote ref", "not found in upstream")


class _Entry(NamedTuple):
    mode: str
    blob: str
    path: str


class GitFiles:
    """Ids are paths in the repository. A blob's id says whether a document has changed, so nothing else is read.

    Links and submodules are not followed. Contents are as they were committed: no filter of the repository runs.
    """

    def __init__(self, config: sources.GitSource, folder: Path) -> None:
        """Nothing is touched or contacted before the first listing; `folder` is for the clone, and for the log."""
        self.name = config.name
        self._place = place_of(config, folder)
        self._objects = Objects(self._place.git)
        self._filter = PathFilter(config.include, config.exclude)
        self._max_bytes = config.max_bytes
        self._languages = config.languages
        words = f"{config.name}\n{self._place.shown}\n{config.branch}"
        self._log = folder / f"{sha256(words.encode()).hexdigest()[:16]}.json" if config.history else None
        self._blobs: Mapping[str, str] = {}
        self._changes: Mapping[str, Change] = {}

    def list(self) -> Listing:
        """The files at the branch's commit; where it cannot be had, all of it is a failed scope."""
        try:
            return self._listing()
        except (GitError, OSError) as error:
            why = str(error)
            is_outage = isinstance(self._place, Clone) and not any(text in why for text in _NOT_THERE)
            reason = f"the repository {self._place.shown} of source {self.name!r} cannot be listed: {why}"
            remedy = "check `repository` and `branch`, and that it can be reached and read without a question"
            return Listing(self.name, (), (FailedScope(f"{self.name}:", f"{reason}; {remedy}", is_outage),))

    def read(self, ref: DocumentRef, /) -> Document:
        """The content as it was committed."""
        blob = self._blobs.get(ref.path)
        if blob is None:
            raise DocumentError("missing", f"{ref.id} is not in the commit that was listed; the next run will see")
        check_size(ref, self._max_bytes)
        try:
            content = self._objects.read(blob)
        except GitError as error:
            remedy = "fetch it into that repository; `git fsck` says what is wrong there"
            raise TransientError(f"{ref.id} cannot be read from {self._place.shown}: {error}; {remedy}") from error
        document = parse(ref, content, languages=self._languages)
        return replace(document, metadata={**self._metadata(ref.path), **document.metadata})

    def _listing(self) -> Listing:
        commit = self._place.commit()
        entries = _entries(self._place.git.run("ls-tree", "-r", "-z", "--full-tree", commit))
        blobs = self._without_ignored(commit, {one.path: one.blob for one in entries if one.mode.startswith(_FILE)})
        refs = [DocumentRef(document_id(self.name, path), self.name, path) for path in blobs]
        listing = chosen(self.name, refs, self._filter)
        self._blobs = {ref.path: blobs[ref.path] for ref in listing.refs}
        self._place.fetch_contents(commit, [*self._blobs.values()])
        sizes = self._objects.sizes([*self._blobs.values()])
        if self._log:
            self._changes = last_changes(self._place.git, commit, self._blobs, self._log)
        taken = tuple(
            ref._replace(hint=self._hint(ref.path), size_bytes=size or 0)
            for ref, size in zip(listing.refs, sizes, strict=True)
        )
        return replace(listing, refs=taken, notes=self._notes(entries))

    def _without_ignored(self, commit: str, blobs: Mapping[str, str]) -> Mapping[str, str]:
        files = {path: blob for path, blob in blobs.items() if path.rpartition("/")[2] == IGNORE_FILE}
        self._place.fetch_contents(commit, [*files.values()])
        ignored = Ignored()
        for path, blob in files.items():
            try:
                ignored.add(path.rpartition("/")[0], self._objects.read(blob))
            except ValueError as error:
                raise GitError(f"{path} cannot be followed: {error}") from error
        return {path: blob for path, blob in blobs.items() if not ignored.hides(path)}

    def _hint(self, path: str) -> str:
        """The commit is part of the metadata; a file that was only renamed keeps its own."""
        change = self._changes.get(path)
        return f"{self._blobs[path]}-{change.commit}" if change else self._blobs[path]

    def _metadata(self, path: str) -> dict[str, str]:
        change = self._changes.get(path)
        if change is None:
            return {}
        date = change.date if is_date(change.date) else ""
        return {name: text for name, text in change._replace(date=date)._asdict().items() if text}

    def _notes(self, entries: Sequence[_Entry]) -> tuple[str, ...]:
        """What a reader of the work tree sees and nobody lists; documents without a last change."""
        links = sum(entry.mode.startswith(_LINK) and self._filter.takes(entry.path) for entry in entries)
        modules = [entry.path for entry in entries if entry.mode.startswith(_SUBMODULE)]
        unknown = len(self._blobs) - len(self._changes) if self._log else 0
        told = {
            f"{links:,} links are not followed; what they lead to is listed under its own name": links,
            f"submodules are not followed ({', '.join(modules[:3])}); add each as a source of its own": len(modules),
            f"{unknown:,} documents have no commit, author and date: the clone is shallow; `git fetch --unshallow`"
            " brings the log": unknown,
        }
        return tuple(f"source {self.name!r}: {text}" for text, number in told.items() if number)


def _entries(listed: bytes) -> list[_Entry]:
    """What stands in a tree; names are bytes, mostly of UTF-8."""
    entries: list[_Entry] = []
    for line in filter(None, listed.split(b"\0")):
        head, _, path = line.partition(b"\t")
        mode, _, blob = head.decode().split()
        entries.append(_Entry(mode, blob, path.decode("utf-8", "surrogateescape")))
    return entries
