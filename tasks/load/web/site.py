"""Documents from a web server: the files to which its pages of links lead."""

from config import sources
from tasks.errors import DocumentError
from tasks.load.url_root import Entries, UrlRoot
from tasks.load.web.listing import find_pages, is_below, read_page
from tasks.records import Document, DocumentRef, Listing


class WebFiles:
    """The files below an address; ids are their addresses relative to it."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for an address that holds a password."""
        self._root = UrlRoot(config)
        self.name = config.name

    def list(self) -> Listing:
        """What the pages link to, up to the bounds of a listing; where it ends early it is a failed scope too."""
        return self._root.listing(self._entries)

    def read(self, ref: DocumentRef, /) -> Document:
        """The answer's body, up to the size limit, from nowhere but below the root."""
        return self._root.document(ref, self._content)

    def _entries(self) -> tuple[Entries, str]:
        return find_pages(self._root.files, self._root.path)

    def _content(self, ref: DocumentRef) -> bytes:
        path = self._root.full_path(ref)
        if path != self._root.path and not is_below(self._root.path, path):
            raise DocumentError("outside", f"{ref.id} leads out of {self._root.url}; exclude it")
        return read_page(self._root.files, path, self._root.max_bytes)
