"""Documents that are rows of files: CSV, TSV, JSON, JSON Lines, Parquet and workbooks."""

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import IO, Any

import fsspec

from config.sources import FilesSource, TableSource
from tasks.errors import ConfigError, MissingExtraError
from tasks.load.rows import RowShape
from tasks.load.shelved import Shelved, ShelvedSource
from tasks.load.tables import READERS, Row, Wanted
from tasks.load.url_root import UrlRoot
from tasks.load.web.address_guard import WEB
from tasks.records import FailedScope, Listing
from tasks.system.file_system import escaped

_PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_PATTERN = "*?["


class TableRows(ShelvedSource):
    """Ids are the values of the id's columns, whichever file a row stands in.

    A file that cannot be read to its end makes the listing incomplete, so nothing is deleted; its rows up to there are
    listed. What was listed is read as it was then, from a temporary file.
    """

    def __init__(self, config: TableSource) -> None:
        """Nothing is touched before the first listing."""
        super().__init__(config.name, RowShape(config, sorted(config.types.items())))
        self._config = config

    def list(self) -> Listing:
        """The rows of all files, which are told by their suffix."""
        shelved = self._begin()
        failed: list[FailedScope] = []
        try:
            for path in self._paths():
                failed += self._add_file(path, shelved)
        except MissingExtraError:
            raise
        except (ConfigError, OSError) as error:
            failed.append(self._failed(str(error), error))
        return shelved.listing(failed, "give them one, or take them out of the file")

    def _add_file(self, path: str, shelved: Shelved) -> Iterator[FailedScope]:
        """Nothing is yielded where all of it could be read."""
        try:
            for number, row in self._rows(path):
                shelved.add_row(row, f"row {number} of {escaped(path)}")
        except MissingExtraError:
            raise
        except ConfigError as error:
            yield self._failed(str(error), error)
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, UnicodeError):
                words += "; set `encoding`, such as cp1252, or save it as UTF-8"
            yield self._failed(f"{escaped(path)} cannot be read as a table: {words}", error)

    def _rows(self, path: str) -> Iterator[tuple[int, Row]]:
        """The file's rows, and how many they are before each."""
        name = PurePosixPath(path)
        packed = _PACKED.get(name.suffix.lower())
        suffix = (PurePosixPath(name.stem) if packed else name).suffix.lower()
        reader = READERS.get(suffix)
        if reader is None:
            raise ConfigError(f"{escaped(path)} is no table by its suffix; expected one of {', '.join(READERS)}")

        def opened() -> IO[bytes]:
            file: IO[bytes] = self._files.open(path, "rb", compression=packed)
            return file

        yield from enumerate(reader(opened, self._config, self._wanted(path)), 1)

    def _wanted(self, path: str) -> Wanted:
        return Wanted([*self._shape.columns], partial(self._shape.check, place=escaped(path)))

    def _paths(self) -> Sequence[str]:
        """One or several, in order; ConfigError for none."""
        path = self._config.path
        inside = self._root.path if self._root else path
        if (self._root is None and self._files.isfile(inside)) or not any(mark in inside for mark in _PATTERN):
            if self._files.isdir(inside):
                raise ConfigError(f"{path} is a folder; expected a file, or a pattern such as {path}/*.csv")
            if not self._files.exists(inside):
                raise ConfigError(f"{path} does not exist; check `path` of source {self.name!r}")
            return [inside]
        if path.startswith(tuple(f"{scheme}://" for scheme in WEB)):
            raise ConfigError(f"{path} is a pattern, and a web server has no list of its files; name each file")
        paths = sorted(one for one in map(str, self._files.glob(inside)) if self._files.isfile(one))
        if not paths:
            raise ConfigError(f"no file is named like {path}; check `path` of source {self.name!r}")
        return paths

    @cached_property
    def _root(self) -> UrlRoot | None:
        """Of a URL, whose web servers are guarded."""
        config = self._config
        if "://" not in config.path:
            return None
        settings = {"path": config.path, "name": self.name, "private_network": config.private_network}
        return UrlRoot(FilesSource.model_validate(settings))

    @property
    def _files(self) -> Any:
        return self._root.files if self._root else fsspec.filesystem("file")

    def _failed(self, reason: str, error: BaseException) -> FailedScope:
        is_outage = isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
        return FailedScope(f"{self.name}:", escaped(reason), is_outage)
