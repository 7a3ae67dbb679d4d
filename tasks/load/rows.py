"""Rows as documents: which columns are the id, the text, the metadata and the version."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from config.labels import PLACEHOLDER
from config.sources import RowsSource
from tasks.errors import ConfigError, DocumentError
from tasks.load.decode import normalised
from tasks.load.parse.open import parse_written
from tasks.load.values import BINARY, Unfit, content_hint, metadata_of, text_of
from tasks.records import Document, DocumentRef, Metadata

_SUFFIXES = {"markdown": ".md", "text": ".txt", "html": ".html"}

_SHOWN = 30  # characters of a column's name


class RowShape:
    """Says what of a row is what; a row is a mapping from columns to values."""

    def __init__(self, config: RowsSource, *settings: object) -> None:
        """Once one of the `settings` is another, all hints are, for they may make other texts of the same rows."""
        self._config = config
        self._template = config.template
        self.ids, self.version = config.ids, config.version
        self._kept = _kept_columns(config)
        self._suffix = _SUFFIXES[config.format]
        self.contents = tuple(dict.fromkeys((*config.text_columns, *self._kept)))
        self.columns = tuple(
            dict.fromkeys((*config.ids, *self.contents, *([config.version] if config.version else ())))
        )
        shape = repr((config.ids, self._template, self._kept, config.version, config.format, settings))
        self._mark = hashlib.blake2b(shape.encode(), digest_size=4).hexdigest()

    def check(self, columns: Sequence[str], place: str) -> None:
        """Raise ConfigError for a column that `place` does not have, or has twice."""
        for column in self.columns:
            if columns.count(column) != 1:
                # The first row is shown where a file has no header: of a text no more than tells which row it is.
                there = ", ".join(f"{name[:_SHOWN]}…" if len(name) > _SHOWN else name for name in columns) or "none"
                how = "no column" if column not in columns else "two columns"
                raise ConfigError(f"{place} has {how} {column!r}; its columns are: {there}")

    def path(self, values: Sequence[object]) -> str:
        """The document's path: the values of the id's columns; "" where one of them is missing or empty."""
        if len(values) == 1 and type(values[0]) is int:  # millions of them
            return str(values[0])
        texts = ["" if isinstance(value, Unfit) else normalised(text_of(value)) for value in values]
        if not all(text.strip() for text in texts):
            return ""
        if len(texts) == 1:
            return texts[0]
        return "/".join(text.replace("%", "%25").replace("/", "%2F") for text in texts)

    def content_hint(self, values: Sequence[object]) -> str:
        """Changes with the row; `values` are those of the columns `contents`."""
        return f"{self._mark}-{hashlib.blake2b(content_hint(values), digest_size=12).hexdigest()}"

    def version_hint(self, version: object) -> str:
        """Changes with the version; a row without one promises nothing."""
        text = text_of(version)
        return f"{self._mark}-{text}" if text else ""

    def document(self, ref: DocumentRef, row: Mapping[str, object]) -> Document:
        """The document that a row is; DocumentError for binary columns and for too much text."""
        return self.written(ref, *self.contents_of(row, ref.id))

    def contents_of(self, row: Mapping[str, object], name: str) -> tuple[str, Metadata]:
        """Text and metadata of a row, which messages call `name`; DocumentError for binary columns."""
        for column in self.columns:
            value = row[column]
            if isinstance(value, Unfit):
                raise DocumentError("wrong-value", f"{name}: column {column!r} {value.why}")
            if isinstance(value, BINARY):
                raise DocumentError(
                    "binary", f"{name}: column {column!r} is binary; leave it out, or make a text of it, as HEX(…) does"
                )
        parts = [(before, text_of(row[column]) if column else "") for before, column in self._template]
        text = self._joined(parts) if any(part.strip() for _, part in parts) else ""
        return normalised(text), kept_metadata({column: row[column] for column in self._kept})

    def written(self, ref: DocumentRef, text: str, metadata: Metadata) -> Document:
        """The document of a text in the source's format; DocumentError where it is too large."""
        size, most = len(text.encode()), self._config.max_bytes
        if size > most:
            raise DocumentError(
                "too-large",
                f"{ref.id} has {size:,} bytes, the limit is {most:,}; raise max_bytes, or leave the row out",
            )
        return parse_written(ref, text, self._suffix, metadata)

    def _joined(self, parts: Sequence[tuple[str, str]]) -> str:
        if isinstance(self._config.text, str):
            return "".join(before + part for before, part in parts)
        return "\n\n".join(part for _, part in parts if part.strip())


def _kept_columns(config: RowsSource) -> tuple[str, ...]:
    """Those that `metadata` lists, and those that templates and the rules for readers look into."""
    listed = config.metadata if isinstance(config.metadata, tuple) else ()
    values = config.metadata.values() if isinstance(config.metadata, dict) else ()
    templates = [*values, *((config.acl.everybody or ()) if config.acl else ())]
    named = [match[4] for text in templates if isinstance(text, str) for match in PLACEHOLDER.finditer(text)]
    rule = config.acl.named if config.acl else None
    return tuple(dict.fromkeys(filter(None, (*listed, *named, rule))))


def kept_metadata(values: Mapping[str, object]) -> Metadata:
    """What records keep of such values; nothing of those that are missing."""
    return {normalised(name): kept for name, value in values.items() if (kept := metadata_of(value)) is not None}


def all_binary(values: Collection[object]) -> bool:
    """Whether all that stands in a column is binary, so that it is no slip of single rows."""
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, BINARY) for value in there)
