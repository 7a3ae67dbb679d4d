"""What travels from stage to stage: one window of documents, and what each stage adds to it.

Plain classes on purpose: a workflow engine that walks the fields of dataclasses, models and lists in its arguments
needs a second for a window of 20,000 chunks, and 3 ms for one opaque object.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tasks.keyed_vectors import KeyedVectors
from tasks.passages import Content
from tasks.records import Chunk, Document, DocumentId, DocumentRef, EmbeddingKey, Payload, PointId


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A document that cannot be used; `reason` is a short class name, `message` says cause and remedy.

    `hint` and `version` tell later whether it is still the same document; empty: not known.
    """

    id: DocumentId
    reason: str
    message: str
    hint: str = ""
    version: str = ""


class Remark(NamedTuple):
    """What a reader of a document sees and its chunks lack, or what about it was guessed."""

    document: DocumentId
    text: str


class NewPoint(NamedTuple):
    """A point to be written; `key` is the hash of its payload, `embedding` finds `content`'s vector in the cache."""

    id: PointId
    key: str
    embedding: EmbeddingKey
    tokens: int
    payload: Payload
    content: Content


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """How one document reaches `version`: points to put and to doom; `chunks` and `tokens` count its whole content.

    `is_new` says that the ledger had no version of it; `is_emptied` that its last readable content would go;
    `is_shrunk` that most of it would. `like` is set where much of its text would go: the first such document of this
    run that has nearly the same text now, itself where there is none; `former` is a sample of the text that it had, as
    `sample` is of the new one, or empty where that is not known, and `lost` what of it is not in the new text. It is
    nearly the same as its `original`, where it has one; `signature` tells that, and is empty where nobody asks.
    """

    id: DocumentId
    source: str
    version: str
    hint: str
    chunks: int
    tokens: int
    is_unchanged: bool
    put: tuple[NewPoint, ...] = ()
    doom: tuple[PointId, ...] = ()
    is_new: bool = False
    is_emptied: bool = False
    is_shrunk: bool = False
    remark: str = ""
    sample: bytes = b""
    former: bytes = b""
    lost: bytes = b""
    like: DocumentId | None = None
    signature: bytes = b""
    original: DocumentId | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether it is not in the collection, since its original is."""
        return self.original is not None and not self.chunks

    @property
    def waits(self) -> bool:
        """The end of the run knows whether its content is lost, as if a login page stood in place of everything.

        And whether the original of what is left out was written.
        """
        return self.is_emptied or self.is_shrunk or self.like is not None or self.is_left_out


class Refs:
    """The documents of one window."""

    def __init__(self, refs: Sequence[DocumentRef]) -> None:
        self.refs = tuple(refs)


class Tally:
    """What one window is and takes: one record beside it, filled in by each stage, and anew by a stage that is retried.

    `texts_paid` are those that the last attempt embedded.
    """

    def __init__(self, documents_seen: int) -> None:
        self.documents_seen = documents_seen
        self.points_to_put = 0
        self.texts_paid = 0
        self.load_seconds = 0.0
        self.chunk_seconds = 0.0
        self.embed_seconds = 0.0
        self.upsert_seconds = 0.0

    @property
    def slowest_seconds(self) -> float:
        """Seconds of the slowest of the lanes that work side by side: read and chunk, embed, write."""
        return max(self.load_seconds + self.chunk_seconds, self.embed_seconds, self.upsert_seconds)

    def line(self) -> str:
        """What was done, for a log; stages of several windows overlap, so their seconds add up to more than passed."""
        reused = max(0, self.points_to_put - self.texts_paid)
        names, spent = ("read", "cut", "embed"), (self.load_seconds, self.chunk_seconds, self.embed_seconds)
        stages = dict(zip((*names, "write"), (*spent, self.upsert_seconds), strict=True))
        seconds = ", ".join(f"{name} {value:.1f} s" for name, value in stages.items())
        seen = f"{self.documents_seen:,} {'document' if self.documents_seen == 1 else 'documents'}"
        counts = f"{seen}, {self.texts_paid:,} chunks embedded, {reused:,} reused"
        return f"{counts}; {seconds}"


class Loaded:
    """The window's documents that could be read, and those that could not; `touched` say the same as before."""

    def __init__(
        self,
        tally: Tally,
        documents: Sequence[Document],
        touched: Sequence[DocumentRef],
        failures: Sequence[Quarantined],
    ) -> None:
        self.tally = tally
        self.documents = documents
        self.touched = touched
        self.failures = failures


