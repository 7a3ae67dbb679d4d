"""An embedder that costs money: all but the SDK of one provider."""

import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from config import embedders
from config.fields import public_url
from tasks.embed.api.batches import Batches, Work
from tasks.embed.api.contextual import BETWEEN, ContextualChunks, ContextualEmbedder, chunks_in, chunks_of
from tasks.embed.api.dispatch.account import Terms
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.batch_books import BatchAccount
from tasks.embed.api.dispatch.dispatcher import Dispatcher
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError
from tasks.embed.api.dispatch.packing import by_sum
from tasks.embed.api.dispatch.requests import OutcomePolicy
from tasks.embed.api.dispatch.transport import Side, ThreadTransport
from tasks.embed.api.guard import bounded
from tasks.embed.api.patient import PatientApi
from tasks.embed.api.provider import BatchApi, BatchProvider, Provider, check_key, translated
from tasks.embed.api.served import UNKNOWN_FACTOR
from tasks.embed.models import PaidModel
from tasks.embed.tokens.tokenizers import ModelTokenizer, TiktokenTokenizer
from tasks.errors import ConfigError, HeadraceError, ServiceError
from tasks.records import EmbeddedBatch, EmbeddingKey, Tokenizer, Vector, VectorSpace

SAFETY = 0.95  # of the provider's token limit: its count may differ a little from ours
MINUTE_SHARE = 0.5  # of a minute's tokens or texts in one request, or it might never fit
NUMBER_BYTES = 32  # of a vector, written out in an answer; a fourth of it on average
ANSWER_BYTES = 1 << 20  # of what else an answer says


