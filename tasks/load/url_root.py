"""What is behind a URL, through fsspec: how its entries become documents, and what its errors mean."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from config import sources
from tasks.errors import ConfigError, DocumentError, MissingExtraError, TransientError
from tasks.load.parse.open import parse
from tasks.load.paths import PathFilter, check_size, chosen, document_id
from tasks.load.web.address_guard import WEB, check_web_url, links_of, policy_for
from tasks.load.web.connections import web_options
from tasks.records import Document, DocumentRef, FailedScope, Listing

Entries = Mapping[str, Mapping[str, Any]]  # by full path, what fsspec knows of each

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "http": "http",
    "https": "http",
    "sftp": "sftp",
    "ssh": "sftp",
}
_VERSIONS = ("ETag", "etag", "md5Hash", "md5", "checksum", "LastModified", "last_modified", "mtime", "created")


SSH = ("sftp", "ssh")
S3 = {"s3", "s3a"}


class UrlRoot:
    """A folder or a file behind a URL; ids are paths relative to it. Web servers in its chain are guarded."""

    def __init__(self, config: sources.FilesSource) -> None:
        """Nothing is contacted before `files` is asked for. ConfigError for a URL that holds a password."""
        self.url = config.path
        self.name = config.name
        self.max_bytes = config.max_bytes
        self._languages = config.languages
        self._asks_owners = bool(config.acl and config.acl.owner == "s3")
        self._filter = PathFilter(config.include, config.exclude)
        links = links_of(self.url)
        for link in links:
            check_web_url(link)
            _check_password(link)
        places = [link for link in links if link.split("://")[0] in WEB]
        self.policy = policy_for(config.name, config.private_network, places)

    @property
    def files(self) -> Any:
        """The file system of fsspec."""
        return self._opened[0]

    @cached_property
    def path(self) -> str:
        """The root's full path in `files`, or on the web, without a slash at its end."""
        return self.url.rstrip("/") if self.url.startswith(("http://", "https://")) else self._opened[1]

    def listing(self, find: Callable[[], tuple[Entries, str]]) -> Listing:
        """The documents among the entries that `find` returns, with why these are not all ("" where they are).

        An error in the middle makes the whole listing a failed scope: what it would have shown is unknown.
        """
        try:
            entries, limit = find()
        except MissingExtraError:
            raise
        except FileNotFoundError:
            return self._failed(f"{self.url} does not exist; check `path` of source {self.name!r}")
        except DocumentError as error:
            return self._failed(f"{self.url} cannot be listed: {error}")
        except TransientError as error:
            return self._failed(f"{self.url} cannot be listed: {error}", is_outage=True)
        except Exception as error:
            return self._failed(f"{self.url} cannot be listed: {type(error).__name__}: {error}", is_outage=True)
        refs = [self._ref(path, entry) for path, entry in entries.items()]
        if [*entries] == [self.path]:
            return Listing(self.name, tuple(refs))
        return chosen(self.name, refs, self._filter, [self._unknown(f"{self.url} shows {limit}")] if limit else ())

    def document(self, ref: DocumentRef, content: Callable[[DocumentRef], bytes]) -> Document:
        """The document made of its `content`; what goes wrong is its own fault, or may help to try again."""
        check_size(ref, self.max_bytes)
        try:
            read = content(ref)
        except (DocumentError, MissingExtraError, TransientError):
            raise
        except FileNotFoundError as error:
            raise DocumentError("missing", f"{ref.id} was listed, but is gone; the next run will see") from error
        except PermissionError as error:
            raise DocumentError("unreadable", f"{ref.id} may not be read with these credentials") from error
        except Exception as error:
            raise TransientError(f"{ref.id} cannot be read: {type(error).__name__}: {error}") from error
        return parse(ref, read, languages=self._languages)

    def full_path(self, ref: DocumentRef) -> str:
        """The document's path in `files`."""
        name = self.path.rpartition("/")[2]
        return self.path if ref.path == name and self.files.isfile(self.path) else f"{self.path}/{ref.path}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            schemes = {link.split("://")[0] for link in links_of(self.url)}
            # Else sshfs takes any server for the right one: () is OpenSSH's own list of known hosts.
            options: dict[str, dict[str, Any]] = {scheme: {"known_hosts": ()} for scheme in SSH if scheme in schemes}
            if self._asks_owners:
                options |= {
                    scheme: {"s3_additional_kwargs": {"FetchOwner": True}} for scheme in S3 if scheme in schemes
                }
            options |= {scheme: web_options(self.policy) for scheme in WEB if scheme in schemes}
            files, root = fsspec.core.url_to_fs(self.url, **options)
        except ImportError as error:
            scheme = self.url.split("://")[0]
            raise MissingExtraError(f"{scheme}://", _EXTRAS.get(scheme, scheme)) from error
        return files, str(root).rstrip("/")

    def _ref(self, path: str, entry: Mapping[str, Any]) -> DocumentRef:
        inside = path.removeprefix(self.path).removeprefix("/") or path.rpartition("/")[2]
        size = int(entry.get("size") or 0)
        version = next((str(entry[name]) for name in _VERSIONS if entry.get(name)), "")
        hint = f"{size}-{version}" if version else ""
        return DocumentRef(document_id(self.name, inside), self.name, inside, hint, size)

    def _failed(self, reason: str, *, is_outage: bool = False) -> Listing:
        return Listing(self.name, (), (self._unknown(reason, is_outage=is_outage),))

    def _unknown(self, reason: str, *, is_outage: bool = False) -> FailedScope:
        return FailedScope(f"{self.name}:", reason, is_outage)


def _check_password(link: str) -> None:
    """Raise ConfigError for a password in the URL: it would stand in every message."""
    parts = urlsplit(link)
    if parts.password is not None:
        variable = f"FSSPEC_{parts.scheme.upper()}_PASSWORD"
        raise ConfigError(f"the URL for {parts.hostname} holds a password; expected none; set {variable} instead")
