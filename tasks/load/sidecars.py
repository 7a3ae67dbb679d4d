"""Files beside documents that say who may read them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from config import sources
from tasks.errors import DocumentError
from tasks.load.open import open_source
from tasks.load.paths import PathFilter, document_id
from tasks.load.rules import Readers, RuleError, of_sidecar
from tasks.load.templates import path_values, rendered
from tasks.records import DocumentId, DocumentRef, FailedScope


class Sidecars:
    """Those of one source; they are listed like documents, and read when the first document asks for them."""

    def __init__(self, config: sources.Source, patterns: Sequence[str]) -> None:
        """A pattern with a placeholder belongs to one document, another one to all of a folder and below."""
        self._name = config.name
        self._patterns = patterns
        globs = tuple(_glob(pattern) for pattern in patterns)
        self._is_rule = PathFilter(globs, ()).takes  # a source that is a single file lists that, whatever is asked for
        self._source = open_source(config.model_copy(update={"include": globs, "exclude": (), "canary": None}))
        self._refs: dict[DocumentId, DocumentRef] = {}
        self._readers: dict[DocumentId, Readers | str] = {}

    def look(self, documents: Sequence[DocumentRef]) -> tuple[list[DocumentRef], tuple[FailedScope, ...]]:
        """The documents, without what is a rule or whose rule cannot be known now; and why that is so."""
        listing = self._source.list()
        refs = [ref for ref in listing.refs if self._is_rule(ref.path)]
        self._refs = {self._key(ref.path): ref for ref in refs}
        self._readers = {}
        rules = {ref.id for ref in refs}
        unknown = tuple(scope.prefix for scope in listing.failed)
        known = [ref for ref in documents if ref.id not in rules and not (unknown and ref.id.startswith(unknown))]
        return known, listing.failed

    @property
    def names(self) -> list[str]:
        """Names of the files that were found."""
        return [PurePosixPath(ref.path).name for ref in self._refs.values()]

    def nearest(self, ref: DocumentRef) -> DocumentRef | None:
        """The file that decides about a document."""
        paths = (path for pattern in self._patterns for path in _places(pattern, ref))
        return next((rule for path in paths if (rule := self._refs.get(self._key(path)))), None)

    def readers(self, ref: DocumentRef) -> Readers | None:
        """Who may read a document; None where no file says so. RuleError for a file that cannot be understood."""
        rule = self.nearest(ref)
        if rule is None:
            return None
        if rule.id not in self._readers:
            try:
                self._readers[rule.id] = of_sidecar(self._source.read(rule).text)
            except (DocumentError, RuleError) as error:
                self._readers[rule.id] = str(error)
        readers = self._readers[rule.id]
        if isinstance(readers, str):
            raise RuleError(f"{rule.path} holds {readers}")
        return readers

    def _key(self, path: str) -> DocumentId:
        """Suffixes are found whatever their case, as in listings."""
        stem, dot, suffix = path.rpartition(".")
        return document_id(self._name, f"{stem}{dot}{suffix.lower()}" if "/" not in suffix else path)


def _places(pattern: str, ref: DocumentRef) -> Iterator[str]:
    if "{" in pattern:
        path = rendered(pattern, {"folder": "", **path_values(ref)})
        yield str(path).lstrip("/")
        return
    for folder in PurePosixPath(ref.path).parents:
        yield str(folder / pattern)


def _glob(pattern: str) -> str:
    """Names every file that the pattern can mean, and every folder on the way whose name begins with a dot."""
    *folders, name = pattern.split("/")
    parts = ["**", *("**" if "{" in part else part for part in folders), *["**"] * ("{path}" in name)]
    kept = [part for number, part in enumerate(parts) if part != "**" or parts[number - 1 : number] != ["**"]]
    return "/".join([*kept, re.sub(r"\{[^{}]*\}", "*", name)])
