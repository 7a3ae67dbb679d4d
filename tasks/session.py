"""Everything one command has open: made from a Pipeline, closed together."""

import os
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.pipeline import Pipeline
from tasks.chunk.base import Chunker
from tasks.chunk.open import open_chunker
from tasks.database.address import IN_MEMORY, Reach, reach_of, sqlite_path
from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.identity import Identity
from tasks.embed.base import Embedder, ImageEmbedder
from tasks.embed.models import is_contextual
from tasks.embed.open import open_embedder
from tasks.errors import CollectionError, ConfigError
from tasks.generations import Choose, as_live, way_to
from tasks.ledger.generations import Registry
from tasks.ledger.ledger import Ledger, schema_of
from tasks.ledger.marks import kept_shards, own_space, require_own
from tasks.ledger.shards import ShardedLedger
from tasks.load.base import Source
from tasks.load.labels import Labelled
from tasks.load.open import open_source
from tasks.records import Sentinel, VectorSpace
from tasks.system.file_system import escaped
from tasks.system.here import Here
from tasks.system.open import open_workplace
from tasks.system.worker import StartWorkers, Worker, Workplace
from tasks.upsert.base import VectorStore
from tasks.upsert.open import open_store, reach, worded

GRACE_SECONDS = 900.0  # longer than any request of a dead process can still be on its way to the store


@dataclass(frozen=True)
class Session:
    """The open parts of one generation of a pipeline; `note` says why its settings are not the configuration's.

    `shard_workers` starts workers that write shards side by side; None where they are worked off in turn.
    """

    pipeline: Pipeline
    sources: Mapping[str, Source]
    chunker: Chunker
    embedder: Embedder
    store: VectorStore
    ledger: Ledger
    registry: Registry
    cache: EmbeddingCache
    clock: Callable[[], float] = time.time
    grace_seconds: float = GRACE_SECONDS
    note: str = ""
    shard_workers: StartWorkers | None = None

    @property
    def space(self) -> VectorSpace:
        """What the collection's vectors are, by the ledger's fingerprint of it."""
        return own_space(self.ledger, self.embedder.space)

    @property
    def place(self) -> str:
        """Where the pipeline is configured: the machine's name, and the path of the file, else of the ledger."""
        return escaped(f"{socket.gethostname()}:{self.pipeline.file or self.ledger.database.name}")

    @property
    def identity(self) -> Identity:
        """What goes into every id."""
        return Identity(self.pipeline.name, self.space, self.chunker.fingerprint)


@contextmanager
def open_session(
    pipeline: Pipeline,
    *,
    choose: Choose = as_live,
    max_usd: float | None = None,
    read_only: bool = False,
    take_over: bool = False,
) -> Generator[Session, None, None]:
    """`choose` says which generation it is, and with which settings; `max_usd` limits the run's money.

    `read_only` needs no right to write, and creates no database where none is: one in memory takes its place.
    CollectionError for a ledger of another pipeline, unless it is to be taken over.
    """
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))  # texts and vectors are their owner's alone; children inherit it
        first = stack.enter_context(closing(open_ledger(pipeline.as_generation(1), read_only=read_only)))
        require_own(first, pipeline.name, take_over=take_over)
        choice = choose(pipeline, first)
        pipeline = choice.pipeline.limited_to(max_usd)
        ledger = open_ledger(pipeline, read_only=read_only) if pipeline.generation > 1 else first
        stack.callback(ledger.close)
        store = stack.enter_context(closing(open_collection(pipeline, read_only=read_only)))
        workplace = stack.enter_context(closing(Here() if read_only else open_workplace(pipeline.runner)))
        embedder = stack.enter_context(closing(open_embedder(pipeline.embedder, pipeline.state, workplace.embed)))
        cached = _existing(pipeline.cache) if read_only else pipeline.cache
        cache = stack.enter_context(closing(EmbeddingCache(cached, embedder.space.dimension, read_only=read_only)))
        shards = workplace.shards if ledger.shard_count > 1 else None
        obstacle = _obstacle(pipeline, embedder, workplace) if shards else ""
        chunker = stack.enter_context(closing(_open_chunker(pipeline, embedder, workplace)))
        yield Session(
            pipeline=pipeline,
            sources=_open_sources(pipeline, first.database.path, images=isinstance(embedder, ImageEmbedder)),
            chunker=chunker,
            embedder=embedder,
            store=store,
            ledger=ledger,
            registry=Registry(first.database),
            cache=cache,
            clock=ledger.database.now,
            note="; ".join(filter(None, [choice.note, obstacle])),
            shard_workers=None if obstacle else shards,
        )


