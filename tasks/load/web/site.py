"""Documents from a web server: the files to which its pages of links lead."""

from functools import cached_property

from config import sources
from tasks.errors import DocumentError
from tasks.load.url_root import UrlRoot
from tasks.load.web.fetch import DOCUMENT_SECONDS, Fetcher, Limits
from tasks.load.web.listing import find_pages, is_below, is_page
from tasks.records import Document, DocumentRef, Listing


class WebFiles:
    """The files below an address; ids are their addresses relative to it."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for an address that holds a password."""
        self._root = UrlRoot(config)
        self._limits = Limits(config.max_bytes, DOCUMENT_SECONDS)
        self.name = config.name

    def list(self) -> Listing:
        """What the pages link to, up to the bounds of a listing; where it ends early it is a failed scope too."""
        return self._root.listing(lambda: find_pages(self._fetcher, self._root.path))

    def read(self, ref: DocumentRef, /) -> Document:
        """The answer's body, up to the size limit, from nowhere but below the root."""
        return self._root.document(ref, self._content)

    @cached_property
    def _fetcher(self) -> Fetcher:
        return Fetcher(self._root.policy)

    def _content(self, ref: DocumentRef) -> bytes:
        root = self._root.path
        is_single = ref.path == root.rpartition("/")[2] and is_page(self._fetcher, root)
        url = root if is_single else f"{root}/{ref.path}"
        if not is_single and not is_below(root, url):
            raise DocumentError("outside", f"{ref.id} leads out of {self._root.url}; exclude it")
        return self._fetcher.get(url, self._limits).content
