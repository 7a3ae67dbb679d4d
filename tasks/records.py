"""The nouns that travel between the stages; what a run makes one of for every document or chunk is a tuple."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, NewType, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.dates import is_limit
from tasks.image import Image
from tasks.passages import Passage
from tasks.places import UNKNOWN, Extent, Heading, Place

DocumentId = NewType("DocumentId", str)  # "<source name>:<path inside the source>"
PointId = NewType("PointId", str)  # a UUID in its 36-character form
EmbeddingKey = NewType("EmbeddingKey", bytes)  # 16 bytes
Vector = NDArray[np.float32]  # shape (dimension,), unit length
Vectors = NDArray[np.float32]  # shape (n, dimension), rows of unit length
Format = Literal["markdown", "text", "rst", "code"]
Payload = dict[str, Any]
Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | Sequence[Scalar]]  # dates are texts as ISO 8601 has them


class DocumentRef(NamedTuple):
    """A document as a listing names it, without its text.

    `hint` changes whenever the source cannot promise that the content is the same; an empty hint promises nothing.
    `size_bytes` is 0 where the listing does not tell; it only bounds how much is read at once.
    """

    id: DocumentId
    source: str
    path: str
    hint: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FailedScope:
    """A part of a source that could not be listed: ids that start with `prefix` are unknown, not missing.

    `is_outage`: another time it may be listed as it is.
    """

    prefix: str
    reason: str
    is_outage: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What one source holds now. Deletion needs a complete listing: `failed` is empty.

    `passed_over` counts, by suffix in lower case, what no setting names: neither `include` nor `exclude`. `notes` are
    sentences on what else was not listed. `only`: nothing but these documents was looked for.
    """

    source: str
    refs: tuple[DocumentRef, ...]
    failed: tuple[FailedScope, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    only: frozenset[DocumentId] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """`text` is normalised: no NUL, no lone surrogate, line feeds only. `language` is a code file's suffix.

    `remarks` say what a reader sees and the text lacks, or what was guessed; they are told, and change no record.

    `versions` are the hashes of its content that were worked out, by the identity's fingerprint: the first is asked for
    where the document is read, and again where it is compared with what is stored.
    """

    ref: DocumentRef
    text: str
    format: Format = "text"
    language: str = ""
    metadata: Metadata = field(default_factory=dict[str, Scalar | Sequence[Scalar]])
    image: Image | None = None  # then `text` is its caption
    places: tuple[Place, ...] = ()
    headings: tuple[Heading, ...] | None = None  # None: the format says where they are
    extent: Extent = UNKNOWN
    remarks: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict[str, str], init=False, compare=False, repr=False)


class Chunk(NamedTuple):
    """`text` are the document's own words from the character `start` on; `headings` the path of titles above them.

    `repeated` are lines from further above, like a table's header, embedded and stored before the text. `context` is
    embedded before both and stored beside the text: a title, or the scope of code. The model reads `tokens` for all of
    it, prefix and special tokens included.
    """

    text: str
    tokens: int
    start: int
    headings: tuple[str, ...] = ()
    passage: Passage | None = None  # where it is embedded inside its document; `tokens` are then its share of those
    repeated: str = ""
    context: str = ""

    @property
    def stored(self) -> str:
        """The text of its record."""
        return self.repeated + self.text

    @property
    def embedded(self) -> str:
        """What the model reads of it, where it is embedded alone."""
        return f"{self.context}{self.repeated}{self.text}"


