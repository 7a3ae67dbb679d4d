"""Documents from any place but a web server that fsspec reaches: buckets, file servers, archives."""

from collections.abc import Mapping
from typing import Any

from config import sources
from tasks.errors import DocumentError, TransientError
from tasks.load.ignore import IGNORE_FILE, Ignored
from tasks.load.url_root import Entries, UrlRoot
from tasks.records import Document, DocumentRef, Listing


class RemoteFiles:
    """A folder or a file behind a URL; ids are paths relative to it."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for a URL that holds a password."""
        self._root = UrlRoot(config)
        self._owners: Mapping[str, str] = {}
        self.name = config.name

    def list(self) -> Listing:
        """Everything below the root, in one answer; an error in the middle makes it a failed scope."""
        return self._root.listing(self._entries)

    def read(self, ref: DocumentRef, /) -> Document:
        """The file in one piece, up to the size limit."""
        return self._root.document(ref, self._content)

    def owner(self, ref: DocumentRef, /, *, listed: bool) -> str:
        """The account of an object in S3, where the source's rules ask for it; a request but for what was listed."""
        path = self._root.full_path(ref)
        if not listed or path not in self._owners:
            bucket, key, _ = self._root.files.split_path(path)
            try:
                page = self._root.files.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
            except Exception as error:
                reason = f"the owner of {ref.id} cannot be asked for: {type(error).__name__}: {error}"
                raise TransientError(reason) from error
            return next((_owner(one) for one in page.get("Contents", ()) if one["Key"] == key), "")
        return self._owners[path]

    def _entries(self) -> tuple[Entries, str]:
        files, path = self._root.files, self._root.path
        files.invalidate_cache()
        # Where folders are listed one by one, fsspec leaves those out that it cannot list.
        walks = {"on_error": _refuse} if _lists_by_folder(files) else {}
        entries: Entries = files.find(path, detail=True, **walks)
        if not entries and not files.exists(path):
            raise FileNotFoundError(path)
        self._owners = {path: _owner(entry) for path, entry in entries.items() if "Owner" in entry}
        return self._without_ignored(entries), ""

    def _without_ignored(self, entries: Entries) -> Entries:
        ignored = Ignored()
        above = f"{self._root.path}/"
        for path in entries:
            folder, _, name = path.removeprefix(above).rpartition("/")
            if name == IGNORE_FILE:
                try:
                    ignored.add(folder, self._root.files.cat_file(path))
                except ValueError as error:
                    raise DocumentError("ignore-file", f"{path} cannot be followed: {error}") from error
        return {path: one for path, one in entries.items() if not ignored.hides(path.removeprefix(above))}

    def _content(self, ref: DocumentRef) -> bytes:
        content: bytes = self._root.files.cat_file(self._root.full_path(ref))
        return content


def _owner(entry: Mapping[str, Any]) -> str:
    return str(entry.get("Owner", {}).get("ID", ""))


def _lists_by_folder(files: Any) -> bool:
    """Whether it walks, as file servers do; buckets are listed in one go."""
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    method, base = ("_find", AsyncFileSystem) if files.async_impl else ("find", AbstractFileSystem)
    return getattr(type(files), method) is getattr(base, method)


def _refuse(error: OSError) -> None:
    """A folder that has just gone is no hole in the listing; one that cannot be read is."""
    if not isinstance(error, FileNotFoundError):
        raise error