@contextmanager
def open_writer(pipeline: Pipeline) -> Generator[Session, None, None]:
    """A session without sources, for a worker that writes what a run elsewhere has read; it cuts and embeds alone."""
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        ledger = stack.enter_context(closing(open_ledger(pipeline)))
        store = stack.enter_context(closing(open_collection(pipeline)))
        embedder = stack.enter_context(closing(open_embedder(pipeline.embedder)))
        cache = stack.enter_context(closing(EmbeddingCache(pipeline.cache, embedder.space.dimension)))
        late = _whole_documents(pipeline, embedder)
        yield Session(
            pipeline=pipeline,
            sources={},
            # Its workers stay away: the other writers have the cores.
            chunker=open_chunker(pipeline.chunking, embedder.tokenizer, late, _nobody),
            embedder=embedder,
            store=store,
            ledger=ledger,
            registry=Registry(ledger.database),
            cache=cache,
            clock=ledger.database.now,
        )


def open_ledger(pipeline: Pipeline, *, read_only: bool = False) -> Ledger:
    """The ledger of the generation that is meant, in as many shards as it was made with."""

    def opened(shard: str = "") -> Ledger:
        name = f"{pipeline.name}:{pipeline.generation}:{shard}" if shard else pipeline.name
        state = pipeline.state_of(shard)
        generation = 1 if shard else pipeline.generation
        return Ledger(_existing(state) if read_only else state, name, generation, read_only=read_only)

    whole = opened()
    count = kept_shards(whole) or pipeline.shards
    return whole if count == 1 else ShardedLedger(whole, opened, count)


def open_collection(pipeline: Pipeline, *, read_only: bool = False) -> VectorStore:
    """The store, with an index of words beside it where it has none itself; closing it closes both."""
    store = open_store(pipeline.store, pipeline.name, pipeline.search.language)
    schema = schema_of(f"{pipeline.name}:{pipeline.generation}:words")
    return worded(store, pipeline, _existing if read_only else str, schema, read_only=read_only)


def _nobody(make: Callable[..., object], *arguments: object) -> Sequence[Worker]:
    """No workers."""
    del make, arguments
    return ()


def _obstacle(pipeline: Pipeline, embedder: Embedder, workplace: Workplace) -> str:
    """Why shards are worked off in turn, although they are to be side by side; "" where nothing is in the way."""
    reason = "the embedder is a service, whose limits and money the run itself keeps" if embedder.server else ""
    least = Reach.NETWORK if workplace.embed else Reach.MACHINE
    where = "on other machines" if workplace.embed else "in other processes"
    places = {"state": reach_of(pipeline.state), "cache": reach_of(pipeline.cache), "store": reach(pipeline.store)}
    if near := [f"`{name}`" for name, place in places.items() if place < least]:
        reason = reason or f"workers {where} cannot write to {' and '.join(near)}; put them on servers"
    return f"shards are worked off in turn, for {reason}" if reason else ""


def _open_chunker(pipeline: Pipeline, embedder: Embedder, workplace: Workplace) -> Chunker:
    late = _whole_documents(pipeline, embedder)
    return open_chunker(pipeline.chunking, embedder.tokenizer, late, workplace.parse)


def _open_sources(pipeline: Pipeline, beside: Path | None, *, images: bool) -> dict[str, Source]:
    return {
        one.name: Labelled(open_source(one, images=images, beside=beside), one, has_readers=pipeline.has_readers)
        for one in pipeline.sources
    }


def check_space(session: Session, sentinel: Sentinel | None) -> None:
    """Raise CollectionError when the collection holds vectors of another model."""
    space = session.space
    if sentinel is not None and sentinel.space != space.fingerprint:
        raise CollectionError(
            f"the collection of {session.pipeline.name!r} holds vectors of another vector space ({sentinel.space}) than"
            f" {session.embedder.model!r} makes ({space.fingerprint}); {way_to(session.pipeline)}, or go back to the"
            " model it was built with"
        )


def _whole_documents(pipeline: Pipeline, embedder: Embedder) -> Callable[[Sequence[str]], list[int]] | None:
    """Counts what the model reads of them, where chunks are embedded inside them, and not as its chunks."""
    if not pipeline.chunking.late:
        if is_contextual(pipeline.embedder.kind, embedder.model):
            raise ConfigError(
                f"{embedder.model!r} embeds chunks inside their documents, and is not told them: set `chunking:"
                " {late: true}`, or choose a model for single texts under `embedder`"
            )
        return None
    if embedder.late is None:
        raise ConfigError(
            f"chunking.late, but {embedder.model!r} embeds each text alone; expected a local model with mean pooling,"
            " or a provider's for chunks in context, such as voyage-context-4: choose one under `embedder`, or leave"
            " `late` out"
        )
    return embedder.late.count


def _existing(url: str) -> str:
    path = sqlite_path(url)
    try:
        if path is not None:
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return IN_MEMORY
    except OSError:  # opening it says what is wrong
        pass
    return url