class Tokenizer(Protocol):
    """The embedder's own tokenizer. Safe to call from several threads."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same text may be cut into other tokens."""
        ...

    @property
    def max_tokens(self) -> int:
        """What the model reads of one text, prefix and special tokens included."""
        ...

    @property
    def separators(self) -> str:
        """White space at which counts add up: cut behind one of these, a text has the tokens of its parts.

        White space at its ends then adds none. Empty where the tokenizer does not promise it.
        """
        ...

    def count(self, texts: Sequence[str], /) -> list[int]:
        """Tokens that the model reads for each text as sent: with prefix and special tokens, never truncated."""
        ...


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """Everything that changes a document's vector, and nothing that does not (device, batch size, base URL, queries).

    `frozen_query_prefix` is what stood in the fingerprint of the same documents while the query side was part of it; it
    keeps their collections and caches valid. Each ledger keeps its first, for a model's own files may change it.
    """

    provider: str
    model: str
    revision: str
    dimension: int
    max_tokens: int
    document_prefix: str = ""
    frozen_query_prefix: str = ""
    pooling: str = ""
    normalised: bool = True

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits; equal fingerprints may share cached vectors and a collection."""
        return _fingerprint(self)


@lru_cache(maxsize=64)
def _fingerprint(space: VectorSpace) -> str:
    """Asked for with every document."""
    fields = asdict(space)
    fields["query_prefix"] = fields.pop("frozen_query_prefix")
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class EmbeddedBatch:
    """One answer of the model: `rows` are indices into the texts asked for, `vectors[i]` belongs to `rows[i]`.

    `billed_tokens` and `cost_usd` are what the provider charged, 0 for local models. `rejected`: rows refused for good.
    """

    rows: tuple[int, ...]
    vectors: Vectors
    billed_tokens: int = 0
    cost_usd: float = 0.0
    rejected: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True)
class Points:
    """Records for the store, a column for each part: row i of `vectors` and `payloads[i]` belong to `ids[i]`.

    A record is immutable: another payload is another id.
    """

    ids: Sequence[PointId]
    vectors: Vectors
    payloads: Sequence[Payload]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> "Points":
        return Points(self.ids[part], self.vectors[part], self.payloads[part])


@dataclass(frozen=True, slots=True)
class Sentinel:
    """The mark a run leaves in the store, to notice a lost or restored store or ledger, and another pipeline's store.

    `place` is the machine and path of the run's configuration; it, `pipeline` and `at` are empty in marks of old.

    `complete_at` is when the last sync ended that had seen every document and withheld nothing, 0 before the first. So
    many documents were not brought up to date by the last sync that looked at all: `withheld` until a person confirms
    it, `quarantined`, or `unknown`, in parts that could not be listed. Marks with the same beginning are the same.
    """

    lineage: str
    epoch: int
    space: str
    pipeline: str = ""
    place: str = ""
    at: float = 0.0  # seconds since 1970
    complete_at: float = field(default=0.0, compare=False)
    withheld: int = field(default=0, compare=False)
    quarantined: int = field(default=0, compare=False)
    unknown: int = field(default=0, compare=False)


Operator = Literal["in", "not_in", ">=", ">", "<=", "<"]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field of `metadata`; a field that is a list passes where one of its items does.

    `in`: it equals one of `values`. `not_in` passes all that `in` does not: records without the field, too. The others
    compare numbers with the one number in `values`, beyond 2**53 perhaps as coarsely as floats do, or dates with its
    one date, by instant; nothing else passes. Values are equal as they are in JSON: 1 is 1.0, but not "1" or true.
    """

    field: str
    operator: Operator
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if self.operator not in ("in", "not_in") and [is_limit(value) for value in self.values] != [True]:
            raise ValueError(f"{self.field} {self.operator} {self.values}: expected one number or date to compare with")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Passes where every filter of one of the alternatives passes."""

    alternatives: tuple[tuple[Filter, ...], ...]


Condition = Filter | AnyOf


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks of a store: records that pass all conditions, best first, without the first `offset`.

    Where there are `words`, these are looked for and not the vector: records that hold any of them, scored as the
    store's text index does, by BM25 or the like. NoTextIndexError where the store has none.
    """

    vector: Vector
    limit: int
    conditions: Sequence[Condition] = ()
    offset: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result; `score` is the cosine similarity."""

    id: PointId
    score: float
    payload: Payload


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What a stored record says of itself; `is_intact` says that its content is what its key was made from."""

    pipeline: str
    document: DocumentId
    source: str
    position: int
    space: str
    embedding: EmbeddingKey
    key: str
    is_intact: bool
