"""Documents from any place but a web server that fsspec reaches: buckets, file servers, archives."""

from config import sources
from tasks.load.url_root import Entries, UrlRoot
from tasks.records import Document, DocumentRef, Listing


class RemoteFiles:
    """A folder or a file behind a URL; ids are paths relative to it."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for a URL that holds a password."""
        self._root = UrlRoot(config)
        self.name = config.name

    def list(self) -> Listing:
        """Everything below the root, in one answer; an error in the middle makes it a failed scope."""
        return self._root.listing(self._entries)

    def read(self, ref: DocumentRef, /) -> Document:
        """The file in one piece, up to the size limit."""
        return self._root.document(ref, self._content)

    def _entries(self) -> tuple[Entries, str]:
        files, path = self._root.files, self._root.path
        files.invalidate_cache()
        entries: Entries = files.find(path, detail=True)
        if not entries and not files.exists(path):
            raise FileNotFoundError(path)
        return entries, ""

    def _content(self, ref: DocumentRef) -> bytes:
        content: bytes = self._root.files.cat_file(self._root.full_path(ref))
        return content
