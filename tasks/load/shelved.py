"""A listing whose rows lie on disk until they are read, for sources that cannot be asked for one row."""

import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence

from tasks.errors import DocumentError
from tasks.load.listed import Listed
from tasks.load.rows import RowShape
from tasks.records import Document, DocumentRef, FailedScope, Listing, Metadata

WRITE_BYTES = 1 << 20
_LENGTH = 8  # bytes before each row


class Shelved:
    """Rows in an unnamed temporary file, which is gone with the process and is for this account alone."""

    def __init__(self, source: str, shape: RowShape, shards: int = 1, at_once: int = 1) -> None:
        """Rows are added first, and read after `listing`; OSError where the disk is full."""
        self._source = source
        self._shape = shape
        self._listed: Listed[int] = Listed(source, shards, at_once)
        self._file = tempfile.TemporaryFile(buffering=WRITE_BYTES)  # noqa: SIM115 - closed when nobody has it any more
        self._close = weakref.finalize(self, self._file.close)
        self._end = 0

    def add(self, path: str, text: str, metadata: Metadata, version: object = None) -> None:
        """Take a document; without a version its content decides whether it is read."""
        self._put(path, [text, dict(metadata)], version)

    def add_row(self, row: Mapping[str, object], name: str) -> None:
        """Take the row of a table, which messages call `name`; a bad one is told where it is read."""
        version = self._shape.version
        path = self._shape.path([row[column] for column in self._shape.ids])
        try:
            self.add(path, *self._shape.contents_of(row, name), row[version] if version else None)
        except DocumentError as error:
            self.add_problem(path, error.reason, str(error))

    def add_problem(self, path: str, reason: str, message: str) -> None:
        """Take a document that cannot be read."""
        self._put(path, {"reason": reason, "message": message}, None)

    def listing(self, failed: Iterable[FailedScope], advice: str) -> Listing:
        """All that was added; `advice` says what to do about rows without an id."""
        self._file.flush()
        return self._listed.listing([*failed], advice)

    def refs(self, shard: int) -> tuple[DocumentRef, ...]:
        """Those of a shard, which can be read from now on."""
        return self._listed.refs(shard)

    def read(self, ref: DocumentRef) -> Document:
        """The document as it was added."""
        ((_, place),) = self._listed.from_here(ref, 1)
        size = int.from_bytes(os.pread(self._file.fileno(), _LENGTH, place), "big")
        row = json.loads(os.pread(self._file.fileno(), size, place + _LENGTH))
        if isinstance(row, dict):
            raise DocumentError(row["reason"], f"{ref.id}: {row['message']}")
        return self._shape.written(ref, *row)

    def close(self) -> None:
        """Free the disk."""
        self._close()

    def _put(self, path: str, row: Sequence[object] | Mapping[str, str], version: object) -> None:
        line = json.dumps(row, separators=(",", ":")).encode()
        hint = self._shape.version_hint(version) or self._shape.content_hint([hashlib.blake2b(line).hexdigest()])
        self._listed.add(path, hint, len(line), self._end)
        self._file.write(len(line).to_bytes(_LENGTH, "big") + line)
        self._end += _LENGTH + len(line)


class ShelvedSource:
    """What sources share whose listing is shelved: it is read from there until the next one begins."""

    def __init__(self, name: str, shape: RowShape) -> None:
        """Nothing is listed yet."""
        self.name = name
        self._shape = shape
        self._shelved: Shelved | None = None
        self._shards = self._at_once = 1

    def split(self, shards: int, at_once: int = 1, /) -> bool:
        """Whether listings are asked for by shards from now on."""
        self._shards, self._at_once = shards, at_once
        return True

    def refs(self, shard: int, /) -> tuple[DocumentRef, ...]:
        """Those of a shard, which are the ones that can be read from now on."""
        return self._shelved.refs(shard) if self._shelved else ()

    def read(self, ref: DocumentRef, /) -> Document:
        """The document as it was listed."""
        if self._shelved is None:
            raise DocumentError("missing", f"{ref.id} was not listed; the next run will see")
        return self._shelved.read(ref)

    def _begin(self) -> Shelved:
        """A new listing in place of the one before, whose disk is freed."""
        if self._shelved:
            self._shelved.close()
        self._shelved = Shelved(self.name, self._shape, self._shards, self._at_once)
        return self._shelved
