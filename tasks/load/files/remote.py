"""Documents from any place that fsspec reaches: buckets, web servers, archives."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from config import sources
from tasks.errors import DocumentError, MissingExtraError, TransientError
from tasks.load.files.local import document_id, without_doubles
from tasks.load.parse.open import parse
from tasks.load.paths import PathFilter
from tasks.load.web.address_guard import WEB, check_web_url, links_of, policy_for
from tasks.load.web.listing import find_pages, is_below, read_page, web_options
from tasks.records import Document, DocumentRef, FailedScope, Listing

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "http": "http",
    "https": "http",
}
_VERSIONS = ("ETag", "etag", "md5Hash", "md5", "checksum", "LastModified", "last_modified", "mtime", "created")


class RemoteFiles:
    """A folder or a file behind a URL; ids are paths relative to it."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for a URL that holds a password."""
        self._url = config.path
        self._filter = PathFilter(config.include, config.exclude)
        self._max_bytes = config.max_bytes
        self._policy = policy_for(config.name, private_network=config.private_network)
        links = links_of(self._url)
        self._is_web = len(links) == 1 and self._url.startswith(tuple(f"{scheme}://" for scheme in WEB))
        self.name = config.name
        for link in links:
            check_web_url(link)

    def list(self) -> Listing:
        """An error in the middle makes the whole listing a failed scope: what it would have shown is unknown."""
        try:
            found, limit = self._find()
        except MissingExtraError:
            raise
        except FileNotFoundError:
            return self._failed(f"{self._url} does not exist; check `path` of source {self.name!r}")
        except DocumentError as error:
            return self._failed(f"{self._url} cannot be listed: {error}")
        except Exception as error:
            return self._failed(f"{self._url} cannot be listed: {type(error).__name__}: {error}", is_outage=True)
        refs = [self._ref(path, info) for path, info in sorted(found.items())]
        is_single = [*found] == [self._root]
        taken, failed = without_doubles([ref for ref in refs if is_single or self._filter.reaches(ref.path)], self.name)
        if limit:
            failed.append(self._unknown(f"{self._url} shows {limit}"))
        return Listing(self.name, tuple(taken), tuple(failed))

    def read(self, ref: DocumentRef, /) -> Document:
        """In one piece, up to the size limit."""
        if ref.size_bytes > self._max_bytes:
            raise DocumentError(
                "too-large",
                f"{ref.id} has {ref.size_bytes:,} bytes, the limit is {self._max_bytes:,};"
                " raise max_bytes or exclude it",
            )
        try:
            content = self._bytes(ref)
        except (DocumentError, MissingExtraError, TransientError):
            raise
        except FileNotFoundError as error:
            raise DocumentError("missing", f"{ref.id} was listed, but is gone; the next run will see") from error
        except PermissionError as error:
            raise DocumentError("unreadable", f"{ref.id} may not be read with these credentials") from error
        except Exception as error:
            raise TransientError(f"{ref.id} cannot be read: {type(error).__name__}: {error}") from error
        return parse(ref, content)

    def _find(self) -> tuple[Mapping[str, Mapping[str, Any]], str]:
        """Paths with what is known of them, and why these are not all."""
        self._files.invalidate_cache()
        if self._is_web:
            return find_pages(self._files, self._root)
        found: Mapping[str, Mapping[str, Any]] = self._files.find(self._root, detail=True)
        if not found and not self._files.exists(self._root):
            raise FileNotFoundError(self._root)
        return found, ""

    def _bytes(self, ref: DocumentRef) -> bytes:
        path = self._full_path(ref)
        if not self._is_web:
            content: bytes = self._files.cat_file(path)
            return content
        if path != self._root and not is_below(self._root, path):
            raise DocumentError("outside", f"{ref.id} leads out of {self._url}; exclude it")
        return read_page(self._files, path, self._max_bytes)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            schemes = {link.split("://")[0] for link in links_of(self._url)}
            options = {scheme: web_options(self._policy) for scheme in WEB if scheme in schemes}
            files, root = fsspec.core.url_to_fs(self._url, **options)
        except ImportError as error:
            scheme = self._url.split("://")[0]
            raise MissingExtraError(f"{scheme}://", _EXTRAS.get(scheme, scheme)) from error
        return files, str(root).rstrip("/")

    @property
    def _files(self) -> Any:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1]

    def _full_path(self, ref: DocumentRef) -> str:
        name = self._root.rpartition("/")[2]
        return self._root if ref.path == name and self._files.isfile(self._root) else f"{self._root}/{ref.path}"

    def _ref(self, path: str, info: Mapping[str, Any]) -> DocumentRef:
        inside = path.removeprefix(self._root).removeprefix("/") or path.rpartition("/")[2]
        size = int(info.get("size") or 0)
        version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
        hint = f"{size}-{version}" if version else ""
        return DocumentRef(document_id(self.name, inside), self.name, inside, hint, size)

    def _failed(self, reason: str, *, is_outage: bool = False) -> Listing:
        return Listing(self.name, (), (self._unknown(reason, is_outage=is_outage),))

    def _unknown(self, reason: str, *, is_outage: bool = False) -> FailedScope:
        return FailedScope(f"{self.name}:", reason, is_outage)
