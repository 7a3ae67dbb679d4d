"""Documents that a function of the user's own yields."""

import importlib
import sys
from collections.abc import AsyncIterable, Coroutine, Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from config.sources import PythonSource
from tasks.errors import ConfigError
from tasks.load.decode import normalised
from tasks.load.rows import RowShape, kept_metadata
from tasks.load.shelved import Shelved, ShelvedSource
from tasks.load.values import is_plain, missing_as_none
from tasks.records import FailedScope, Listing
from tasks.system.file_system import escaped

EXPECTED = "expected (id, text, metadata) or (id, text, metadata, version)"
_PARTS = 3


class PythonDocuments(ShelvedSource):
    """The function is called once for a listing; what it has yielded is read from a temporary file."""

    def __init__(self, config: PythonSource) -> None:
        """Nothing is imported before the first listing."""
        super().__init__(config.name, RowShape(config))
        self._config = config

    def list(self) -> Listing:
        """What the function yields up to its end; an exception makes the listing incomplete, and nothing is deleted."""
        shelved = self._begin()
        number, failed = 0, list[FailedScope]()
        try:
            for number, item in enumerate(self._items(), 1):
                if problem := self._add(item, number, shelved):
                    failed.append(self._failed(problem))
        except ConfigError as error:
            failed.append(self._failed(str(error)))
        except (Exception, SystemExit) as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            failed.append(
                self._failed(f"stopped after {number:,} of its items: {words}", is_outage=isinstance(error, OSError))
            )
        return shelved.listing(failed[:1], "give each document an id")

    def _add(self, item: object, number: int, shelved: Shelved) -> str:
        """What is wrong with the item, where it has no id that could be set aside."""
        if isinstance(item, _FrameRow):
            shelved.add_row(item, f"row {number}")
            return ""
        if not isinstance(item, tuple | list) or not _PARTS <= len(item) <= _PARTS + 1:
            return f"item {number} is {_described(item)}; {EXPECTED}"
        name, text, metadata, *rest = item
        if not isinstance(name, str | int) or isinstance(name, bool):
            return f"the id of item {number} is {_described(name)}; expected text or a whole number"
        path = normalised(str(name))
        if not isinstance(text, str):
            shelved.add_problem(path, "wrong-type", f"the text of item {number} is {_described(text)}; expected text")
        elif not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
            told = f"the metadata of item {number} is {_described(metadata)}; expected a mapping from names to values"
            shelved.add_problem(path, "wrong-type", told)
        elif wrong := next((key for key, value in metadata.items() if not is_plain(value)), None):
            told = (
                f"metadata {wrong!r} of item {number} is {_described(metadata[wrong])}; expected text, numbers or dates"
            )
            shelved.add_problem(path, "wrong-type", told)
        else:
            shelved.add(path if path.strip() else "", normalised(text), kept_metadata(metadata), *rest)
        return ""

    def _items(self) -> Iterator[object]:
        function = getattr(self._module(), self._config.function.partition(":")[2], None)
        if function is None:
            raise ConfigError("has no such function; check its name")
        answer = function() if callable(function) else function
        if _is_frame(answer):
            return self._frame_rows(answer)
        if isinstance(answer, AsyncIterable) or not isinstance(answer, Iterable) or isinstance(answer, str | Mapping):
            if isinstance(answer, Coroutine):
                answer.close()
            raise ConfigError(
                f"returns what is {_described(answer)}; expected a generator, a list or a pandas DataFrame"
            )
        return iter(answer)

    def _frame_rows(self, frame: Any) -> Iterator[object]:
        """The rows as they stand; an index that has a name is a column as well."""
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
        columns = [str(name) for name in frame.columns]
        self._shape.check(columns, "the DataFrame")
        for row in frame.itertuples(index=False, name=None):
            yield _FrameRow(zip(columns, map(missing_as_none, row), strict=True))

    def _module(self) -> ModuleType:
        """The module beside the configuration, under a name that no other has; else one that is installed."""
        name, folder = self._config.function.partition(":")[0], Path(self._config.path)
        place = folder.joinpath(*name.split("."))
        try:
            if not (place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()):
                return importlib.import_module(name)
            # What it imports beside itself by an absolute name.
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            package = f"headrace_source_{blake2b(str(folder).encode(), digest_size=6).hexdigest()}"
            # What has been edited since the last run counts, in a process that stays, too.
            for old in [module for module in sys.modules if module.startswith(package)]:
                del sys.modules[old]
            importlib.invalidate_caches()
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = [str(folder)]
            return importlib.import_module(f"{package}.{name}")
        except (Exception, SystemExit) as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"cannot be imported: {words}; it is looked for in {folder}, then where Python does"
            ) from error

    def _failed(self, reason: str, *, is_outage: bool = False) -> FailedScope:
        told = f"source {self.name!r}: {self._config.function} {reason}"
        return FailedScope(f"{self.name}:", escaped(told), is_outage)


class _FrameRow(dict[str, object]):
    """A row of a DataFrame, told from what a function yields."""


def _is_frame(answer: object) -> bool:
    """Whether it is a DataFrame of pandas, which is not imported for the question."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(answer, cast("Any", pandas).DataFrame)


def _described(value: object) -> str:
    """Its type, and the number of its parts: never what a document says."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"of type {type(value).__name__}"
