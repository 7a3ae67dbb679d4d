"""Who is who: the ids and hashes of documents, texts and points.

A content hash says whether to embed; it never says which record this is. Money is shared, rows are not: the same text
in two documents is paid once and stored as two points. A point's id names its whole payload and the life in which it
was written, so no late write of a dead process can change a point that is alive.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from config.labels import READERS
from tasks.dedupe.spans import Spans
from tasks.places import PlaceKind
from tasks.records import Bookkeeping, Chunk, Document, DocumentId, EmbeddingKey, Payload, PointId, VectorSpace
from tasks.system.file_system import escaped

NAMESPACE = uuid.UUID("a07f2b6e-5b0c-5f0e-9a56-6d1c0d1c1a4e")
_NAMESPACE_BYTES = NAMESPACE.bytes
PAYLOAD_VERSION = 4
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
# The metadata in which the chunks of one document differ.
_SPANS = ("start", "end", "line", "last_line", "context", *get_args(PlaceKind))
_PLACES = frozenset(("position", "heading", *_SPANS))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pipeline puts into every id: its name, the vector space and how its chunks are cut."""

    pipeline: str
    space: VectorSpace
    chunking: str

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits; with another one every stored version is stale."""
        return _digest(self.pipeline, self.space.fingerprint, self.chunking, PAYLOAD_VERSION)[:16]


class Wanted(NamedTuple):
    """One chunk as it should be in the store."""

    payload: Payload
    chunk: Chunk
    embedding: EmbeddingKey


def document_version(identity_fingerprint: str, document: Document) -> str:
    """A hash that changes with the text, the metadata and everything that shapes the points.

    That of the readers stands behind it: where they alone change, the new version is known without the document.
    """
    version = document.versions.get(identity_fingerprint)
    if version is None:
        # JSON has no line feed of its own, so the text, which is not worth encoding, can follow one.
        image = [document.image.digest, document.image.width, document.image.height] if document.image else []
        where = [document.extent, document.places, document.headings]
        metadata = dict(document.metadata)
        readers = metadata.pop(READERS, None)
        parts = [identity_fingerprint, document.format, document.language, metadata, where, *image]
        rest = _ENCODER.encode(parts)
        version = _hashed(f"{rest}\n{document.text}")
        if readers is not None:
            version = version_with(readers, version)
        document.versions[identity_fingerprint] = version
    return version


def readers_mark(document: Document) -> str:
    """Equal for documents with the same readers: what stands behind their versions."""
    readers = document.metadata.get(READERS)
    return "" if readers is None else version_with(readers, "").partition("/")[2]


def version_with(readers: object, version: str) -> str:
    """The version of the same document with these readers."""
    return f"{version.partition('/')[0]}/{_digest(readers)[:16]}"


def embedding_key(space_fingerprint: str, text: str, context: str = "") -> EmbeddingKey:
    """The key of a vector: the same space, text and context, if it has one, have the same, whoever asks."""
    joined = f"{space_fingerprint}\0{text}{context and chr(0)}{context}".encode()
    return EmbeddingKey(hashlib.blake2b(joined, digest_size=16).digest())


def image_key(space_fingerprint: str, digest: str) -> EmbeddingKey:
    """The same for a picture; no text has its mark."""
    return embedding_key(space_fingerprint, f"\0{digest}")


def point_id(key: str, life: int) -> PointId:
    """The id of one payload in one life, which is never used again while the ledger remembers it.

    It is a UUID of version 5, put together here: Python's own takes three times as long.
    """
    digest = hashlib.sha1(_NAMESPACE_BYTES + f"{key}:{life}".encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return PointId(f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}")


def wanted_points(identity: Identity, document: Document, chunks: Sequence[Chunk]) -> dict[str, Wanted]:
    """The chunks as records, by payload key, in order. The `headrace` part lets a lost ledger be rebuilt."""
    space, image = identity.space.fingerprint, document.image
    shared: Payload = {**document.metadata, "source": document.ref.source, "document": escaped(document.ref.path)}
    owner = {"pipeline": identity.pipeline, "document": document.ref.id, "space": space}
    if image:
        shared |= {"width": image.width, "height": image.height}
        owner["image"] = image.digest
    records = _records_hash(shared, owner, {})
    points: dict[str, Wanted] = {}
    spans = Spans(document)
    for position, chunk in enumerate(chunks):
        metadata: Payload = {**shared, "position": position, **({} if image else spans.of(chunk))}
        if chunk.headings:
            metadata["heading"] = " > ".join(chunk.headings)
        if chunk.context:
            metadata["context"] = chunk.context
        context = chunk.passage.mark if chunk.passage else ""
        embedding = image_key(space, image.digest) if image else embedding_key(space, chunk.embedded, context)
        digits = embedding.hex()
        key = _key(records, metadata, digits)
        bookkeeping: Payload = {**owner, "embedding": digits, "key": key}
        if context:
            bookkeeping["context"] = context
        payload: Payload = {"text": chunk.stored, "metadata": metadata, "headrace": bookkeeping}
        points[key] = Wanted(payload, chunk, embedding)
    return points


def payload_key(payload: Payload) -> str:
    """32 hexadecimal digits over the whole payload but the key itself; the embedding key is text and context."""
    metadata, record = payload["metadata"], payload["headrace"]
    owner = {name: value for name, value in record.items() if name not in ("embedding", "key", "context")}
    parts = {name: value for name, value in payload.items() if name not in ("text", "metadata", "headrace")}
    records = _records_hash(metadata, owner, parts)
    return _key(records, metadata, record["embedding"])


def bookkeeping(payload: Payload) -> Bookkeeping | None:
    """What the record says of itself; None for one that Headrace did not write."""
    try:
        record = payload["headrace"]
        return Bookkeeping(
            pipeline=str(record["pipeline"]),
            document=DocumentId(record["document"]),
            source=str(payload["metadata"]["source"]),
            position=int(payload["metadata"]["position"]),
            space=str(record["space"]),
            embedding=EmbeddingKey(bytes.fromhex(record["embedding"])),
            key=str(record["key"]),
            is_intact=_is_intact(payload, record),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _is_intact(payload: Payload, record: Payload) -> bool:
    """A picture's text is its caption, which stands in the metadata too, and so is in the key."""
    text = payload.get("text", "")
    if "image" in record:
        embedding, is_same = image_key(record["space"], record["image"]), text == payload["metadata"].get("caption", "")
    else:
        embedded = f"{payload['metadata'].get('context', '')}{text}"
        embedding, is_same = embedding_key(record["space"], embedded, record.get("context", "")), True
    return is_same and (embedding.hex(), payload_key(payload)) == (record["embedding"], record["key"])


def _records_hash(metadata: Payload, owner: Payload, parts: Payload) -> str:
    """A hash of all that the records of one document share; `parts` is what a stored record has beside ours."""
    return _digest({name: value for name, value in metadata.items() if name not in _PLACES}, owner, parts)


def _key(records: str, metadata: Payload, embedding: str) -> str:
    """Parts of a fixed length, then some that have no line feed, then the rest: no two records are joined alike."""
    heading = metadata.get("heading", "")
    if "heading" in metadata:
        heading = f".{heading}" if isinstance(heading, str) else f"={_ENCODER.encode(heading)}"
    spans = {name: metadata[name] for name in _SPANS if name in metadata}
    more = f"{_ENCODER.encode(spans)}\n" if spans else ""  # records of old have none, and keep their keys
    return _hashed(f"{records}{embedding}{metadata['position']!r}\n{more}{heading}")


def _digest(*parts: object) -> str:
    return _hashed(_ENCODER.encode(parts))


def _hashed(text: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