class PaidEmbedder:
    """Opening needs no key and no network: `plan` counts and prices with neither."""

    runtime = ""
    other_model = ""

    def __init__(
        self, config: embedders.PaidEmbedder, provider: Provider, budget: str, clock: Clock | None = None
    ) -> None:
        """ConfigError for a money limit without a price, and for vectors of a length that the model does not make.

        `budget` is the URL of the database in which processes share the account's limits and money; `clock` lets a test
        wait for nothing.
        """
        self._config = config
        self._provider = provider
        self._budget = config.budget or budget
        self._clock = clock or Clock()
        self._open: _Open | None = None
        self._chunks = ContextualChunks()
        self.model = config.model
        self._known, self._asked = provider.models.row(config.model), provider.models.row(config.model_of("query"))
        self._factor = self._known.tokens_factor if config.model in provider.models.models else UNKNOWN_FACTOR
        self.query_prefix = self._asked.query_prompt("")
        self.tokenizer = _tokenizer(self._known)
        self.assumed = self._known.assumed
        own = config.usd_per_million_tokens
        self._usd = self._known.usd_per_million_tokens if own is None else own
        self._batch_api: BatchApi | None = provider.batch_api if isinstance(provider, BatchProvider) else None
        self._batches: Batches | None = None
        self._check_dimensions()
        self._check_query_model()
        has_limit = config.max_usd is not None or config.max_usd_per_day is not None
        if has_limit and own is None and not self._usd:
            raise ConfigError(
                f"embedder.max_usd is set, but the price of {config.model!r} is not known here; set"
                " embedder.usd_per_million_tokens (0 where it costs nothing)"
            )

    @property
    def space(self) -> VectorSpace:
        """The base URL is not part of it: a proxy does not change vectors, and a run notices a server that does."""
        dimension = self._config.dimensions or self._known.dimension
        if not dimension:
            raise ConfigError(f"embedder.dimensions is missing: the vectors of {self.model!r} are not known here")
        space, known = self._provider.models.space_of(self.model), self._known
        tokens, revision = known.space_tokens or known.max_tokens, self._config.rounding or known.revision
        return VectorSpace(self._provider.family, space, revision, dimension, tokens, known.document_prefix)

    @property
    def server(self) -> str:
        """The address as the SDK has it once it is open; before, no key is needed to name it."""
        return public_url(self._provider.account[0] if self._open else self._config.base_url or self._provider.name)

    @property
    def usd_per_million_tokens(self) -> float:
        """The price of documents as they are delivered; a batch lowers one's own as it lowers the list price."""
        listed, batch = self._known.usd_per_million_tokens, self._known.batch_usd_per_million_tokens
        return self._usd * batch / listed if self._batch_api and listed and batch else self._usd

    @property
    def spent_usd(self) -> float:
        """The cost by the account's books, so what was sent and lost is in it."""
        return self._open.account.spent_usd if self._open else 0.0

    @property
    def late(self) -> ContextualEmbedder | None:
        """Documents are rows of requests, and each has the same limits as a text."""
        if not self._known.contextual:
            return None
        most = int(self._known.limits.tokens_per_input.most * SAFETY / self._known.tokens_factor)
        return ContextualEmbedder(self.tokenizer, most, self.embed, self._chunks)

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Generator[EmbeddedBatch, None, None]:
        """Sends as few requests as the provider's limits allow, several at once."""
        if self._batches and self._batches.stopped_by:
            raise self._batches.stopped_by  # what batches cannot pay is not paid at the full price
        yield from self._sent(texts, tokens, "document")

    def _sent(self, texts: Sequence[str], tokens: Sequence[int], side: Side) -> Generator[EmbeddedBatch, None, None]:
        opened, limits = self._opened(), self._known.limits
        most = limits.tokens_per_request.most * SAFETY / self._known.tokens_factor
        if per_minute := opened.account.tokens_per_minute:
            most = min(most, per_minute * MINUTE_SHARE)
        texts_most = min(self._config.batch_texts or sys.maxsize, limits.inputs_per_request.most)
        if self._known.texts_count_as_requests and (requests := self._config.requests_per_minute):
            texts_most = min(texts_most, max(1, int(requests * MINUTE_SHARE)))
        batches = by_sum(tokens, texts_most, int(most))
        yield from opened.dispatcher.run(batches, texts, tokens, side)

    def embed_query(self, text: str, /) -> Vector:
        """The query's vector, paid on the account of the documents and under its limits."""
        batches = list(self._opened().dispatcher.run([[0]], [text], self.tokenizer.count([text]), "query"))
        for batch in batches:
            if batch.rows:
                vector: Vector = batch.vectors[0]
                return vector
        why = next(batch.rejected[0] for batch in batches if batch.rejected)
        raise ServiceError(f"the query cannot be embedded: {why}")

    def embed_queries(self, texts: Sequence[str], /) -> Sequence[Vector]:
        """Puts as many into a request as of documents; a model for chunks in context gets one at a time."""
        if self._known.contextual:
            return [self.embed_query(text) for text in texts]
        vectors: dict[int, Vector] = {}
        for batch in self._sent(texts, self.tokenizer.count(texts), "query"):
            for row, why in batch.rejected.items():
                raise ServiceError(f"the query {texts[row][:80]!r} cannot be embedded: {why}")
            vectors |= zip(batch.rows, batch.vectors, strict=True)
        return [vectors[row] for row in range(len(texts))]

    def batches(self, owner: str) -> Batches | None:
        """Where documents are paid for ahead, if they are; `owner` is the pipeline."""
        if self._batch_api and self._batches is None:
            work = Work(self.space, owner, self.usd_per_million_tokens / 1e6)
            api = PatientApi(self._provider, self._batch_api, self.space.dimension, self._clock)
            self._batches = Batches(api, self._opened().account, work)
        return self._batches

    def on_their_way(self) -> set[EmbeddingKey]:
        """None without a key, which names the account."""
        try:
            kept = self._opened().account.peek(self.space.fingerprint) if self._batch_api else []
        except HeadraceError:  # the sync that follows says it
            return set()
        return {key for batch in kept if batch.batch_id for key in batch.keys}

    def check(self) -> None:
        """A key is looked for where the SDK looks for it."""
        check_key(self._provider.account[1], self._provider.name, next(iter(self._provider.models.keys), ""))

    def close(self) -> None:
        """Close the connections; what was spent and learned stays."""
        if self._open:
            self._open.transport.close()
            self._open.account.close()
        self._provider.close()

    def _opened(self) -> "_Open":
        self.check()  # a missing key is told before anything is counted, and no two threads open a client
        if self._open is None:
            config, clock = self._config, self._clock
            account = BatchAccount(self._budget, (self._provider.family, *self._provider.account), self._terms(), clock)
            transport = ThreadTransport(self._call, config.concurrency, clock)
            policy = OutcomePolicy(self._provider.name, self.space.dimension, clock)
            dispatcher = Dispatcher(account, transport, policy, clock, config.concurrency)
            self._open = _Open(account, transport, dispatcher)
        return self._open

    def _terms(self) -> Terms:
        own, listed = self._config.usd_per_million_tokens, self._asked.usd_per_million_tokens
        return Terms(
            requests_per_minute=self._config.requests_per_minute,
            tokens_per_minute=self._config.tokens_per_minute,
            max_usd=self._config.max_usd,
            max_usd_per_day=self._config.max_usd_per_day,
            usd_per_million_tokens=self._usd,
            tokens_factor=self._factor,
            query_usd_per_million_tokens=listed if own is None else own,
            texts_count_as_requests=self._known.texts_count_as_requests,
        )

    def _check_dimensions(self) -> None:
        wanted, known = self._config.dimensions, self._known
        if not wanted or not known.dimension or known.can_make(wanted):
            return
        sizes = ", ".join(map(str, sorted({*known.sizes, known.dimension}))) + (" or fewer" if known.any_size else "")
        can_be_forced = wanted < known.dimension and hasattr(self._config, "force_dimensions")
        raise ConfigError(
            f"embedder.dimensions is {wanted}, but {self.model!r} is known to make vectors of {sizes} dimensions only;"
            " choose one of these, or leave `dimensions` out"
            + (", or ask for it all the same with force_dimensions: true" if can_be_forced else "")
        )

    def _check_query_model(self) -> None:
        """ConfigError, before anything is paid, for one whose vectors could not be compared with the documents'."""
        name, models = self._config.query_model, self._provider.models
        if name is None or name == self.model:
            return
        wanted, own = models.space_of(self.model), models.space_of(name)
        if wanted != own:
            raise ConfigError(
                f"embedder.query_model {name!r} makes vectors of the space {own!r}, and embedder.model"
                f" {self.model!r} of {wanted!r}, for all that is known here; expected a model of the same family"
            )
        dimension = self._config.dimensions or self._known.dimension
        if not self._asked.can_make(dimension):
            raise ConfigError(
                f"embedder.query_model {name!r} makes no vectors of {dimension} dimensions in the space {own!r}, as"
                f" embedder.model {self.model!r} does; choose another embedder.dimensions"
            )

    def _call(self, texts: list[str], side: Side, seconds: float) -> Answer:
        prefix = self._known.document_prefix if side == "document" else self.query_prefix
        sent = [BETWEEN.join(prefix + chunk for chunk in chunks_of(text)) for text in texts] if prefix else texts
        most_bytes = sum(map(chunks_in, texts)) * self.space.dimension * NUMBER_BYTES + ANSWER_BYTES
        with translated(self._provider, self._clock), bounded(seconds, most_bytes):
            answer = self._provider.call(sent, side)
        if len(answer.vectors) != len(texts):
            raise MalformedError(f"{len(answer.vectors)} vectors came for {len(texts)} texts")
        if not self._is_named(self._config.model_of(side), answer.model):
            self.other_model = answer.model
        return self._chunks.keep(texts, answer) if self._known.contextual else answer

    def _is_named(self, asked: str, named: str) -> bool:
        """`-002-v2` answers for `-002`, `bge-m3` for `BAAI/bge-m3`; `voyage-4-lite`, a model of its own, for none."""
        models = self._provider.models.models
        if named in models and models[named] != models.get(asked):
            return False
        return asked.lower() in named.lower() or named.lower() in asked.lower()


def _tokenizer(known: PaidModel) -> Tokenizer:
    if known.folder:
        return ModelTokenizer(Path(known.folder), known.document_prefix, known.max_tokens)
    return TiktokenTokenizer(known.encoding, known.max_tokens, known.document_prefix)


class _Open(NamedTuple):
    """What is there from the first text on."""

    account: BatchAccount
    transport: ThreadTransport
    dispatcher: Dispatcher
