"""What a source's settings say of its documents, put on each of them: metadata, and who may read it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from config import sources
from config.labels import READERS, RESERVED, Acl, Label
from config.source_sections import ScansSection
from tasks.errors import TransientError
from tasks.load.base import Owned, Source, Splitting, Watchable
from tasks.load.paths import by_suffix
from tasks.load.rules import Readers, RuleError, of_field, of_file, readers_of
from tasks.load.sidecars import Sidecars
from tasks.load.templates import labels_of, path_values, rendered
from tasks.records import Document, DocumentRef, Listing, Metadata, Scalar

_TEXTS = ("title", "caption")
_NOBODY = "nobody may read it: "  # the last remark of a document
_FENCES = ("---", "+++", "{")


class Verdict(NamedTuple):
    """Who may read a document; `remark` says why it is nobody, where its rule is broken."""

    readers: Readers
    remark: str = ""


class Labelled:
    """A source whose documents have labels, and whose hints change with what these are made from."""

    def __init__(self, source: Source, config: sources.Source, *, has_readers: bool = False) -> None:
        """`has_readers`: every document says who may read it. Nothing is touched before the first listing."""
        self.name = source.name
        self.source = source
        self._labels: Mapping[str, Label] = config.metadata if isinstance(config.metadata, dict) else {}
        self._taken = config.metadata if isinstance(config.metadata, tuple) else None
        self._acl = (config.acl or Acl()) if has_readers else None
        self._rule = repr(self._acl)  # asked for with each document
        self._sidecars = Sidecars(config, self._acl.sidecar) if self._acl and self._acl.sidecar else None
        path = getattr(config, "path", "")
        self._root = unquote(urlsplit(path).path) if path.startswith("file://") else path
        languages = config.languages if isinstance(config, ScansSection) else ""
        is_told = config.metadata or self._acl is not None or languages
        settings = repr((sorted(self._labels.items()), self._taken, None)) + languages
        self._settings = _hashed(settings) if is_told else ""

    def list(self) -> Listing:
        """Files with rules are no documents. They are looked for last: who writes a rule first is not overtaken."""
        listing = self.source.list()
        if self._sidecars:
            refs, failed = self._sidecars.look(listing.refs)
            rules = by_suffix(self._sidecars.names)
            passed = {suffix: count - rules.get(suffix, 0) for suffix, count in listing.passed_over.items()}
            listing = replace(
                listing,
                refs=tuple(refs),
                failed=tuple(dict.fromkeys((*listing.failed, *failed))),
                passed_over={suffix: count for suffix, count in passed.items() if count > 0},
            )
        if not self._settings:
            return listing
        return replace(listing, refs=tuple(ref._replace(hint=self._hint(ref)) for ref in listing.refs))

    def split(self, shards: int, at_once: int = 1, /) -> bool:
        """Rules beside documents are looked for among all paths."""
        return not self._sidecars and isinstance(self.source, Splitting) and self.source.split(shards, at_once)

    def refs(self, shard: int, /) -> tuple[DocumentRef, ...]:
        """What the source itself has, with hints that say more."""
        refs = self.source.refs(shard) if isinstance(self.source, Splitting) else ()
        return tuple(ref._replace(hint=self._hint(ref)) for ref in refs) if self._settings else refs

    @property
    def folder(self) -> Path | None:
        """What the source itself has; None where changes of other files change documents too."""
        return self.source.folder if isinstance(self.source, Watchable) and not self._sidecars else None

    def part(self, paths: Iterable[str], /) -> "Labelled | None":
        """The same labels on the documents at these paths."""
        source = self.source.part(paths) if isinstance(self.source, Watchable) and not self._sidecars else None
        if source is None:
            return None
        part = copy(self)
        part.source = source
        return part

    def read(self, ref: DocumentRef, /) -> Document:
        """The rule is read after the document: who makes it stricter before writing secrets is not overtaken."""
        document = self.source.read(ref)
        configured = labels_of(self._labels, path_values(ref, document.metadata)) if self._labels else {}
        own = {name: value for name, value in document.metadata.items() if name not in self._labels}
        metadata = {**self._own(own), **configured}
        remarks = document.remarks
        if self._acl:
            verdict = self._verdict(ref, document, metadata)
            metadata[READERS] = [*verdict.readers]
            remarks = (*remarks, *filter(None, [verdict.remark]))
        return replace(document, metadata=metadata, remarks=remarks)

    def verdict(self, ref: DocumentRef) -> Verdict | None:
        """Who may read a document that is not read now; None where that stands in the document itself."""
        if self._acl is None:
            return None
        try:
            readers = self._sidecars.readers(ref) if self._sidecars else None
            if readers is None and not self._acl.named:
                readers = self._by_owner(ref)
                is_inside = any("{metadata[" in name for name in self._acl.everybody or ())
                readers = self._by_settings(ref, {}) if readers is None and not is_inside else readers
        except RuleError as error:
            return _broken(error)
        except TransientError:
            return None
        return None if readers is None else Verdict(readers)

    def _own(self, metadata: Metadata) -> dict[str, Scalar | Sequence[Scalar]]:
        """What the document says of itself; a name that every record has gets an underscore behind it."""
        taken = {
            name: value
            for name, value in metadata.items()
            if self._taken is None or name in self._taken or name in _TEXTS
        }
        reserved = {*RESERVED, READERS} if self._acl else RESERVED
        return {f"{name}_" if name in reserved else name: value for name, value in taken.items()}

    def _hint(self, ref: DocumentRef) -> str:
        """Empty where that of the document, or of its rule, promises nothing; what the readers depend on comes last."""
        hint = f"{ref.hint}+{self._settings}" if ref.hint else ""
        if not hint or self._acl is None:
            return hint
        parts = [self._rule]
        if self._sidecars and (rule := self._sidecars.nearest(ref)):
            if not rule.hint:
                return ""
            parts += [rule.path, rule.hint]
        if self._acl.owner:
            try:
                parts += self._by_owner(ref) or ()
            except RuleError as error:
                parts.append(str(error))
            except TransientError:
                return ""
        return f"{hint}+{_hashed(repr(parts))}"

    def _verdict(self, ref: DocumentRef, document: Document, metadata: Metadata) -> Verdict:
        try:
            readers = self._sidecars.readers(ref) if self._sidecars else None
            readers = self._by_field(document) if readers is None else readers
            readers = self._by_owner(ref, listed=False) if readers is None else readers
            return Verdict(self._by_settings(ref, metadata) if readers is None else readers)
        except RuleError as error:
            return _broken(error)

    def _by_field(self, document: Document) -> Readers | None:
        name = self._acl.named if self._acl else None
        if name is None:
            return None
        values = {field.lower(): value for field, value in document.metadata.items()}
        value = document.metadata.get(name, values.get(name.lower()))
        if value is not None:
            try:
                return of_field(value)
            except RuleError as error:
                raise RuleError(f"its {name} holds {error}") from error
        if document.text.startswith(_FENCES) and name.lower() in document.text.lower():
            raise RuleError(f"its front matter cannot be read, which may hold {name}")
        return None

    def _by_owner(self, ref: DocumentRef, *, listed: bool = True) -> Readers | None:
        if not self._acl or not self._acl.owner:
            return None
        if self._acl.owner == "s3":
            account = self.source.owner(ref, listed=listed) if isinstance(self.source, Owned) else ""
            if not account:
                raise RuleError("its owner is not told by the bucket")
            return readers_of([account])
        try:
            return of_file(self._root, "" if Path(self._root).is_file() else ref.path)
        except (OSError, ValueError) as error:
            raise RuleError(f"its owner cannot be told: {error}") from error

    def _by_settings(self, ref: DocumentRef, metadata: Metadata) -> Readers:
        everybody = self._acl.everybody or () if self._acl else ()
        values = path_values(ref, metadata) if any("{" in name for name in everybody) else {}
        names = [rendered(name.strip(), values) for name in everybody]
        if None in names:
            raise RuleError(f"{everybody[names.index(None)]} has no value for it")
        return readers_of(names)


def without_rule(hint: str) -> str:
    """The part of a hint that changes with all but the readers; "" for one that promises nothing."""
    return hint.rpartition("+")[0]


def rule_in(hint: str) -> str:
    """The other part."""
    return hint.rpartition("+")[2]


def remark_with(remark: str, verdict: Verdict) -> str:
    """What is told of a document once its readers are these."""
    rest = remark.partition(_NOBODY)[0].removesuffix("; ")
    return "; ".join(filter(None, [rest, verdict.remark]))


def _broken(error: RuleError) -> Verdict:
    return Verdict((), f"{_NOBODY}{error}")


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()
