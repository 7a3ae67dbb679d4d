"""What the pipeline needs of an embedder."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tasks.errors import BudgetError
from tasks.image import Image
from tasks.keyed_vectors import KeyedVectors
from tasks.passages import Passage
from tasks.records import EmbeddedBatch, EmbeddingKey, Tokenizer, Vector, Vectors, VectorSpace


class Embedder(Protocol):
    """Opening one is cheap: weights and SDKs load with the first text."""

    @property
    def model(self) -> str:
        """The model as the configuration names it."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Counts as the model does, without loading weights."""
        ...

    @property
    def space(self) -> VectorSpace:
        """Known without loading weights."""
        ...

    @property
    def query_prefix(self) -> str:
        """What stands before a query's text, for readers that embed it themselves."""
        ...

    @property
    def runtime(self) -> str:
        """What a local model runs on, in words; empty before the first text, and where the model is somebody else's."""
        ...

    @property
    def assumed(self) -> str:
        """What of the model its own files decided, since no registry knows it; empty where it is known."""
        ...

    @property
    def server(self) -> str:
        """The address that answers; empty where the model runs here, and its weights are known."""
        ...

    @property
    def other_model(self) -> str:
        """The model in whose name the server has answered, where it is another than was asked for; empty else."""
        ...

    @property
    def usd_per_million_tokens(self) -> float:
        """0 for local models."""
        ...

    @property
    def spent_usd(self) -> float:
        """What was booked since it was opened, for answers that were lost or refused as well; 0 for local models."""
        ...

    @property
    def late(self) -> "Late | None":
        """The way to embed chunks inside their documents; None where each text is embedded alone.

        Raises ConfigError where only this model cannot do it.
        """
        ...

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Yield each batch as soon as it is there, in any order, each row once; `tokens` counts each text as sent.

        A FencedError may be thrown in: begin nothing more, yield what is already paid for, then raise it. Where nothing
        is paid for before it is yielded, letting the error through is enough.

        Raises ConfigError for a refused key or model, BudgetError before the limit is passed, and ServiceError for the
        rest, also when retries were used up: whoever tries again would multiply them.
        """
        ...

    def embed_query(self, text: str, /) -> Vector:
        """Use the query side's prefix or input type."""
        ...

    def check(self) -> None:
        """Raise the ConfigError that the first text would meet, a missing key for one; sends and loads nothing."""
        ...

    def close(self) -> None:
        """Free the device and the connections; the embedder may be used again afterwards."""
        ...


@runtime_checkable
class ImageEmbedder(Protocol):
    """An embedder that puts pictures into the space of its texts; whoever has one asks by isinstance."""

    def embed_images(self, images: Sequence[Image], /) -> Generator[EmbeddedBatch, None, None]:
        """The same as `embed` of pictures, for documents and queries alike."""
        ...


class Batches(Protocol):
    """Pays for texts ahead of the run that needs them, in batches that a provider works off within a day.

    `refused` texts get no vector so; `left` says why others that were sent have none; `stopped_by` ends the sending.
    """

    refused: set[EmbeddingKey]
    left: str
    stopped_by: BudgetError | None

    def on_their_way(self) -> set[EmbeddingKey]:
        """Texts that were sent, by this run or an earlier one."""
        ...

    def fits(self, texts: int, size_bytes: int, /) -> bool:
        """Whether one batch takes another text."""
        ...

    def line_bytes(self, text: str, /) -> int:
        """What a text adds to the size."""
        ...

    def send(self, texts: Mapping[EmbeddingKey, tuple[str, int]], /) -> None:
        """Texts with their tokens; BudgetError where there is money for none of them."""
        ...

    def collect(
        self, wanted: Collection[EmbeddingKey], fence: "Fence", /
    ) -> Iterator[tuple[KeyedVectors, Mapping[EmbeddingKey, int]]]:
        """Wait for all that was sent; vectors of unit length with the tokens that they were billed for."""
        ...


@runtime_checkable
class BatchEmbedder(Protocol):
    """An embedder that can wait for its answers; whoever has one asks by isinstance."""

    def batches(self, owner: str, /) -> Batches | None:
        """What pays ahead, None where each answer is wanted now; `owner` tells pipelines apart."""
        ...

    def on_their_way(self) -> set[EmbeddingKey]:
        """Texts in batches that were not collected yet, by the account's books; sends and writes nothing."""
        ...


class Late(Protocol):
    """Embeds chunks inside their documents."""

    @property
    def count(self) -> Callable[[Sequence[str]], list[int]] | None:
        """Tokens that the model reads of each whole document, with what it reads twice.

        None where it reads the document's chunks, one after the other, and where they are cut matters to their vectors.
        """
        ...

    def embed(self, passages: Sequence[Passage], /) -> Generator[EmbeddedBatch, None, None]:
        """Yield batches as an embedder does; a passage has the same vector whichever others are asked for with it."""
        ...


class VectorCache(Protocol):
    """Where a paid vector is kept before anything else happens with it."""

    def missing(self, keys: Iterable[EmbeddingKey]) -> set[EmbeddingKey]:
        """Those of `keys` that would have to be paid for."""
        ...

    def put(self, keys: Sequence[EmbeddingKey], vectors: Vectors, tokens: Sequence[int]) -> None:
        """Durable when it returns."""
        ...


class Fence(Protocol):
    """Tells a run that was overtaken to stop."""

    def check(self) -> None:
        """Raise FencedError when another run has taken the lease."""
        ...