class Chunked:
    """`chunks[i]` belongs to `loaded.documents[i]`."""

    def __init__(self, loaded: Loaded, chunks: Sequence[Sequence[Chunk]]) -> None:
        self.tally = loaded.tally
        self.loaded = loaded
        self.chunks = chunks


class Deduped:
    """`unpaid` holds what the cache does not: embedding key -> (content, tokens), each text and picture once.

    `failures` are the documents that could not be read, and those that are still as they were when quarantined.
    """

    def __init__(
        self,
        tally: Tally,
        changes: Sequence[DocumentChange],
        failures: Sequence[Quarantined],
        unpaid: Mapping[EmbeddingKey, tuple[Content, int]],
    ) -> None:
        self.tally = tally
        self.changes = changes
        self.failures = failures
        self.unpaid = unpaid


class Spent:
    """What a run has paid for, counted batch by batch as the answers come, so that no later error hides it.

    One thread adds at a time, the one that embeds; another may read and `use` meanwhile. A text counts once it has a
    vector. It is unwritten until a point of a written document uses it, and the next point with that text reuses it.
    """

    def __init__(self) -> None:
        self.texts_paid = 0
        self.tokens_paid = 0
        self.texts_used = 0
        self.seconds = 0.0
        self._unused: Counter[EmbeddingKey] = Counter()

    def add(self, keys: Iterable[EmbeddingKey], tokens: Sequence[int]) -> None:
        """Texts that have just been paid for."""
        self.texts_paid += len(tokens)
        self.tokens_paid += sum(tokens)
        self._unused.update(iter(keys))  # a mapping would say how many of each

    def merge(self, other: "Spent") -> None:
        """What was embedded elsewhere, and of which nothing is used there; two may have had the same text."""
        self.texts_paid += other.texts_paid
        self.tokens_paid += other.tokens_paid
        self.seconds += other.seconds
        self._unused.update(other._unused)

    def use(self, key: EmbeddingKey) -> bool:
        """Whether this is the first written point of a text that this run paid for."""
        is_first = key in self._unused
        if is_first:
            self._unused[key] -= 1
            if not self._unused[key]:
                del self._unused[key]
            self.texts_used += 1
        return is_first

    @property
    def unwritten(self) -> int:
        """Texts paid for that no written document has used so far: their vectors are in the cache."""
        return self.texts_paid - self.texts_used


class Embedded:
    """The window with every vector it needs in the cache.

    `rejected` texts have no vector: embedding key -> why. `vectors` are those of the newest texts, batch by batch,
    up to a bound on their size, so that writing need not read them back.
    """

    def __init__(self, deduped: Deduped) -> None:
        self.tally = deduped.tally
        self.deduped = deduped
        self.rejected: dict[EmbeddingKey, str] = {}
        self.vectors: list[KeyedVectors] = []


class Written:
    """The window after the flip: the documents of `changes` are current in the collection, but those that wait.

    `failures` are quarantined. `spent` is what a worker elsewhere has embedded for it.
    """

    def __init__(
        self,
        tally: Tally,
        changes: Sequence[DocumentChange],
        failures: Sequence[Quarantined],
        spent: Spent | None = None,
    ) -> None:
        self.spent = spent
        self.tally = tally
        self.changes = changes
        self.failures = failures
